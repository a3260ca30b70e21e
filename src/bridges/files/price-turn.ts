import { fileName } from "../../base/file-name.ts";
import type { KnownFile } from "../../ports/file-journal.ts";
import { FileTurns, isBytes } from "./file-turns.ts";
import { change, now, type Turn } from "./tools.ts";

const sliceBytes = 1024 * 1024;
const fileBytesMax = 16 * sliceBytes;

/** Reads price files, which are small: each as a whole, after it has been unchanged for the settling time. */
export class PriceTurns extends FileTurns {
  async turn(file: KnownFile): Promise<Turn> {
    const { journal, prices, digest, settleMs, republished } = this.tools;
    const pieces: Uint8Array[] = [];
    let [from, size] = [0, 1];
    let stat: KnownFile["stat"] = null;
    while (from < size && from < fileBytesMax) {
      const slice = await this.read(file, from, sliceBytes);
      if (!isBytes(slice)) return this.unread(file, slice);
      if (slice.bytes.length === 0 && from < slice.stat.size)
        return this.wait(
          file,
          "UNSETTLED because fewer bytes could be read than the size that the file system reports",
          settleMs,
        );
      pieces.push(slice.bytes);
      ({ stat } = slice);
      from += slice.bytes.length;
      ({ size } = slice.stat);
    }
    const bytes = joined(pieces);
    const content = digest("", bytes);
    const ageMs = this.settling.ageMs(file, content);
    if (ageMs < settleMs) return this.wait(file, "UNSETTLED", settleMs - ageMs);
    if (bytes.length === 0 && stat !== null) {
      await this.note(file, { state: "empty", why: "" }, stat);
      return change;
    }
    if (size > fileBytesMax)
      return this.refuse(
        file,
        { code: "TOO_LARGE", why: "the price file is larger than 16 MB", fix: "split the file" },
        stat,
      );
    const read = prices.read(fileName(file.path), bytes);
    if ("refusal" in read) return this.refuse(file, read.refusal, stat);
    if (stat === null) return now;
    await journal.call("prices", {
      ...read,
      ...{ ...this.inJournal(file), digest: content },
      ...{ policy: republished, note: { state: "applied", why: "" }, stat },
    });
    return change;
  }
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
