import { messageOf } from "../../base/errors.ts";
import { formatDay, formatInstant } from "../../domain/market/chicago-time.ts";
import { type Describe, type MarkKind, type Method, markKinds } from "../../engine/index.ts";
import type { AcceptedTrade, Claim, PriceMark, RefusedTrade } from "../../ports/file-journal.ts";
import type { BridgeRecord, TradeRecord } from "../../ports/records.ts";
import { ClaimSink, type ClaimSinkOptions } from "./claim-sink.ts";
import { type DayMark, Figures, type LaneTrade } from "./figures.ts";

/** The access to the stores for records. */
export interface RecordWriter {
  write(
    records: readonly BridgeRecord[],
    options: { readonly idempotencyKey: string },
  ): Promise<
    | { readonly kind: "acknowledged" }
    | { readonly kind: "refused"; readonly code: string; readonly because: string }
    | { readonly kind: "unresolved"; readonly because: string }
  >;
}

export interface StoreSinkOptions extends ClaimSinkOptions {
  /** With null the figures are calculated, and nothing is stored. */
  readonly writer: RecordWriter | null;
  readonly describe: Describe;
  readonly method: Method;
}

/** The trades that stay in memory for the figures, about 100 bytes each. */
const tradesMax = 1_000_000;
/** The refusals that concern the record itself. After every other refusal the record is sent again. */
const ofRecord: ReadonlySet<string> = new Set([
  "BAD_RECORD",
  "BAD_TEXT",
  "BAD_NUMBER",
  "BAD_TIME",
  "UNKNOWN_SYMBOL",
  "NOT_REPRESENTABLE",
  "AMBIGUOUS_IN_LEGACY",
  "BOOK_NOT_IN_LEGACY",
  "ALREADY_STORED",
  "CONFLICT",
]);

/**
 * Writes the changes of claims to the stores, through the database bridge: trades, marks, and the positions
 * and daily rows of the lanes that these change. The records of a claim are kept in the journal before they
 * are sent, so that a claim that is sent again is the same write under the same key.
 */
export class StoreSink extends ClaimSink {
  readonly #options: StoreSinkOptions;
  readonly #figures: Figures;
  protected override readonly forgets: boolean;
  /** The last claim whose figures were computed, or are being computed; 0 for none. */
  #claim = 0;
  /** The claim whose records were made last. */
  #ready: { readonly claim: number; readonly records: Promise<readonly BridgeRecord[]> } | undefined;

  constructor(options: StoreSinkOptions) {
    super(options);
    this.#options = options;
    this.forgets = options.writer !== null;
    const { journal, describe, method } = options;
    this.#figures = new Figures({
      method,
      describe,
      tradesMax,
      accepted: {
        lane: async ({ book, instrument }) =>
          (await journal.call("lane", { book, instrument, before: this.#claim })).map(laneTrade),
        marks: async (name) => (await journal.call("marks", { name, before: this.#claim })).map(dayMark),
        books: (instrument) => journal.call("books", { instrument, before: this.#claim }),
      },
    });
  }

  protected async carry(claim: Claim, epoch: number, [later]: readonly Claim[]): Promise<string | undefined> {
    const { journal, writer } = this.#options;
    try {
      if (writer === null) {
        // If a receipt has failed, the figures already include the claim.
        if (claim.claim !== this.#claim) await this.#figuresOf(claim, async () => {});
        return undefined;
      }
      const key = `files ${await journal.call("incarnation", null)} ${claim.claim}`;
      const records = await this.#readyRecords(claim, epoch);
      if (records.length === 0) return undefined;
      const writing = writer.write(records, { idempotencyKey: key });
      // The records of the next claim are created while the stores write.
      if (later !== undefined) this.#readyRecords(later, epoch).catch(() => {});
      const answer = await writing;
      if (answer.kind === "acknowledged") return undefined;
      if (answer.kind === "refused" && ofRecord.has(answer.code))
        return await this.#writeEach({ claim, epoch, records, key, writer });
      return answer.kind === "refused" ? `${answer.code}: ${answer.because}` : answer.because;
    } catch (failure) {
      return messageOf(failure);
    }
  }

  /**
   * Returns the records of a claim, which an earlier call may have requested already. Creates the records of
   * only one claim at a time.
   */
  async #readyRecords(claim: Claim, epoch: number): Promise<readonly BridgeRecord[]> {
    const before = this.#ready;
    if (before?.claim === claim.claim) return before.records;
    await before?.records.catch(() => {});
    const records = this.#recordsOf(claim, epoch);
    const ready = { claim: claim.claim, records };
    this.#ready = ready;
    records.catch(() => {
      // The next call creates the records again.
      if (this.#ready === ready) this.#ready = undefined;
    });
    return records;
  }

  /** Returns the records of a claim: those that were sent before, or new ones. */
  async #recordsOf(claim: Claim, epoch: number): Promise<readonly BridgeRecord[]> {
    if (claim.payload !== null) return JSON.parse(claim.payload || "[]");
    return this.#figuresOf(claim, async (figures) => {
      const records = [
        ...claim.removed.map((trade) => tradeRecord(trade, "trade_removal")),
        ...claim.added.map((trade) => tradeRecord(trade, "trade")),
        ...claim.moved.map((trade) => tradeRecord(trade, "trade_correction")),
        // A stored price cannot be removed; only the figures no longer use it.
        ...claim.marks.flatMap(priceRecord),
        ...figures,
      ];
      await this.#options.journal.call("prepare", {
        ...{ epoch, claim: claim.claim, payload: JSON.stringify(records) },
      });
      return records;
    });
  }

  /**
   * Computes the figures that a claim changes and passes them to `work`. If either fails, the figures are
   * dropped from memory, so that the claim is computed again later.
   */
  async #figuresOf<T>(
    claim: Claim,
    work: (figures: Awaited<ReturnType<Figures["change"]>>) => Promise<T>,
  ): Promise<T> {
    this.#claim = claim.claim;
    try {
      return await work(await this.#figures.change(changeOf(claim)));
    } catch (failure) {
      this.#claim = 0;
      this.#figures.forget();
      throw failure;
    }
  }

  /**
   * Writes each record alone, because the stores refused one of them, and marks the trades that the stores
   * refuse as refused in the journal.
   */
  async #writeEach({
    claim,
    epoch,
    records,
    key,
    writer,
  }: {
    readonly claim: Claim;
    readonly epoch: number;
    readonly records: readonly BridgeRecord[];
    readonly key: string;
    readonly writer: RecordWriter;
  }): Promise<string | undefined> {
    const { journal, clock, onEvent } = this.#options;
    const refused: RefusedTrade[] = [];
    for (const [at, record] of records.entries()) {
      const answer = await writer.write([record], { idempotencyKey: `${key} ${at}` });
      if (answer.kind === "acknowledged") continue;
      if (answer.kind === "unresolved") return answer.because;
      const { code, because } = answer;
      if (!ofRecord.has(code)) return `${code}: ${because}`;
      if (code === "ALREADY_STORED") continue;
      const trade = record.kind === "trade" && claim.added.find((one) => isRecordOf(one, record));
      if (trade) refused.push({ digest: trade.digest, timeUs: trade.trade.timeUs, code, why: because });
      else onEvent({ kind: "figure_refused", code, why: because });
    }
    if (refused.length > 0)
      await journal.call("refuse", { epoch, claim: claim.claim, rows: refused, nowMs: clock.nowMs() });
    return undefined;
  }
}

