import { fileName } from "../../base/file-name.ts";
import type { Chain, FileNote, KnownFile, TakenPiece } from "../../ports/file-journal.ts";
import { type LedgerPiece, type LedgerTrade, startOfLedger } from "../../ports/ledger-rows.ts";
import type { FileStat } from "../../ports/watched-files.ts";
import { type Bytes, FileTurns, isBytes } from "./file-turns.ts";
import { change, later, now, type Turn } from "./tools.ts";

/** The number of bytes that one turn reads; small, so that no file waits long for another one. */
const sliceBytes = 128 * 1024;
/**
 * The least number of bytes at the end of the applied part that are compared before more of a file is read.
 */
const comparedBytes = 64 * 1024;
/** The number of bytes of the applied part that one turn compares. */
const verifiedBytes = 4 * 1024 * 1024;
/**
 * NUL bytes at the end of a file may be pages that have not arrived. After this time they count as damage.
 */
const nulMs = 60_000;

const start: Chain = { offset: 0, digest: "" };

/**
 * Continues a ledger at the place that the journal has, one slice in each turn.
 *
 * Before a file is continued, the end of its applied part is compared with the applied content; all of the
 * applied part is compared after a restart, after the file has another inode or an older time, and when its
 * trading day is over. A file whose applied part differs is read from the beginning as a re-publication.
 * Times of the file system only show that something may have changed; they never decide whether a row counts.
 */
export class LedgerTurns extends FileTurns {
  /**
   * The offset up to which this process has compared the applied part of a file; Infinity if it has compared
   * all of it.
   */
  readonly #verified = new Map<number, number>();

  async turn(file: KnownFile): Promise<Turn> {
    const { chain, checkpoint } = file;
    const appliedBytes = chain.offset - checkpoint.offset;
    const slice = await this.read(file, checkpoint.offset, appliedBytes + sliceBytes);
    if (!isBytes(slice)) return this.unread(file, slice);
    // On a network share a file's size may grow before its data arrives.
    if (slice.bytes.length < Math.min(slice.stat.size - checkpoint.offset, appliedBytes + sliceBytes))
      return this.wait(
        file,
        "UNSETTLED because fewer bytes could be read than the size that the file system reports",
        this.tools.settleMs,
      );
    if (this.#digest(checkpoint.digest, slice.bytes.subarray(0, appliedBytes)) !== chain.digest)
      return this.#rewritten(file, slice.stat);
    const { stat } = file;
    if (stat !== null && (stat.place !== slice.stat.place || slice.stat.mtimeMs < stat.mtimeMs))
      this.#verified.delete(file.file);
    const comparison = await this.#compare(file);
    if (comparison === "differs") return this.#rewritten(file, slice.stat);
    if (comparison === "more") return now;
    return this.#continued(file, slice);
  }

  /** Compares the whole applied part with its checkpoints, a piece in each turn. */
  async #compare(file: KnownFile): Promise<"same" | "differs" | "more"> {
    const isOver = file.isUnverified && this.#isOver(this.tools.dayInName(file.path));
    let begin = this.#verified.get(file.file) ?? 0;
    if (begin === Number.POSITIVE_INFINITY) {
      if (!isOver) return "same";
      begin = 0;
    }
    let read = 0;
    let before = start;
    const chains = [...(await this.tools.journal.call("checkpoints", { file: file.file })), file.chain];
    for (const chain of chains) {
      if (chain.offset > begin && chain.offset > before.offset) {
        if (read >= verifiedBytes) {
          this.#verified.set(file.file, before.offset);
          return "more";
        }
        const length = chain.offset - before.offset;
        const slice = await this.read(file, before.offset, length);
        if (!isBytes(slice) || this.#digest(before.digest, slice.bytes) !== chain.digest) return "differs";
        read += length;
      }
      before = chain;
    }
    this.#verified.set(file.file, Number.POSITIVE_INFINITY);
    if (isOver) await this.tools.journal.call("verified", this.inJournal(file));
    return "same";
  }

  /** Reads the rows that follow the applied part. */
  async #continued(file: KnownFile, slice: Bytes): Promise<Turn> {
    const { bytes, stat } = slice;
    const fresh = bytes.subarray(file.chain.offset - file.checkpoint.offset);
    const end = file.place.offset + fresh.length;
    const isEnd = end >= stat.size;
    const isKnownTail = isEnd && file.revocable !== null && this.#digest("", fresh) === file.revocable.digest;
    if (isKnownTail || (isEnd && fresh.length === 0)) {
      this.settling.forget(file);
      const state = file.rows === 0 ? "empty" : "applied";
      await this.tools.journal.call("note", {
        ...{ ...this.inJournal(file), note: { state, why: "" }, stat, closesReview: file.review !== null },
      });
      return file.isUnverified ? this.#unlessOver(file) : change;
    }
    const piece = this.tools.ledgers.read(fileName(file.path), file.place, fresh);
    if (piece.refusal !== undefined) {
      const note: FileNote = { state: "refused", why: piece.refusal.code, refusal: piece.refusal };
      await this.#take(file, piece, bytes, { note, stat });
      return change;
    }
    if (piece.place.offset > file.place.offset) {
      const isAll = piece.place.offset >= stat.size;
      const state = isAll ? stateOf(file, piece) : "growing";
      await this.#take(file, piece, bytes, { note: { state, why: "" }, stat: isAll ? stat : null });
      return isAll ? this.#unlessOver(file) : now;
    }
    return this.#stuck(file, piece, slice);
  }

