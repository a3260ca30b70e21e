/**
 * The contract of `RecordStore`, as a test suite that every adapter runs:
 *
 *     recordStoreContract("sqlite, modern", async () => ({ side: "modern", open: …, sql: …, table: … }));
 *
 * `make` is called for each test and returns a new, empty place; every `open` opens another handle on it. The
 * suite closes the handles; the caller removes the place.
 */

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { otherSide, type Side } from "../domain/migration/phase.ts";
import type {
  MirrorAnswer,
  MirrorWrite,
  RecordStore,
  RowChange,
  RowImage,
  RowWrite,
  StoreAnswer,
  StoredRow,
  StoreWrite,
} from "../ports/record-store.ts";
import { hostile } from "./hostile-text.ts";

export interface RecordPlace {
  readonly side: Side;
  readonly open: (authority: Side) => Promise<RecordStore>;
  /** Runs a statement like another program, on a separate connection, and returns its rows. */
  readonly sql: (statement: string) => Promise<readonly unknown[]>;
  /** The full name of a table of the records, or of the bridge (`pnlb_…`). */
  readonly table: (name: string) => string;
}

/** The rows of the suite in the tables of one side. */
interface Shape {
  readonly trades: string;
  readonly symbol: string;
  readonly quantity: string;
  readonly trade: (id: string) => RowChange;
  readonly position: (symbol: string, columns: StoredRow | null) => RowChange;
  /** A quantity as the column holds it. */
  readonly size: (quantity: number) => string | number;
  /** A column of a position, with a value that the column's type converts to another value. */
  readonly altered: StoredRow;
  /** Quantities that the store must refuse. */
  readonly refused: readonly (string | number)[];
}

const shapes: Readonly<Record<Side, Shape>> = {
  legacy: {
    trades: "processed_trades",
    symbol: "instrument_name",
    quantity: "position_quantity",
    trade: (id) => ({
      table: "processed_trades",
      key: { trade_id: id, source_file: "trades_20250715.csv" },
      set: {
        instrument_name: "ZN",
        trade_date: "2025-07-15",
        trade_timestamp: "2025-07-15 13:08:35.561",
        quantity: 2,
        price: 110.515625,
        side: "B",
      },
      initial: {},
    }),
    position: (symbol, columns) => ({
      table: "positions",
      key: { instrument_name: symbol },
      set: columns && {
        avg_cost: 110.5,
        total_realized_pnl: 0.59375,
        unrealized_pnl: 0,
        last_market_price: null,
        last_updated: "2025-07-15 16:00:00",
        ...columns,
      },
      initial: {},
    }),
    size: (quantity) => quantity,
    altered: { last_updated: "20250804" },
    refused: [Number.NaN],
  },
  modern: {
    trades: "trades",
    symbol: "symbol",
    quantity: "quantity",
    trade: (id) => ({
      table: "trades",
      key: { trade_key: id.padStart(64, "0") },
      set: {
        trade_id: id,
        instrument: "ZNU2025",
        symbol: "ZN",
        book: "",
        side: "B",
        quantity: "2",
        price: "110.515625",
        fee: "0",
        traded_at: "2025-07-15T13:08:35.561-05:00",
        trading_day: "2025-07-15",
        source_file: "trades_20250715.csv",
        source_line: "67",
        occurrence: "1",
      },
      initial: {},
    }),
    position: (symbol, columns) => ({
      table: "positions",
      key: { book: "", symbol },
      set: columns && {
        instrument: "ZNU2025",
        average_price: "1327/12",
        realized: "593.75",
        unrealized: "0",
        mark: null,
        as_of: "2025-07-15T16:00:00-05:00",
        ...columns,
      },
      initial: {},
    }),
    size: String,
    altered: { as_of: 20_250_804 },
    refused: ["NaN", "Infinity", "-Infinity", "", "twelve"],
  },
};

/** The name of a row of legacy. */
const claimOf = (...names: readonly string[]): string => JSON.stringify(names);

const nowMs = 1_752_600_000_000;