/** Returns the changes of a claim by lane and instrument. */
function changeOf({ added, removed, moved, marks }: Claim): Parameters<Figures["change"]>[0] {
  const lanes = new Map<
    string,
    {
      readonly book: string;
      readonly instrument: string;
      readonly added: LaneTrade[];
      readonly removed: string[];
    }
  >();
  const laneOf = ({ trade: { book, instrument } }: AcceptedTrade) => {
    const key = JSON.stringify([book, instrument]);
    const lane = lanes.get(key) ?? { book, instrument, added: [], removed: [] };
    lanes.set(key, lane);
    return lane;
  };
  for (const trade of [...removed, ...moved]) laneOf(trade).removed.push(keyOf(trade));
  for (const trade of [...added, ...moved]) laneOf(trade).added.push(laneTrade(trade));
  return {
    lanes: [...lanes.values()],
    marks: marks.map((mark) => ({ instrument: mark.name, ...dayMark(mark) })),
  };
}

const keyOf = ({ digest, occurrence }: AcceptedTrade): string => `${digest} ${occurrence}`;

const laneTrade = (accepted: AcceptedTrade): LaneTrade => {
  const { book, instrument, symbol, side, quantity, price, timeUs, day } = accepted.trade;
  return {
    ...{ key: keyOf(accepted), source: accepted.source, book, instrument, symbol },
    ...{ side, quantity, price, timeUs, day },
  };
};

const dayMark = ({ kind, day, price, atUs }: PriceMark | Claim["marks"][number]): DayMark => ({
  kind: markKind(kind),
  day,
  price,
  atUs,
});

const markKind = (kind: string): MarkKind => markKinds.find((known) => known === kind) ?? "close";

const tradeRecord = ({ trade, file, occurrence }: AcceptedTrade, kind: TradeRecord["kind"]): TradeRecord => ({
  kind,
  id: trade.id,
  symbol: trade.symbol,
  book: trade.book,
  side: trade.side,
  quantity: trade.quantity,
  price: trade.price,
  fee: trade.fee ?? "0",
  time: formatInstant(trade.timeUs),
  file,
  line: trade.line,
  occurrence,
});

const isRecordOf = ({ file, trade, occurrence }: AcceptedTrade, record: TradeRecord): boolean =>
  file === record.file && trade.line === record.line && occurrence === record.occurrence;

const priceRecord = ({
  symbol,
  price,
  kind,
  day,
  atUs,
  source,
}: Claim["marks"][number]): readonly BridgeRecord[] =>
  price === null
    ? []
    : [
        {
          ...{ kind: "price", symbol, mark: price, markKind: kind, tradingDay: formatDay(day) },
          ...{ at: formatInstant(atUs), source },
        },
      ];
