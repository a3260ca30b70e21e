import type { FileNote, KnownFile } from "../../ports/file-journal.ts";
import { change, type FileTools, type Held, later, now, Settling, type Turn } from "./tools.ts";

const sliceBytes = 1024 * 1024;
const fileBytesMax = 16 * sliceBytes;

/** Reads price files: small ones, each whole, when it has been unchanged for the settling time. */
export class PriceTurns {
  readonly #tools: FileTools;
  readonly #held: Held;
  readonly #settling: Settling;

  constructor(tools: FileTools, held: Held) {
    this.#tools = tools;
    this.#held = held;
    this.#settling = new Settling(tools.clock);
  }

  async turn(file: KnownFile): Promise<Turn> {
    const { roots, finder, journal, prices, digest, clock, settleMs, republished } = this.#tools;
    const pieces: Uint8Array[] = [];
    let [from, size] = [0, 1];
    let stat: KnownFile["stat"] = null;
    while (from < size && from < fileBytesMax) {
      const root = roots.indexOf(file.root);
      const slice = await finder.read({ root, path: file.path, from, length: sliceBytes });
      if (slice.kind === "gone") return change;
      if (slice.kind === "locked") return this.#wait(file, `LOCKED ${slice.code}: ${slice.why}`, 1_000);
      if (slice.kind === "refused")
        return this.#refused(file, { ...slice, fix: "put the file itself into the folder" }, null);
      if (slice.bytes.length === 0 && from < slice.stat.size)
        return this.#wait(file, "UNSETTLED fewer bytes than the size says", settleMs);
      pieces.push(slice.bytes);
      ({ stat } = slice);
      from += slice.bytes.length;
      ({ size } = slice.stat);
    }
    const bytes = joined(pieces);
    const content = digest("", bytes);
    const ageMs = this.#settling.ageMs(file, content);
    if (ageMs < settleMs) return this.#wait(file, "UNSETTLED", settleMs - ageMs);
    if (bytes.length === 0 && stat !== null) {
      await this.#note(file, { state: "empty", why: "" }, stat);
      return change;
    }
    if (size > fileBytesMax)
      return this.#refused(
        file,
        { code: "TOO_LARGE", why: "the price file is larger than 16 MB", fix: "split the file" },
        stat,
      );
    const read = prices.read(file.path.slice(file.path.lastIndexOf("/") + 1), bytes);
    if ("refusal" in read) return this.#refused(file, read.refusal, stat);
    if (stat === null) return now;
    await journal.call("prices", {
      ...read,
      ...{ epoch: this.#held.epoch, file: file.file, digest: content, nowMs: clock.nowMs() },
      ...{ policy: republished, note: { state: "applied", why: "" }, stat },
    });
    return change;
  }

  async #refused(
    file: KnownFile,
    { code, why, fix }: { readonly code: string; readonly why: string; readonly fix: string },
    stat: KnownFile["stat"],
  ): Promise<Turn> {
    await this.#note(file, { state: "refused", why: code, refusal: { code, why, fix } }, stat);
    return change;
  }

  async #wait(file: KnownFile, why: string, afterMs: number): Promise<Turn> {
    await this.#note(file, { state: "waiting", why }, null);
    return later(afterMs);
  }

  #note(file: KnownFile, note: FileNote, stat: KnownFile["stat"]): Promise<null> {
    const nowMs = this.#tools.clock.nowMs();
    return this.#tools.journal.call("note", {
      ...{ epoch: this.#held.epoch, file: file.file, note, stat, nowMs },
    });
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