  /** Handles a file in which no complete row follows: it has NUL bytes, or a row without a newline. */
  async #stuck(file: KnownFile, piece: LedgerPiece, { bytes, stat }: Bytes): Promise<Turn> {
    const fresh = bytes.subarray(file.chain.offset - file.checkpoint.offset);
    const { settleMs, ledgers } = this.tools;
    const ageMs = this.settling.ageMs(file, `${stat.size} ${this.#digest("", fresh)}`);
    const at = `at byte ${file.place.offset}`;
    if (piece.isAtNul) {
      const isFollowed = fresh.some((byte) => byte !== 0) && fresh.at(-1) !== 0;
      const waitMs = isFollowed ? 10 * settleMs : nulMs;
      if (ageMs < waitMs) return this.wait(file, `NUL_BYTES ${at}`, waitMs - ageMs);
      const passed = ledgers.read(fileName(file.path), file.place, fresh, { passesNul: true });
      if (passed.place.offset === file.place.offset) return this.wait(file, `NUL_BYTES ${at}`, waitMs);
      await this.#take(file, passed, bytes, { note: { state: "growing", why: "" }, stat: null });
      return now;
    }
    if (file.place.offset + fresh.length < stat.size) return this.wait(file, `UNSETTLED ${at}`, settleMs);
    if (ageMs < settleMs) return this.wait(file, `PARTIAL_ROW ${at}`, settleMs - ageMs);
    const last = ledgers.read(fileName(file.path), file.place, fresh, { takesLast: true });
    const day = Math.max(last.trades[0]?.day ?? -1, this.tools.dayInName(file.path) ?? -1);
    if (last.refusal !== undefined || !this.#isOver(day < 0 ? undefined : day)) {
      await this.note(file, { state: "waiting", why: `PARTIAL_ROW ${at}` }, stat);
      return later(dayLookMs);
    }
    const line = last.trades[0]?.line ?? last.refused[0]?.line ?? last.place.line;
    await this.tools.journal.call("take", {
      ...this.#common(file, last),
      after: file.chain,
      place: file.place,
      chain: file.chain,
      revocable: { line, digest: this.#digest("", fresh) },
      note: { state: stateOf(file, last), why: "" },
      stat,
    });
    return change;
  }

