import type fs from "node:fs";
import { constants } from "node:fs";
import { codeOf, messageOf } from "../../base/errors.ts";
import type { FileSlice } from "../../ports/watched-files.ts";

/**
 * The calls of the operating system that the finder uses; a test may replace some of them to cause faults.
 */
export type Disk = Pick<
  typeof fs,
  | "closeSync"
  | "fstatSync"
  | "lstatSync"
  | "openSync"
  | "readdirSync"
  | "readSync"
  | "realpathSync"
  | "statfsSync"
  | "watch"
>;

/** A slice may be this much longer than the file's size, because a network drive may report an older size. */
const beyondSize = 4_096;
const databaseHeader = "SQLite format 3\0";
const goneCodes = new Set(["ENOENT", "ENOTDIR"]);
// Windows has neither flag. Without O_NONBLOCK, opening a pipe that replaces the file would wait for a
// writer.
const openFlags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

/**
 * Reads at most `length` bytes from `from` on, and closes the file afterwards. A link that replaces the file
 * or a folder above it is detected after opening: the real path must still be the same, and must name the
 * open file.
 */
export function readSlice(
  disk: Disk,
  path: string,
  { from, length, isInside }: { from: number; length: number; isInside: (realPath: string) => boolean },
): FileSlice {
  let file: number | undefined;
  try {
    const real = disk.realpathSync.native(path);
    if (!isInside(real))
      return {
        kind: "refused",
        code: "LINK_OUTSIDE",
        why: `${path} leads to ${real}, outside the watched folders`,
      };
    // The kind of the file is checked before it is opened, because opening a device may have an effect.
    if (!disk.lstatSync(real).isFile())
      return { kind: "refused", code: "NOT_A_FILE", why: `${path} is not a regular file` };
    file = disk.openSync(real, openFlags);
    const stats = disk.fstatSync(file);
    const now = disk.lstatSync(real);
    const isSame = stats.isFile() && now.dev === stats.dev && now.ino === stats.ino;
    if (!isSame || disk.realpathSync.native(path) !== real) return { kind: "gone" };
    const header = new Uint8Array(databaseHeader.length);
    if (fill(disk, { file, bytes: header, from: 0 }) === header.length && isDatabase(header))
      return { kind: "refused", code: "DATABASE", why: `${path} is an SQLite database` };
    const { size, mtimeMs, dev, ino } = stats;
    const bytes = new Uint8Array(Math.min(length, Math.max(size - from, 0) + beyondSize));
    const read = fill(disk, { file, bytes, from });
    return { kind: "bytes", bytes: bytes.subarray(0, read), stat: { size, mtimeMs, place: `${dev}:${ino}` } };
  } catch (failure) {
    const code = codeOf(failure);
    // ELOOP: a link has replaced the file since its real path was determined.
    if (goneCodes.has(code) || (code === "ELOOP" && file === undefined)) return { kind: "gone" };
    return { kind: "locked", code: code === "" ? "INTERNAL" : code, why: messageOf(failure) };
  } finally {
    if (file !== undefined) disk.closeSync(file);
  }
}

const isDatabase = (header: Uint8Array): boolean =>
  header.every((byte, index) => byte === databaseHeader.charCodeAt(index));

/** Reads until `bytes` is full or the file ends; returns the number of bytes that were read. */
function fill(
  disk: Disk,
  { file, bytes, from }: { readonly file: number; readonly bytes: Uint8Array; readonly from: number },
): number {
  let filled = 0;
  while (filled < bytes.length) {
    const read = disk.readSync(file, bytes, filled, bytes.length - filled, from + filled);
    if (read === 0) break;
    filled += read;
  }
  return filled;
}