/** `follows` is false for a store that is always authoritative; the tests of a mirror are then skipped. */
export function recordStoreContract(
  name: string,
  make: () => Promise<RecordPlace>,
  { follows = true } = {},
): void {
  const itFollows = it.runIf(follows);
  describe(`a record store (${name})`, () => {
    let place: RecordPlace;
    let shape: Shape;
    let store: RecordStore;
    const opened: RecordStore[] = [];

    const open = async (authority: Side = place.side): Promise<RecordStore> => {
      const one = await place.open(authority);
      opened.push(one);
      return one;
    };
    beforeEach(async () => {
      place = await make();
      shape = shapes[place.side];
      store = await open();
    });
    afterEach(async () => {
      await Promise.all(opened.splice(0).map((one) => one.close()));
    });

    const trade = (id: string, claim = claimOf("processed_trades", id, "trades_20250715.csv")): RowWrite => ({
      aggregate: JSON.stringify(["trade", id]),
      isFinal: true,
      change: shape.trade(id),
      claim,
    });
    /** A change of a stored trade; a removal if there are no columns. */
    const changed = (row: RowWrite, columns: StoredRow | null): RowWrite => ({
      ...row,
      isFinal: false,
      does: columns === null ? "trade_removal" : "trade_correction",
      change: { ...row.change, set: columns && { ...row.change.set, ...columns } },
    });
    /** A trade of a file, with the claim of its row in legacy; `legacyId` is its id there. */
    const tradeOf = (id: string, file: string, { legacyId = id } = {}): RowWrite => {
      const { change, ...row } = trade(id, claimOf("processed_trades", legacyId, file));
      const inLegacy = { key: { trade_id: legacyId, source_file: file } };
      return { ...row, change: { ...change, ...(place.side === "legacy" && inLegacy) } };
    };
    /** A position with the given columns; a number means a quantity. */
    const position = (
      symbol: string,
      columns: number | StoredRow | null,
      book = "",
    ): Omit<RowWrite, "isFinal"> & { readonly isFinal: false } => ({
      aggregate: JSON.stringify(["position", book, symbol]),
      isFinal: false,
      change: shape.position(
        symbol,
        typeof columns === "number" ? { [shape.quantity]: shape.size(columns) } : columns,
      ),
      claim: claimOf("positions", symbol),
    });
    const write = (idempotencyKey: string, ...rows: readonly RowWrite[]): StoreWrite => ({
      idempotencyKey,
      images: JSON.stringify(
        rows
          .map(imageOf)
          .map(({ kind, does, values, aggregate, multiplier }) => [
            does ?? kind,
            Object.keys(values),
            [[aggregate, multiplier, ...Object.values(values)]],
          ]),
      ),
      digest: JSON.stringify(rows),
      rows,
    });
    const imageOf = ({ aggregate, isFinal, does }: RowWrite): RowImage => ({
      kind: isFinal || does ? "trade" : "position",
      ...(does && { does }),
      aggregate,
      values: { mark: null },
      multiplier: "1000",
    });
    /** Writes like the bridge: if the store refuses a group as a whole, its writes are sent one by one. */
    const written = async (
      writes: readonly StoreWrite[],
      { to = store, epoch = 1 } = {},
    ): Promise<readonly StoreAnswer[]> => {
      try {
        return await to.call("write", { writes, epoch, nowMs });
      } catch (failure) {
        expect(failure).toMatchObject({ code: "REFUSED" });
        const answers: StoreAnswer[] = [];
        for (const one of writes) answers.push(...(await to.call("write", { writes: [one], epoch, nowMs })));
        return answers;
      }
    };
    const acknowledged = (version: number) => ({ kind: "acknowledged", version });
    const refused = (code: string) => expect.objectContaining({ kind: "refused", code });
    const mirrored = (seq: number, version: number, row: RowWrite): MirrorWrite => ({
      seq,
      idempotencyKey: `key of ${seq}`,
      digest: JSON.stringify(row),
      rows: [{ aggregate: row.aggregate, claim: row.claim, change: row.change, does: row.does, version }],
    });
    /** Applies entries while the other store is authoritative. */
    const applied = async (
      entries: readonly MirrorWrite[],
      { token = 1, source = "the other store" } = {},
    ): Promise<readonly MirrorAnswer[]> => {
      const fence = await store.call("fence", null);
      const mirror = { ...fence, authority: otherSide(place.side) };
      await store.call("moveFence", { from: fence, to: mirror });
      try {
        return await store.call("apply", { entries, source, token });
      } finally {
        await store.call("moveFence", { from: mirror, to: fence });
      }
    };
    const parked = (code: string) => expect.objectContaining({ kind: "parked", code });
    /** The values of one column, as text, in the order of the column. */
    const column = async (table: string, of: string): Promise<readonly string[]> => {
      const rows = await place.sql(`SELECT ${of} AS value FROM ${place.table(table)} ORDER BY ${of}`);
      return rows.map((row) => String((row as { readonly value: unknown }).value));
    };
    const trades = async (): Promise<number> => (await column(shape.trades, "trade_id")).length;
    const quantities = () => column("positions", shape.quantity);
    const pending = async () => (await store.call("pending", { limit: 100 })).map(({ seq }) => seq);
    const settle = (seqs: readonly number[], answer: (seq: number) => MirrorAnswer, atMs = nowMs) =>
      store.call("settle", { answers: seqs.map((seq) => ({ seq, answer: answer(seq) })), nowMs: atMs });
    const isApplied = (seq: number): MirrorAnswer => ({ kind: "applied", place: seq });

    it("the first handle decides the authority and the incarnation, and later ones find them", async () => {
      const fence = await store.call("fence", null);
      expect(fence).toEqual({
        epoch: 1,
        authority: place.side,
        step: "",
        incarnation: expect.stringMatching(/^[0-9a-f-]{36}$/),
      });
      expect(await (await open(otherSide(place.side))).call("fence", null)).toEqual(fence);
    });

    describe("write", () => {
      it("stores rows, key and outbox entry, and counts the versions of each row", async () => {
        const answers = await written([
          write("one", trade("1"), position("ZN", 12)),
          write("two", position("ZN", 14)),
        ]);
        expect(answers).toEqual([acknowledged(1), acknowledged(2)]);
        expect([await trades(), await quantities()]).toEqual([1, [String(shape.size(14))]]);
        expect(await store.call("pending", { limit: 10 })).toEqual([
          {
            seq: expect.any(Number),
            idempotencyKey: "one",
            digest: write("one", trade("1"), position("ZN", 12)).digest,
            rows: [
              {
                aggregate: trade("1").aggregate,
                version: 1,
                image: imageOf(trade("1")),
                isUnstorable: false,
              },
              {
                aggregate: position("ZN", 12).aggregate,
                version: 1,
                image: imageOf(position("ZN", 12)),
                isUnstorable: false,
              },
            ],
          },
          expect.objectContaining({ rows: [expect.objectContaining({ version: 2 })] }),
        ]);
        expect(await store.call("known", { idempotencyKey: "two" })).toBe(2);
        expect(await store.call("known", { idempotencyKey: "three" })).toBeNull();
      });

      it("a write that is repeated under its key has its effect once, and other records under that key are refused", async () => {
        const first = await written([write("one", position("ZN", 12))]);
        expect(await written([write("one", position("ZN", 12))])).toEqual(first);
        expect(await written([write("one", position("ZN", 13))])).toEqual([refused("KEY_REUSED")]);
        expect([await quantities(), (await pending()).length]).toEqual([[String(shape.size(12))], 1]);
      });

      it("a trade is stored once, and a foreign row in its place is not touched", async () => {
        await written([write("one", trade("1"))]);
        expect(await written([write("two", trade("1"))])).toEqual([refused("ALREADY_STORED")]);
        await place.sql(`DELETE FROM ${place.table("pnlb_versions")}`);
        expect(await written([write("three", trade("1"))])).toEqual([refused("ALREADY_STORED")]);
        await place.sql(`UPDATE ${place.table(shape.trades)} SET price = 1`);
        expect(await written([write("four", trade("1"))])).toEqual([refused("CONFLICT")]);
        expect(await column(shape.trades, "price")).toEqual(["1"]);
      });

      it("a trade is removed and written again, and its versions have no gap", async () => {
        const row = trade("1");
        for (const [at, change] of [row, changed(row, null), row, changed(row, null)].entries()) {
          expect(await written([write(`write ${at}`, change)])).toEqual([acknowledged(at + 1)]);
          expect(await trades()).toBe(1 - (at % 2));
        }
        expect(await written([write("again", changed(row, null))])).toEqual([acknowledged(5)]);
        expect(await written([write("never", changed(trade("2"), null))])).toEqual([acknowledged(1)]);
        expect(await written([write("never", changed(trade("3"), null))])).toEqual([refused("KEY_REUSED")]);
        expect(await written([write("no", changed(row, {}))])).toEqual([refused("CONFLICT")]);
        const entries = await store.call("pending", { limit: 100 });
        expect(entries.map(({ rows: [one] }) => one?.version)).toEqual([1, 2, 3, 4, 5, 1]);
      });

      it("another trade of the same write can get the place in legacy of a trade that the write removes", async () => {
        await written([write("one", tradeOf("1", "a.csv"))]);
        const next = tradeOf("2", "a.csv", { legacyId: "1" });
        const both = [changed(tradeOf("1", "a.csv"), null), next];
        expect(await written([write("two", ...both)])).toEqual([acknowledged(2)]);
        expect(await column("pnlb_versions", "claim")).toContain(next.claim);
        expect(await written([write("three", changed(tradeOf("1", "a.csv"), null))])).toEqual([
          acknowledged(3),
        ]);
        expect(await trades()).toBe(1);
      });

      it("a correction changes a stored trade, and may move it to another file", async () => {
        await written([write("one", tradeOf("1", "b.csv"))]);
        const moved = changed(tradeOf("1", "a.csv"), { price: place.side === "legacy" ? 7 : "7" });
        expect(await written([write("two", moved)])).toEqual([acknowledged(2)]);
        expect(await written([write("three", moved)])).toEqual([acknowledged(3)]);
        expect([await trades(), await column(shape.trades, "price")]).toEqual([1, ["7"]]);
        expect(await column("pnlb_versions", "claim")).toEqual([moved.claim]);
        expect(await written([write("four", changed(tradeOf("1", "b.csv"), null))])).toEqual([
          acknowledged(4),
        ]);
        expect(await trades()).toBe(0);
      });

      it("a trade that somebody else has changed is neither corrected nor removed", async () => {
        await written([write("one", trade("1"))]);
        await place.sql(`UPDATE ${place.table(shape.trades)} SET price = 1`);
        for (const columns of [null, {}])
          expect(await written([write("two", changed(trade("1"), columns))])).toEqual([refused("CONFLICT")]);
        expect(await column(shape.trades, "price")).toEqual(["1"]);
      });

      it("a trade is kept in pnlb_unstorable if another trade has its place in legacy and the write allows it", async () => {
        const first = tradeOf("1", "a.csv");
        const [second, third] = ["2", "3"].map((id) => tradeOf(id, "a.csv", { legacyId: "1" })) as [
          RowWrite,
          RowWrite,
        ];
        const keeps = (key: string, ...rows: RowWrite[]) =>
          written([{ ...write(key, ...rows), keepsUnstorable: true }]);
        expect(await written([write("no", first, second)])).toEqual([refused("CONFLICT")]);
        expect(await keeps("one", first, second)).toEqual([acknowledged(1)]);
        expect(await written([write("two", third)])).toEqual([refused("CONFLICT")]);
        expect(await keeps("three", third)).toEqual([acknowledged(1)]);
        expect(await keeps("four", third)).toEqual([refused("ALREADY_STORED")]);
        const apart = () => column("pnlb_unstorable", "cause");
        const all = (count: number) => (place.side === "legacy" ? Array(count).fill("LEGACY_UNIQUE") : []);
        expect([await trades(), await apart()]).toEqual([place.side === "legacy" ? 1 : 3, all(2)]);
        expect(await keeps("five", changed(third, {}))).toEqual([acknowledged(2)]);
        expect(await written([write("six", changed(second, null))])).toEqual([acknowledged(2)]);
        expect([await trades(), await apart()]).toEqual([place.side === "legacy" ? 1 : 2, all(1)]);
        const entries = await store.call("pending", { limit: 100 });
        expect(entries.map(({ rows }) => rows.map(({ isUnstorable }) => isUnstorable))).toEqual([
          [false, true],
          [true],
          [true],
          [false],
        ]);
      });

      it("a row of legacy belongs to one row of the records, until that is deleted", async () => {
        await written([write("one", position("ZN", 12), trade("1"))]);
        expect(await written([write("two", position("ZN", 1, "UST"))])).toEqual([
          refused("BOOK_NOT_IN_LEGACY"),
        ]);
        expect(await written([write("three", trade("2", trade("1").claim))])).toEqual([refused("CONFLICT")]);
        await written([write("four", position("ZN", null))]);
        expect(await quantities()).toEqual([]);
        expect(await written([write("five", position("ZN", 1, "UST"))])).toEqual([acknowledged(1)]);
      });

      itFollows(
        "under another epoch or authority new writes are refused as DRAINING, and a stored write is acknowledged again",
        async () => {
          await written([write("one", trade("1"))]);
          const next = { epoch: 2, authority: otherSide(place.side), step: "" };
          expect(await written([write("two", trade("2"))], { epoch: 2 })).toEqual([refused("DRAINING")]);
          await store.call("moveFence", { from: await store.call("fence", null), to: next });
          for (const epoch of [1, 2])
            expect(await written([write("two", trade("2"))], { epoch })).toEqual([refused("DRAINING")]);
          expect(await written([write("one", trade("1"))])).toEqual([acknowledged(1)]);
          expect(await trades()).toBe(1);
        },
      );

      it("a refused write of a group does not affect the others and leaves nothing behind", async () => {
        await written([write("first", trade("8"))]);
        const writes = ["1", "2", "8", "3"].map((id) => write(id, position(`Z${id}`, 1), trade(id)));
        expect(await written(writes)).toEqual([
          acknowledged(1),
          acknowledged(1),
          refused("ALREADY_STORED"),
          acknowledged(1),
        ]);
        expect(await column("positions", shape.symbol)).toEqual(["Z1", "Z2", "Z3"]);
        expect([await trades(), (await pending()).length]).toEqual([4, 4]);
        expect(await column("pnlb_keys", "idempotency_key")).toEqual(["1", "2", "3", "first"]);
      });

      it("the same write by two handles at once has its effect once, and both are acknowledged", async () => {
        const other = await open();
        for (const id of ["1", "2", "3", "4", "5"]) {
          const same = write(id, trade(id), position(`Z${id}`, 1));
          const answers = await Promise.all([written([same]), written([same], { to: other })]);
          expect(answers.flat()).toEqual([acknowledged(1), acknowledged(1)]);
        }
        expect([await trades(), (await pending()).length]).toEqual([5, 5]);
      });

      it("two handles that write one row at once get every version once, in the outbox's order", async () => {
        const handles = [store, await open()];
        const answers = await Promise.all(
          Array.from({ length: 20 }, (_, at) =>
            written([write(`key ${at}`, position("ZN", at))], { to: handles[at % 2] }),
          ),
        );
        const dense = Array.from({ length: 20 }, (_, at) => at + 1);
        const versions = answers
          .flat()
          .map((answer) => (answer.kind === "acknowledged" ? answer.version : 0));
        expect(versions.toSorted((a, b) => a - b)).toEqual(dense);
        const entries = await store.call("pending", { limit: 100 });
        expect(entries.flatMap(({ rows }) => rows.map(({ version }) => version))).toEqual(dense);
      });
    });

    describe("values", () => {
      it("every text is kept byte for byte, or refused", async () => {
        const texts = [...Object.values(hostile), "a ", "a", "e\u0301", "\u00e9", "x".repeat(100_000)];
        const kept: string[] = [];
        for (const [at, text] of texts.entries()) {
          const [answer] = await written([write(`key ${at}`, position(text, at))]);
          if (answer?.kind === "acknowledged") kept.push(text);
          else expect(answer).toEqual(refused("CONFLICT"));
        }
        const isLost = (text: string): boolean => text.includes("\0") || !text.isWellFormed();
        expect(kept).toEqual(texts.filter((text) => !isLost(text)));
        // Stores compare keys by their bytes, so both sides of a pair list them in the same order.
        const byBytes = kept.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
        expect(await column("positions", shape.symbol)).toEqual(byBytes);
      });

      it("a number keeps every digit, and a value that is not a number is refused", async () => {
        const exact =
          place.side === "modern" ? ["1234567890".repeat(4), `0.${"0123456789".repeat(4)}1`] : [0.1];
        for (const [at, value] of [...exact, ...shape.refused].entries()) {
          const answers = await written([write(`key ${at}`, position("ZN", { [shape.quantity]: value }))]);
          if (at >= exact.length) expect(answers).toEqual([refused("CONFLICT")]);
          else expect(await quantities()).toEqual([String(value)]);
        }
        expect(await store.call("owed", { nowMs })).toMatchObject({ count: exact.length });
      });
    });

    describe("outbox", () => {
      const keys = ["one", "two", "three", "four"];
      let seqs: readonly number[];

      beforeEach(async () => {
        await written(keys.map((key, at) => write(key, trade(String(at)))));
        seqs = await pending();
      });

      it("the oldest entries are offered first until each is settled", async () => {
        expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
        expect((await store.call("pending", { limit: 2 })).map(({ seq }) => seq)).toEqual(seqs.slice(0, 2));
        await settle(seqs.slice(1, 2), isApplied);
        expect(await pending()).toEqual(seqs.toSpliced(1, 1));
        expect(await store.call("owed", { nowMs: nowMs + 50 })).toEqual({
          count: 3,
          parked: 0,
          oldestMs: 50,
        });
      });

      it("a parked entry stays owed and is not offered until it is unparked", async () => {
        await settle(seqs.slice(0, 1), () => ({
          kind: "parked",
          code: "FOREIGN_ROW",
          because: "it differs",
        }));
        expect(await pending()).toEqual(seqs.slice(1));
        expect(await store.call("owed", { nowMs })).toMatchObject({ count: 4, parked: 1 });
        expect(await store.call("parked", { limit: 10 })).toEqual([
          {
            seq: seqs[0],
            aggregates: [trade("0").aggregate],
            code: "FOREIGN_ROW",
            because: "it differs",
            atMs: nowMs,
          },
        ]);
        expect(await store.call("unpark", null)).toBe(1);
        expect([await pending(), await store.call("parked", { limit: 10 })]).toEqual([seqs, []]);
      });

      it("writes that a restored mirror has lost are offered again by their places, until their entries are deleted", async () => {
        const places = [3, 1, 4, 2];
        await settle(seqs, (seq) => ({ kind: "applied", place: places[seqs.indexOf(seq)] ?? 0 }));
        expect(await store.call("progress", null)).toEqual({ last: seqs[3], done: 4, forgotten: 0 });
        expect(await store.call("resend", { after: 2 })).toBe(2);
        expect(await pending()).toEqual([seqs[0], seqs[2]]);
        await settle([seqs[0] ?? 0, seqs[2] ?? 0], isApplied, nowMs + 1_000);
        // The entry with the highest number stays, whatever its age.
        expect(await store.call("forget", { beforeMs: nowMs + 1 })).toBe(1);
        expect(await store.call("progress", null)).toMatchObject({ last: seqs[3], forgotten: 1 });
        expect(await store.call("entriesAfter", { seq: seqs[2] ?? 0, limit: 9 })).toHaveLength(1);
        await expect(store.call("resend", { after: 0 })).rejects.toMatchObject({ code: "REFUSED" });
      });

      it("the entry with the highest number is not deleted, so no number is used twice", async () => {
        await settle(seqs, (seq) => ({ kind: "applied", place: seqs.indexOf(seq) + 1 }));
        expect(await store.call("forget", { beforeMs: nowMs + 1 })).toBe(3);
        await written([write("five", trade("5"))]);
        expect(await pending()).toEqual([Math.max(...seqs) + 1]);
      });
    });

    describe.runIf(follows)("apply", () => {
      it("an entry that comes twice has its effect once, and keeps its place", async () => {
        const entries = [mirrored(7, 1, position("ZN", 12)), mirrored(5, 2, position("ZN", 14))];
        const places = [1, 2].map((at) => ({ kind: "applied", place: at }));
        expect(await applied(entries)).toEqual(places);
        expect(await applied(entries)).toEqual(places);
        expect(await quantities()).toEqual([String(shape.size(14))]);
        expect(await applied([mirrored(6, 1, trade("1"))])).toEqual([{ kind: "applied", place: 5 }]);
        expect(await store.call("applied", { source: "the other store" })).toMatchObject({
          place: 5,
          seq: 7,
        });
        expect(await store.call("applied", { source: "a third store" })).toMatchObject({ place: 5, seq: 0 });
        await store.call("prune", { source: "the other store", below: 2 });
        expect(await column("pnlb_inbox", "seq")).toEqual(["5", "6"]);
      });

      it("a write that is sent again under its key after the authority has moved has no second effect", async () => {
        const first = write("one", position("ZN", 12));
        const entry = { ...mirrored(1, 3, position("ZN", 12)), ...first, rows: [] };
        await applied([1, 2].map((version) => mirrored(version, version, position("ZN", version))));
        await applied([{ ...entry, seq: 3, rows: mirrored(3, 3, position("ZN", 12)).rows }]);
        expect(await written([first])).toEqual([acknowledged(3)]);
        expect(await written([write("one", position("ZN", 13))])).toEqual([refused("KEY_REUSED")]);
        expect([await quantities(), await pending()]).toEqual([[String(shape.size(12))], []]);
      });

      it("a missing version parks the entry, and the others are applied", async () => {
        const entries = [mirrored(1, 2, position("ZN", 12)), mirrored(2, 1, position("ZB", 1))];
        expect(await applied(entries)).toEqual([parked("VERSION_GAP"), { kind: "applied", place: 2 }]);
        expect(await column("positions", shape.symbol)).toEqual(["ZB"]);
      });

      it("a row that somebody else has changed, deleted or inserted is not overwritten", async () => {
        const table = place.table("positions");
        await applied([1, 2, 3].map((seq) => mirrored(seq, 1, position(`Z${seq}`, 12))));
        await place.sql(`UPDATE ${table} SET ${shape.quantity} = '99' WHERE ${shape.symbol} = 'Z1'`);
        await place.sql(`DELETE FROM ${table} WHERE ${shape.symbol} = 'Z2'`);
        await place.sql(
          `DELETE FROM ${place.table("pnlb_versions")} WHERE claim = '${claimOf("positions", "Z3")}'`,
        );
        expect(
          await applied([
            mirrored(4, 2, position("Z1", 14)),
            mirrored(5, 2, position("Z2", 14)),
            mirrored(6, 1, position("Z3", 14)),
          ]),
        ).toEqual([parked("FOREIGN_ROW"), parked("FOREIGN_ROW"), parked("FOREIGN_ROW")]);
        expect(await quantities()).toEqual([String(shape.size(12)), String(shape.size(99))]);
      });

      it("corrects, moves and removes a trade and stores it again, unless somebody else has changed it", async () => {
        const row = tradeOf("1", "b.csv");
        const moved = changed(tradeOf("1", "a.csv"), {});
        const entries = [row, moved, changed(row, null), changed(row, null), row].map((one, at) =>
          mirrored(at + 1, at + 1, one),
        );
        const answers = await applied(entries);
        expect(answers.map(({ kind }) => kind)).toEqual(Array(5).fill("applied"));
        expect([await trades(), await column("pnlb_versions", "claim")]).toEqual([1, [row.claim]]);
        await place.sql(`UPDATE ${place.table(shape.trades)} SET price = 1`);
        expect(await applied([mirrored(6, 6, moved), mirrored(7, 6, changed(row, null))])).toEqual([
          parked("FOREIGN_ROW"),
          parked("FOREIGN_ROW"),
        ]);
        expect(await column(shape.trades, "price")).toEqual(["1"]);
      });

      it("a value that does not read back as it was written parks the entry", async () => {
        const row = position("ZN", { [shape.quantity]: shape.size(1), ...shape.altered });
        expect(await applied([mirrored(1, 1, row)])).toEqual([parked("CHANGED_VALUE")]);
        expect(await quantities()).toEqual([]);
      });

      it("an entry that a rule of the database forbids is parked whole", async () => {
        const bad = position("ZB", { [shape.quantity]: shape.refused[0] ?? null });
        const entry = {
          ...mirrored(1, 1, bad),
          rows: [trade("1"), bad].flatMap((row) => mirrored(1, 1, row).rows),
        };
        expect(await applied([entry, mirrored(2, 1, trade("2"))])).toEqual([
          parked("CONFLICT"),
          { kind: "applied", place: 2 },
        ]);
        expect(await column(shape.trades, "trade_id")).toEqual(["2"]);
      });

      it("a former holder of the lease is refused", async () => {
        await applied([mirrored(1, 1, trade("1"))], { token: 2 });
        await expect(applied([mirrored(2, 1, trade("2"))], { token: 1 })).rejects.toMatchObject({
          code: "CONFLICT",
        });
        expect(await trades()).toBe(1);
        expect(await store.call("applied", { source: "any" })).toMatchObject({ token: 2 });
      });
    });

    it("a lease has one holder, which keeps its token; the next holder gets a higher one, and a token below the mirror's is raised", async () => {
      const lease = (
        holder: string,
        atMs: number,
        more: { readonly deadHolder?: string; readonly mirrorToken?: number } = {},
      ) => store.call("lease", { name: "relay", holder, nowMs: atMs, lastsMs: 100, ...more });
      expect(await lease("A", 0)).toEqual({ kind: "held", token: 1 });
      expect(await lease("A", 50)).toEqual({ kind: "held", token: 1 });
      expect(await lease("B", 149)).toEqual({ kind: "taken", holder: "A", untilMs: 150 });
      expect(await lease("B", 149, { deadHolder: "A" })).toEqual({ kind: "held", token: 2 });
      await store.call("release", { name: "relay", holder: "A" });
      expect(await lease("A", 200)).toMatchObject({ kind: "taken", holder: "B" });
      await store.call("release", { name: "relay", holder: "B" });
      expect(await lease("A", 200)).toEqual({ kind: "held", token: 3 });
      expect(await lease("C", 300)).toEqual({ kind: "held", token: 4 });
      expect(await lease("C", 300, { mirrorToken: 4 })).toEqual({ kind: "held", token: 4 });
      expect(await lease("C", 300, { mirrorToken: 9 })).toEqual({ kind: "held", token: 10 });
      expect(await lease("D", 300, { mirrorToken: 99 })).toMatchObject({ kind: "taken", holder: "C" });
      expect(await lease("C", 300)).toEqual({ kind: "held", token: 10 });
    });

    it("if two handles ask at once for a lease that nobody has, one gets it", async () => {
      const handles = [store, await open()];
      for (const name of ["a", "b", "c", "d", "e"]) {
        const answers = await Promise.all(
          handles.map((handle, at) =>
            handle.call("lease", { name, holder: String(at), nowMs: 0, lastsMs: 100 }),
          ),
        );
        expect(answers.map(({ kind }) => kind).toSorted()).toEqual(["held", "taken"]);
      }
    });

    itFollows("adopts rows that no write has touched, and leaves every other row alone", async () => {
      const table = place.table("positions");
      await written([write("one", position("Z1", 1))]);
      await applied([mirrored(1, 1, position("Z2", 2)), mirrored(2, 1, position("Z3", 3))]);
      const mine = claimOf("positions", "Z1");
      await place.sql(`DELETE FROM ${place.table("pnlb_versions")} WHERE claim <> '${mine}'`);
      const rows = [1, 2, 3, 4].map((at) => ({
        ...position(`Z${at}`, at === 3 ? 33 : at),
        isReplaceable: false,
      }));
      const adopted = async () => (await store.call("adopt", { rows })).map(({ kind }) => kind);
      expect(await adopted()).toEqual(["written", "adopted", "differs", "adopted"]);
      expect(await adopted()).toEqual(["written", "known", "differs", "known"]);
      expect(await quantities()).toEqual([1, 2, 3, 4].map((at) => String(shape.size(at))));
      expect(await written([write("two", position("Z4", 5))])).toEqual([acknowledged(1)]);
      expect(await place.sql(`SELECT 1 AS one FROM ${table} WHERE ${shape.symbol} = 'Z3'`)).toHaveLength(1);
    });

    it("adopted rows and their chunk are recorded together, unless one of the rows may wait for a person", async () => {
      const state = {
        pass: "backfill",
        table: "positions",
        upper: 9,
        next: 1,
        done: 1,
        quarantined: 0,
      } as const;
      const chunk = { pass: { ...state, imported: 4 }, quarantined: [], imported: [], nowMs: 1 };
      const adopt = async (...positions: RowWrite[]) => {
        const rows = positions.map((row) => ({ ...row, isReplaceable: false }));
        const answers = await store.call("adopt", { rows, chunk });
        return answers.map(({ kind }) => kind);
      };
      const states: [RowWrite[], string[], number][] = [
        [[position("Z1", 1)], ["adopted"], 5],
        [[position("Z1", 1)], ["known"], 4],
        [[position("Z1", 2), position("Z2", 1)], ["differs", "adopted"], 4],
      ];
      for (const [rows, kinds, imported] of states) {
        expect(await adopt(...rows)).toEqual(kinds);
        expect(await store.call("passes", null)).toEqual([{ ...state, imported }]);
      }
    });

    it("a row that waits for a person is kept until it is settled, and the state of a pass until it is replaced", async () => {
      const [a, b] = [claimOf("positions", "a"), claimOf("positions", "b")];
      const row = (key: string, legacy: string | null) => ({
        kind: "review" as const,
        table: "positions",
        key,
        code: "DIFFERS",
        because: "the stores have different rows",
        legacy,
        modern: null,
      });
      const pass = (next: number) => ({
        pass: "backfill" as const,
        table: "positions",
        upper: 9,
        next,
        done: next,
        imported: 1,
        quarantined: 2,
      });
      const chunk = (next: number, ...quarantined: readonly ReturnType<typeof row>[]) =>
        store.call("recordChunk", { pass: pass(next), quarantined, imported: [], nowMs });
      const waiting = async () => {
        const found = await store.call("quarantine", { after: null, limit: 10 });
        return found.map(({ key, legacy }) => [key, legacy]);
      };
      await chunk(4, row(a, "1"), row(b, null));
      await chunk(6);
      expect(await store.call("passes", null)).toEqual([pass(6)]);
      expect(await store.call("quarantineCounts", null)).toMatchObject({ rows: 0, reviews: 2 });
      const settled = { table: "positions", key: a, as: "kept", nowMs };
      expect(await store.call("settleQuarantine", settled)).toBe(true);
      expect(await store.call("settleQuarantine", settled)).toBe(false);
      await chunk(7, row(a, "1"), row(b, null));
      expect(await waiting()).toEqual([[b, null]]);
      await chunk(8, row(a, "2"));
      expect(await waiting()).toEqual([
        [a, "2"],
        [b, null],
      ]);
      const after = { table: "positions", key: a };
      expect(await store.call("quarantine", { after, limit: 10 })).toMatchObject([{ key: b, atMs: nowMs }]);
      await store.call("recordChunk", { pass: null, quarantined: [], imported: [b], nowMs });
      expect(await waiting()).toEqual([[a, "2"]]);
    });

    itFollows(
      "an entry whose number another write had before is refused, because the store that sends it is an older copy of itself",
      async () => {
        await applied([mirrored(1, 1, position("Z1", 1)), mirrored(2, 1, position("Z2", 2))]);
        const reused = [mirrored(3, 1, trade("3")), mirrored(2, 1, trade("2"))];
        await expect(applied(reused)).rejects.toMatchObject({ code: "REFUSED" });
        expect(await trades()).toBe(0);
      },
    );

    it("a rehearsed write leaves nothing behind, and returns the reason why it would be refused", async () => {
      await written([write("one", position("ZN", 1))]);
      const rehearse = (row: RowWrite) => store.call("rehearse", { row });
      expect(await rehearse(position("ZN", 2))).toBeNull();
      expect(await rehearse(trade("1"))).toBeNull();
      expect(await rehearse(position("ZN", { [shape.quantity]: shape.refused[0] ?? null }))).toMatch(
        /forbids/,
      );
      expect(await rehearse(position("ZN", { [shape.quantity]: shape.size(1), ...shape.altered }))).toMatch(
        /does not read back/,
      );
      expect([await quantities(), await trades()]).toEqual([[String(shape.size(1))], 0]);
    });

    it("reports the state of each row, and the entries after a number", async () => {
      await written([write("one", position("Z1", 1)), write("two", position("Z2", 2))]);
      await place.sql(`UPDATE ${place.table("positions")} SET ${shape.quantity} = '9'
        WHERE ${shape.symbol} = 'Z2'`);
      const rows = ["Z1", "Z2", "Z3"].map((symbol) => position(symbol, 0));
      expect(await store.call("standings", { rows })).toEqual([
        { version: 1, isAsWritten: true },
        { version: 1, isAsWritten: false },
        { version: 0, isAsWritten: true },
      ]);
      const names = rows.map(({ aggregate }) => aggregate);
      const range = { after: names[0] ?? "", upTo: names[2] ?? "", limit: 10 };
      expect(await store.call("versionsAfter", range)).toEqual([{ aggregate: names[1], version: 1 }]);
      const [first, second] = await pending();
      const entries = await store.call("entriesAfter", { seq: first ?? 0, limit: 10 });
      expect(entries.map(({ seq }) => seq)).toEqual([second]);
    });

    itFollows("the fence moves only from the state that the caller saw", async () => {
      const from = await store.call("fence", null);
      const to = { epoch: 2, authority: otherSide(place.side), step: "flip" };
      expect(await store.call("moveFence", { from, to })).toBe(true);
      expect(await store.call("moveFence", { from, to: { ...to, epoch: 3 } })).toBe(false);
      expect(await store.call("fence", null)).toEqual({ ...to, incarnation: from.incarnation });
    });

    describe("leaving the bridge", () => {
      const names = async (): Promise<readonly string[]> =>
        (await store.call("ownObjects", null)).map(({ name }) => name);
      const has = (name: string) =>
        place.sql(`SELECT * FROM ${place.table(name)}`).then(
          () => true,
          () => false,
        );
      const leave = (
        keys = place.side === "modern" ? { trades: ["trade_key"], positions: ["book", "symbol"] } : {},
      ) => store.call("removeBridge", { keys });

      it("removes every table of the bridge, and no other row or table", async () => {
        await written([write("one", trade("1"), position("ZN", 1))]);
        await place.sql(`CREATE TABLE ${place.table("pnlb_mine")} (value integer)`);
        const own = await store.call("ownObjects", null);
        expect(own).toContainEqual({ kind: "table", name: "pnlb_keys", rows: 1 });
        expect(own).toContainEqual({ kind: "index", name: "pnlb_outbox_pending", rows: null });
        const tables = own.filter(({ kind }) => kind === "table").map(({ name }) => name);
        expect(await Promise.all(tables.map(has))).toEqual(tables.map(() => true));
        expect(await leave()).toEqual(place.side === "modern" ? { trades: 1, positions: 1 } : {});
        expect(await Promise.all(tables.map(has))).toEqual(tables.map(() => false));
        expect(await Promise.all([has("pnlb_mine"), trades(), quantities()])).toEqual([
          true,
          1,
          [String(shape.size(1))],
        ]);
      });

      it("removes nothing if a table cannot be written without the bridge", async () => {
        if (place.side === "legacy") return;
        await written([write("one", trade("1"), position("ZN", 1))]);
        const before = await names();
        await expect(leave({ trades: ["trade_key"], positions: ["nobody"] })).rejects.toThrow();
        expect(await names()).toEqual(before);
        expect([await trades(), await quantities()]).toEqual([1, ["1"]]);
      });

      it("reports the time of the last acknowledged write, and the time when the other store last received one", async () => {
        expect(await store.call("lastMove", null)).toEqual({ acknowledgedMs: 0, settledMs: 0 });
        await written([write("one", position("Z1", 1)), write("two", position("Z2", 1))]);
        const [first = 0] = await pending();
        await settle([first], isApplied, nowMs + 5);
        expect(await store.call("lastMove", null)).toEqual({ acknowledgedMs: nowMs, settledMs: nowMs + 5 });
      });
    });
  });
}