  /** Adds whole rows to the journal and moves the place behind them. */
  async #take(
    file: KnownFile,
    piece: LedgerPiece,
    /** From the last checkpoint on. */
    bytes: Uint8Array,
    { note, stat }: Pick<TakenPiece, "note" | "stat">,
  ): Promise<void> {
    const read = bytes.subarray(0, piece.place.offset - file.checkpoint.offset);
    const { checkpoint, chain } = this.#chainOf(file.checkpoint, read);
    this.settling.forget(file);
    await this.tools.journal.call("take", {
      ...this.#common(file, piece),
      after: file.chain,
      place: piece.place,
      chain,
      ...(checkpoint === file.checkpoint ? {} : { checkpoint }),
      revocable: null,
      note,
      stat,
    });
  }

  /** Reads the whole file, after its applied part changed, and lets the journal decide. */
  async #rewritten(file: KnownFile, seen: FileStat): Promise<Turn> {
    const { settleMs, ledgers, republished, journal } = this.tools;
    const ageMs = this.settling.ageMs(file, `rewritten ${seen.size} ${seen.mtimeMs}`);
    if (ageMs < settleMs) return this.wait(file, unsettled, settleMs - ageMs);
    let [place, checkpoint, chain] = [startOfLedger, start, start];
    const trades: LedgerTrade[] = [];
    const refused: LedgerPiece["refused"][number][] = [];
    const checkpoints: Chain[] = [];
    let piece: LedgerPiece | undefined;
    let rest: Uint8Array = new Uint8Array();
    /** The applied bytes from the last checkpoint on. */
    let end: Uint8Array = new Uint8Array();
    let stat = seen;
    let note: FileNote = { state: "applied", why: "" };
    for (;;) {
      const slice = await this.read(file, place.offset, sliceBytes);
      if (!isBytes(slice)) return this.unread(file, slice);
      if (slice.stat.size !== seen.size) return this.wait(file, unsettled, settleMs);
      ({ stat } = slice);
      rest = slice.bytes;
      piece = ledgers.read(fileName(file.path), place, rest, { passesNul: ageMs >= nulMs });
      if (piece.isAtNul && ageMs < nulMs)
        return this.wait(file, `NUL_BYTES at byte ${piece.place.offset}`, nulMs - ageMs);
      trades.push(...piece.trades);
      refused.push(...piece.refused);
      const read = rest.subarray(0, piece.place.offset - place.offset);
      end = Buffer.concat([end, read]);
      const before = checkpoint;
      ({ checkpoint, chain } = this.#chainOf(before, end));
      if (checkpoint !== before) checkpoints.push(checkpoint);
      end = end.subarray(checkpoint.offset - before.offset);
      rest = rest.subarray(read.length);
      place = piece.place;
      if (piece.refusal !== undefined) {
        note = { state: "refused", why: piece.refusal.code, refusal: piece.refusal };
        break;
      }
      if (read.length === 0 || place.offset >= stat.size) break;
    }
    this.#verified.set(file.file, Number.POSITIVE_INFINITY);
    const isEmpty = trades.length === 0 && refused.length === 0;
    const known = await journal.call("republish", {
      ...this.#common(file, { trades, refused }),
      place,
      chain,
      checkpoint,
      checkpoints,
      revocable: this.#digest("", rest) === file.revocable?.digest ? file.revocable : null,
      digest: this.#digest(chain.digest, rest),
      // An empty file is more often a file that somebody is writing than a file without rows.
      policy: isEmpty ? "quarantine" : republished,
      note,
      stat,
    });
    return rest.length > 0 && known.review === null ? later(settleMs) : change;
  }

  #common(file: KnownFile, { trades, refused }: Pick<LedgerPiece, "trades" | "refused">) {
    return {
      ...this.inJournal(file),
      trades,
      refused,
    };
  }

  /** Returns the chain of a file's bytes from a checkpoint on, and the last checkpoint before their end. */
  #chainOf(from: Chain, bytes: Uint8Array): { readonly checkpoint: Chain; readonly chain: Chain } {
    if (bytes.length === 0) return { checkpoint: from, chain: from };
    const passed = bytes.length < 2 * comparedBytes ? 0 : bytes.length - comparedBytes;
    const after = (before: Chain, more: Uint8Array): Chain => ({
      offset: before.offset + more.length,
      digest: this.#digest(before.digest, more),
    });
    const checkpoint = passed === 0 ? from : after(from, bytes.subarray(0, passed));
    return { checkpoint, chain: after(checkpoint, bytes.subarray(passed)) };
  }

  #digest(before: string, bytes: Uint8Array | string): string {
    return bytes.length === 0 ? before : this.tools.digest(before, bytes);
  }

  /** Returns the next turn of a file that grew: it is compared as a whole when its trading day is over. */
  #unlessOver({ path }: KnownFile): Turn {
    const day = this.tools.dayInName(path);
    if (day === undefined) return change;
    return this.#isOver(day) ? now : later(dayLookMs);
  }

  #isOver(day: number | undefined): boolean {
    return day !== undefined && day < this.tools.today();
  }
}

/** Why a file waits whose applied part has changed. */
const unsettled = "UNSETTLED because applied rows have changed, and the file may still be changing";

/** The time between two looks at a file whose last row waits for the end of its trading day. */
const dayLookMs = 60_000;

const stateOf = ({ rows }: KnownFile, { trades, refused }: LedgerPiece): "applied" | "empty" =>
  rows + trades.length + refused.length === 0 ? "empty" : "applied";
