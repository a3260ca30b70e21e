/**
 * Keeps the last record that each process obeyed, in a folder beside the control store. Each process has one
 * file with `checksum\nJSON`. A file is written under another name and then renamed, so that it is always
 * complete. A file with another version, a wrong checksum or invalid content is refused.
 */

import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../../base/errors.ts";
import { isRecord } from "../../domain/migration/record-columns.ts";
import { writeFileAtomically } from "../../platform/atomic-file.ts";
import type { PlanSnapshot, PlanSnapshots } from "../../ports/local-files.ts";

/** Age at which another process's snapshot is removed: processes come and go under new names. */
const keptMs = 30 * 86_400_000;
const filesMax = 1_000;
const bytesMax = 4_000_000;
const ending = ".snapshot.json";
/** The version of the format. Increased when older snapshots can no longer be read. */
const version = 1;

export const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

export class SnapshotFiles implements PlanSnapshots {
  readonly #folder: string;
  readonly #file: string;

  /** `name` identifies the process. It should stay the same after a restart. */
  constructor(folder: string, name: string) {
    this.#folder = folder;
    this.#file = join(folder, `${name.replaceAll(/[^\w.-]/g, "_")}${ending}`);
  }

  async save(snapshot: PlanSnapshot): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    const text = JSON.stringify({ version, ...snapshot });
    await writeFileAtomically(this.#file, `${sha256(text)}\n${text}`);
  }

  async latest(): ReturnType<PlanSnapshots["latest"]> {
    const refused: { file: string; why: string }[] = [];
    let newest: PlanSnapshot | undefined;
    for (const file of await this.#files()) {
      try {
        const snapshot = readSnapshot(await readFile(file));
        if (newest === undefined || isNewer(snapshot, newest)) newest = snapshot;
      } catch (failure) {
        refused.push({ file, why: messageOf(failure) });
      }
    }
    return { snapshot: newest, refused };
  }

  /** Returns the last audit head that each process has saved, for the verification of the chain. */
  async heads(): Promise<readonly PlanSnapshot["auditHead"][]> {
    const heads: PlanSnapshot["auditHead"][] = [];
    for (const file of await this.#files())
      await readFile(file)
        .then((bytes) => void heads.push(readSnapshot(bytes).auditHead))
        // An invalid snapshot has no head to compare.
        .catch(() => {});
    return heads;
  }

  /** Removes other processes' snapshots, and unfinished ones, that are older than a month. */
  async tidy(nowMs: number): Promise<void> {
    for (const file of await this.#files((name) => name.endsWith(ending) || name.endsWith(".tmp"))) {
      if (file === this.#file) continue;
      const { mtimeMs } = await stat(file).catch(() => ({ mtimeMs: nowMs }));
      if (mtimeMs < nowMs - keptMs) await rm(file, { force: true });
    }
  }

  async #files(wanted = (name: string): boolean => name.endsWith(ending)): Promise<readonly string[]> {
    const names = await readdir(this.#folder).catch(() => []);
    return names
      .filter(wanted)
      .toSorted()
      .slice(0, filesMax)
      .map((name) => join(this.#folder, name));
  }
}

function readSnapshot(bytes: Buffer): PlanSnapshot {
  if (bytes.length > bytesMax) throw new Error(`the snapshot is larger than ${bytesMax} bytes`);
  const text = bytes.toString();
  const end = text.indexOf("\n");
  const body = text.slice(end + 1);
  if (end < 0 || text.slice(0, end) !== sha256(body))
    throw new Error("the snapshot was changed after it was written: its checksum differs");
  const { version: written, ...snapshot } = JSON.parse(body) ?? {};
  if (written !== version)
    throw new Error(`the snapshot has version ${written}; this pnl-bridge reads version ${version}`);
  if (!isSnapshot(snapshot))
    throw new Error("the snapshot lacks a value, or has one that this pnl-bridge does not know");
  return snapshot;
}

function isSnapshot(value: Readonly<Record<string, unknown>>): boolean {
  const { savedAt, auditHead, record } = value;
  return typeof savedAt === "string" && isHead(auditHead) && isRecord(record);
}

const isHead = (head: unknown): boolean =>
  typeof head === "object" &&
  head !== null &&
  "seq" in head &&
  Number.isSafeInteger(head.seq) &&
  Number(head.seq) >= 0 &&
  "hash" in head &&
  typeof head.hash === "string";

const isNewer = (snapshot: PlanSnapshot, than: PlanSnapshot): boolean =>
  snapshot.record.epoch > than.record.epoch ||
  (snapshot.record.epoch === than.record.epoch && snapshot.auditHead.seq > than.auditHead.seq);
