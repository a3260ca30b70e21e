/**
 * The last record that each process obeyed, in a folder beside the control store: one file a process, each `checksum\nJSON`, written
 * beside and renamed, so that it is there as a whole or as it was. One of another version, or whose parts are not what they should be,
 * is not gone by.
 */

import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../../base/errors.ts";
import { isRecord } from "../../domain/migration/record-columns.ts";
import { writeFileAtomically } from "../../platform/atomic-file.ts";
import type { PlanSnapshot, PlanSnapshots } from "../../ports/local-files.ts";

/** Of others that have not been written for so long, nobody needs to know: processes come and go under new names. */
const keptMs = 30 * 86_400_000;
const filesMax = 1_000;
const bytesMax = 4_000_000;
const ending = ".snapshot.json";
/** Raised when a record of before cannot be read as one of now. */
const version = 1;

export const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

export class SnapshotFiles implements PlanSnapshots {
  readonly #folder: string;
  readonly #file: string;

  /** `name` is the process's own and stays the same over its restarts where it can. */
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

  /** What every process last knew of the audit chain, for who verifies it. */
  async heads(): Promise<readonly PlanSnapshot["auditHead"][]> {
    const heads: PlanSnapshot["auditHead"][] = [];
    for (const file of await this.#files())
      await readFile(file)
        .then((bytes) => void heads.push(readSnapshot(bytes).auditHead))
        // What is not to be trusted knows nothing.
        .catch(() => {});
    return heads;
  }

  /** Removes what is older than a month and not this process's own: snapshots, and what is left of those that were not finished. */
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
    throw new Error("the snapshot is not what was written: its checksum differs");
  const { version: written, ...snapshot } = JSON.parse(body) ?? {};
  if (written !== version) throw new Error(`the snapshot has version ${written}, this pnl-bridge knows ${version}`);
  if (!isSnapshot(snapshot)) throw new Error("the snapshot lacks something, or says what this pnl-bridge does not know");
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
