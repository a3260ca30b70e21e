/**
 * The contract of `EvidenceStore`, as a test suite that every adapter runs:
 *
 *     evidenceStoreContract("sqlite", async () => {
 *       const path = join(folder, "evidence.db");
 *       return { open: (options) => openSqliteEvidenceStore(path, options), … };
 *     });
 *
 * `make` is called for each test and returns a new, empty place for evidence; every `open` opens another
 * handle on it. The suite closes the handles; the caller removes the place.
 */

import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { isLongRun } from "../../test/campaigns.ts";
import type { Verdict } from "../domain/migration/verdict.ts";
import {
  type ComparisonRecord,
  type EvidenceQuery,
  type EvidenceStore,
  type NewComparison,
  requestTextMax,
  type StoredComparison,
} from "../ports/evidence.ts";
import type { EvidenceDelta, LaneDay, Tally } from "../ports/tallies.ts";
import { hostile, visible } from "./hostile-text.ts";
import { instrumentDays, judgedUnder, recordInProcesses } from "./merged-evidence.ts";
import { StoreProcess } from "./store-process.ts";

interface EvidenceLimits {
  readonly rowsMax?: number;
  readonly requestsPerDay?: number;
}

export interface EvidencePlace {
  readonly open: (options?: EvidenceLimits) => Promise<EvidenceStore>;
  /**
   * The source of a JavaScript expression for another process. Its value is a promise of a store that is open
   * on the same evidence.
   */
  readonly elsewhere?: string;
}

export interface EvidenceContractOptions {
  /**
   * The reason for a missing `elsewhere`, shown with the tests that are skipped because they need another
   * process or thread.
   */
  readonly oneProcess?: string;
}

export const comparison = (given: Partial<ComparisonRecord> = {}): ComparisonRecord => ({
  at: "2026-11-22T14:30:00.000Z",
  method: "calculatePnl",
  epoch: 3,
  answered: "legacy",
  kind: "ab",
  verdict: "equal",
  unit: "book-7",
  fingerprint: "00c0ffee00c0ffee",
  legacyMs: 1.25,
  modernMs: 0.875,
  legacyError: null,
  modernError: null,
  fields: [],
  more: 0,
  excluded: 0,
  request: null,
  ...given,
});

/** Creates `count` comparisons with the fingerprints 0, 1, 2, … */
export const comparisons = (
  count: number,
  given: Partial<ComparisonRecord> = {},
): readonly ComparisonRecord[] =>
  Array.from({ length: count }, (_, index) => comparison({ fingerprint: String(index), ...given }));

const verdicts: readonly Verdict[] = ["equal", "within_tolerance", "diverged", "error", "not_comparable"];

export function evidenceStoreContract(
  name: string,
  make: () => Promise<EvidencePlace>,
  { oneProcess }: EvidenceContractOptions = {},
): void {
  const reason = oneProcess === undefined ? "" : ` (skipped: ${oneProcess})`;
  describe(`EvidenceStore: ${name}`, () => {
    let place: EvidencePlace;
    let opened: EvidenceStore[];
    let processes: StoreProcess[];

    beforeEach(async () => {
      opened = [];
      processes = [];
      place = await make();
    });
    afterEach(async () => {
      await Promise.all(processes.map((process) => process.kill()));
      await Promise.all(opened.map((store) => store.close()));
    });

    const open = async (options?: EvidenceLimits): Promise<EvidenceStore> => {
      const store = await place.open(options);
      opened.push(store);
      return store;
    };
    const all = (store: EvidenceStore): Promise<readonly StoredComparison[]> =>
      store.find({ limit: 1_000_000 });
    const fingerprints = async (store: EvidenceStore): Promise<readonly string[]> =>
      (await all(store)).map(({ fingerprint }) => fingerprint);

    describe("the evidence of the gates", () => {
      const laneDay = (given: Partial<LaneDay> = {}): LaneDay => ({
        source: "live",
        day: "2026-11-20",
        book: "EGB",
        symbol: "ZNZ2026",
        method: "openPositions",
        group: "future",
        at: "2026-11-20T15:00:00.000Z",
        apart: null,
        accepted: null,
        money: 0,
        quantityApart: false,
        signed: 0.1 + 0.2,
        weight: 112_500,
        ...given,
      });
      const tally = (given: Partial<Tally> = {}): Tally => ({
        ...{ source: "live", signal: "errors", stratum: "totals", n: 1, k: 0, amount: 2.5, largest: 2 },
        ...given,
      });
      const delta = (given: Partial<EvidenceDelta> = {}): EvidenceDelta => ({
        ...{ key: "a/b/c", process: "one", at: "2026-11-20T15:00:00.100Z", day: "2026-11-20", ended: false },
        ...{ laneDays: [], tallies: [], ...given },
      });

      it("is returned as it was written, and separately for each key", async () => {
        const text = Object.values(hostile).join("");
        const [store, other] = [await open(), await open()];
        const apart = laneDay({
          book: text,
          apart: "positions[].realized",
          money: null,
          accepted: "12 15",
        });
        const broken = laneDay({ symbol: "ZBZ2026", money: 1_250.5, quantityApart: true, signed: -3 });
        await store.append([], delta({ laneDays: [apart, broken], tallies: [tally({ stratum: text })] }));
        await store.append([], delta({ key: "other", process: "two", ended: true }));
        const { laneDays, tallies, processes, others } = await other.evidence("a/b/c");
        const bySymbol = laneDays
          .map((one) => ({ ...one, book: visible(one.book) }))
          .toSorted((one, two) => (one.symbol < two.symbol ? -1 : 1));
        expect(bySymbol).toEqual([broken, { ...apart, book: visible(text) }]);
        expect(tallies.map((one) => ({ ...one, stratum: visible(one.stratum) }))).toEqual([
          tally({ stratum: visible(text) }),
        ]);
        const at = "2026-11-20T15:00:00.100Z";
        expect(processes).toEqual([{ process: "one", at, day: "2026-11-20", ended: false }]);
        expect(others).toEqual([{ key: "other", at }]);
        expect(await store.evidence("none")).toMatchObject({ laneDays: [], tallies: [], processes: [] });
      });

      it("adds counts up over processes, and keeps the last comparison of each lane, day and method", async () => {
        const stores = [await open(), await open()];
        const at = (second: number): string => `2026-11-20T15:00:0${second}.000Z`;
        await Promise.all(
          [2, 4, 3, 1].map((second, index) =>
            stores[index % 2]?.append(
              [comparison()],
              delta({
                process: `process ${index}`,
                at: at(second),
                laneDays: ["openPositions", "dailyPnl"].map((method) =>
                  laneDay({ method, at: at(second), weight: second }),
                ),
                tallies: [tally({ n: second, k: 1, largest: second })],
              }),
            ),
          ),
        );
        const { laneDays, tallies, processes } = await (await open()).evidence("a/b/c");
        const last = laneDay({ at: at(4), weight: 4 });
        expect(laneDays).toHaveLength(2);
        expect(laneDays).toEqual(expect.arrayContaining([last, { ...last, method: "dailyPnl" }]));
        expect(tallies).toEqual([tally({ n: 10, k: 4, amount: 10, largest: 4 })]);
        expect(processes).toHaveLength(4);
      });

      it("outlives the comparisons that are pruned", async () => {
        const store = await open({ rowsMax: 1 });
        await store.append(comparisons(3), delta({ laneDays: [laneDay()], tallies: [tally()] }));
        expect(await all(store)).toHaveLength(1);
        expect(await store.evidence("a/b/c")).toMatchObject({ laneDays: [laneDay()], tallies: [tally()] });
      });

      it("gives each change of the key a new attempt number, and counts how often the gates were judged under each key", async () => {
        const [store, other] = [await open(), await open()];
        expect(await store.attempt("a", false)).toEqual({ attempt: 1, looks: 0 });
        expect(await other.attempt("a", true)).toEqual({ attempt: 1, looks: 1 });
        expect(await store.attempt("b", true)).toEqual({ attempt: 2, looks: 1 });
        expect(await other.attempt("b", false)).toEqual({ attempt: 2, looks: 1 });
        expect(await store.attempt("a", true)).toEqual({ attempt: 3, looks: 2 });
      });

      // The test starts five processes, so it runs only in the campaign.
      it.runIf(oneProcess === undefined && isLongRun("stores"))(
        `of four processes gives the same verdicts as that of one process; if one is killed, no verdict is better${reason}`,
        async () => {
          await recordInProcesses(place.elsewhere ?? "");
          const store = await open();
          const [one, four, killed] = [
            await judgedUnder(store, "one"),
            await judgedUnder(store, "four"),
            await judgedUnder(store, "killed"),
          ];
          const events = one.trials.trials.filter(({ event }) => event);
          // The day after an event begins apart, and is no trial.
          expect([one.trials.trials.length, events.length, one.trials.voided.length]).toEqual([
            instrumentDays - 1,
            2,
            0,
          ]);
          expect(four.gates).toEqual(one.gates);
          // The kill voids the lanes of its last day that agree; those that are apart remain events.
          expect(killed.trials.voided.length).toBeGreaterThan(0);
          expect(killed.trials.trials.filter(({ event }) => event)).toHaveLength(2);
          const rank = { open: 2, inconclusive: 1, closed: 0 };
          for (const [at, { before, name, state }] of killed.gates.entries())
            expect(rank[state], `${name} before ${before}`).toBeLessThanOrEqual(
              rank[four.gates[at]?.state ?? "closed"],
            );
          expect(killed.gates).not.toEqual(four.gates);
        },
      );
    });

    describe("append", () => {
      it("stores every value exactly", async () => {
        const store = await open();
        const given = [
          comparison(),
          comparison({
            answered: "modern",
            kind: "aa",
            verdict: "within_tolerance",
            unit: null,
            legacyMs: null,
            modernMs: null,
          }),
          comparison({ epoch: Number.MAX_SAFE_INTEGER, legacyMs: 0, modernMs: 0.1 + 0.2, unit: "" }),
          comparison({
            verdict: "error",
            legacyError: "TIMEOUT: no answer within 2000 ms",
            modernError: "",
            legacyMs: 5e-324,
          }),
          comparison({
            verdict: "diverged",
            more: 12,
            excluded: 3,
            fields: [
              {
                path: "positions[].realized",
                entry: "EGB BUND",
                verdict: "diverged",
                legacy: "1.10",
                modern: "1.1000001",
                difference: "0.0000001",
              },
              {
                path: "",
                entry: null,
                verdict: "not_comparable",
                legacy: null,
                modern: '{"a":[1,null]}',
                difference: null,
              },
            ],
          }),
        ];
        await store.append(given);
        expect(withoutIds(await all(store))).toEqual(given.toReversed());
      });

      it("stores any text, any number and any list of fields", async () => {
        const store = await open();
        await fc.assert(
          fc.asyncProperty(fc.array(anyRecord, { minLength: 1, maxLength: 20 }), async (given) => {
            await store.append(given);
            expect(withoutIds(await store.find({ limit: given.length }))).toEqual(given.toReversed());
          }),
          { numRuns: 20 },
        );
      });

      it("stores hostile text in every column", async () => {
        const store = await open();
        for (const [what, text] of Object.entries(hostile)) {
          await store.append([
            comparison({
              at: text,
              method: text,
              unit: text,
              fingerprint: text,
              legacyError: text,
              modernError: text,
              fields: [
                { path: text, entry: text, verdict: "error", legacy: text, modern: text, difference: text },
              ],
            }),
            comparison(),
          ]);
          const [stored, ...others] = await store.find({ method: text, limit: 10 });
          expect(others, what).toEqual([]);
          const [field] = stored?.fields ?? [];
          const kept = [
            stored?.at,
            stored?.method,
            stored?.unit,
            stored?.fingerprint,
            stored?.legacyError,
            stored?.modernError,
          ];
          for (const one of [...kept, field?.path, field?.legacy, field?.modern, field?.difference])
            expect([text, visible(text)], what).toContain(one);
          expect((await store.counts()).map(({ method }) => method)).toContain(stored?.method);
        }
      });

      it("stores a whole batch or nothing", async () => {
        const store = await open();
        const bad = [
          ...comparisons(700),
          comparison({ method: null as unknown as string }),
          ...comparisons(50),
        ];
        await expect(store.append(bad)).rejects.toThrow();
        expect([await all(store), await store.counts()]).toEqual([[], []]);
        await store.append(comparisons(2));
        expect(await fingerprints(store)).toEqual(["1", "0"]);
      });

      it("fails for a record that cannot be read, and works afterwards", async () => {
        const store = await open();
        const unreadable = {
          ...comparison(),
          get unit(): string {
            throw new TypeError("no unit");
          },
        };
        await expect(store.append([...comparisons(700), unreadable])).rejects.toThrow(TypeError);
        await store.append(comparisons(1));
        expect(await fingerprints(store)).toEqual(["0"]);
      });

      it("accepts an empty batch", async () => {
        const store = await open();
        await store.append([]);
        expect([await all(store), await store.counts()]).toEqual([[], []]);
      });

      it("accepts a large batch", async () => {
        const store = await open();
        await store.append(comparisons(3_000));
        expect(await fingerprints(store)).toEqual(
          comparisons(3_000).map((_, index) => String(2_999 - index)),
        );
        expect(await store.counts()).toMatchObject([{ count: 3_000 }]);
      });

      it.skipIf(oneProcess !== undefined)(`does not block the event loop${reason}`, async () => {
        const store = await open();
        let turns = 0;
        let done = false;
        const others = (async () => {
          for (; !done; turns++) await turn();
        })();
        await store.append(comparisons(10_000));
        done = true;
        await others;
        expect(turns).toBeGreaterThan(20);
      });

      it("writes in the order of the calls, even if the calls do not wait for each other", async () => {
        const store = await open();
        await Promise.all(
          Array.from({ length: 20 }, (_, index) => store.append([comparison({ unit: String(index) })])),
        );
        expect((await all(store)).map(({ unit }) => unit)).toEqual(
          Array.from({ length: 20 }, (_, index) => String(19 - index)),
        );
      });

      it("neither loses nor mixes batches that two handles append at the same time", async () => {
        const handles = await Promise.all([open(), open()]);
        await Promise.all(
          handles.map(async (store, writer) => {
            for (let batch = 0; batch < 8; batch++)
              await store.append(comparisons(25, { unit: `${writer}/${batch}` }));
          }),
        );
        expectBatches(await all(await open()), 16, 25);
        expect(await handles[0]?.counts()).toMatchObject([{ count: 400 }]);
      });
    });

    describe("find", () => {
      const given = ["calculatePnl", "totals"].flatMap((method) =>
        verdicts.flatMap((verdict) => comparisons(3, { method, verdict, unit: `${method}/${verdict}` })),
      );

      const queries: readonly { readonly query: EvidenceQuery; readonly finds: number }[] = [
        { query: { limit: 100 }, finds: 30 },
        { query: { method: "totals", limit: 100 }, finds: 15 },
        { query: { verdict: "diverged", limit: 100 }, finds: 6 },
        { query: { method: "calculatePnl", verdict: "diverged", limit: 100 }, finds: 3 },
        { query: { method: "unknown", limit: 100 }, finds: 0 },
        { query: { method: "TOTALS", limit: 100 }, finds: 0 },
        { query: { method: "", limit: 100 }, finds: 0 },
        { query: { method: "%", limit: 100 }, finds: 0 },
        { query: { method: "' OR 1=1 --", limit: 100 }, finds: 0 },
        { query: { method: "totals", limit: 4 }, finds: 4 },
        { query: { unit: "totals/diverged", limit: 100 }, finds: 3 },
        { query: { unit: "totals/diverged", verdict: "equal", limit: 100 }, finds: 0 },
        { query: { before: "no id", limit: 100 }, finds: 0 },
        { query: { limit: 1 }, finds: 1 },
        { query: { limit: 0 }, finds: 0 },
      ];
      it("returns the matching comparisons, newest first", async () => {
        const store = await open();
        await store.append(given);
        for (const { query, finds } of queries) {
          const expected = given
            .filter(({ method }) => query.method === undefined || query.method === method)
            .filter(({ verdict }) => query.verdict === undefined || query.verdict === verdict)
            .filter(({ unit }) => query.unit === undefined || query.unit === unit)
            .filter(() => query.before === undefined)
            .toReversed()
            .slice(0, query.limit);
          const found = await store.find(query);
          expect(found, JSON.stringify(query)).toHaveLength(finds);
          expect(withoutIds(found)).toEqual(expected);
        }
      });

      it("returns every comparison once, page after page", async () => {
        const store = await open();
        await store.append(comparisons(70));
        const pages = [await store.find({ limit: 30 })];
        for (let last = pages[0]?.at(-1); last !== undefined; last = pages.at(-1)?.at(-1))
          pages.push(await store.find({ limit: 30, before: last.id }));
        expect(pages.map(({ length }) => length)).toEqual([30, 30, 10, 0]);
        expect(pages.flat()).toEqual(await all(store));
      });

      it("returns exactly the requested number of comparisons", async () => {
        const store = await open();
        await store.append(comparisons(1_300));
        for (const limit of [249, 250, 251, 500, 1_299, 1_300, 1_301])
          expect(
            (await store.find({ method: "calculatePnl", limit })).map(({ fingerprint }) => fingerprint),
          ).toEqual(
            comparisons(1_300)
              .map((_, index) => String(1_299 - index))
              .slice(0, limit),
          );
      });
    });

    describe("get", () => {
      it("returns the same comparison as find, by a unique and stable id", async () => {
        const store = await open();
        await store.append(comparisons(30, { verdict: "diverged" }));
        const found = await all(store);
        expect(new Set(found.map(({ id }) => id)).size).toBe(30);
        await store.close();
        const again = await open();
        await again.append(comparisons(5));
        for (const stored of found) expect(await again.get(stored.id)).toEqual(stored);
      });

      it("finds nothing for an unknown id", async () => {
        const store = await open();
        await store.append(comparisons(2));
        const strange = [
          "",
          "0",
          "-1",
          "+1",
          "1.0",
          "01",
          "1e0",
          " 1",
          "1 ",
          "0x1",
          "١",
          "x",
          "\0",
          "1; SELECT 1",
          "9".repeat(30),
        ];
        for (const id of [...strange, "3", String(2 ** 63)]) expect(await store.get(id), id).toBeUndefined();
      });
    });

    describe("request", () => {
      const diverged = (requestText: string, given: Partial<ComparisonRecord> = {}): NewComparison => ({
        ...comparison({ verdict: "diverged", request: "kept", ...given }),
        requestText,
      });

      it("returns the text of each kept request, of every handle and after a restart", async () => {
        const store = await open();
        const texts = ["{}", JSON.stringify({ request: hostile }), `"${"é😀".repeat(requestTextMax / 4)}"`];
        await store.append([comparison(), ...texts.map((text) => diverged(text)), comparison()]);
        await store.close();
        const again = await open();
        const found = (await all(again)).toReversed();
        expect(found.map(({ request }) => request)).toEqual([null, "kept", "kept", "kept", null]);
        expect(await Promise.all(found.map(({ id }) => again.request(id)))).toEqual([
          undefined,
          ...texts,
          undefined,
        ]);
        for (const id of ["", "0", "x", "999"]) expect(await again.request(id), id).toBeUndefined();
      });

      it("keeps the given number of requests for each day, over all handles and batches, and marks the comparisons whose request was not kept", async () => {
        const handles = [await open({ requestsPerDay: 3 }), await open({ requestsPerDay: 3 })] as const;
        const [one, other] = handles;
        await one.append([diverged("1"), diverged("2")]);
        await other.append([diverged("3"), diverged("4"), diverged("5", { at: "2026-11-23T00:00:00.000Z" })]);
        await one.append([diverged("6")]);
        const found = (await all(one)).toReversed();
        expect(found.map(({ request }) => request)).toEqual([
          "kept",
          "kept",
          "kept",
          "daily_limit",
          "kept",
          "daily_limit",
        ]);
        expect(await Promise.all(found.map(({ id }) => other.request(id)))).toEqual([
          "1",
          "2",
          "3",
          undefined,
          "5",
          undefined,
        ]);
      });

      it("removes requests with their comparisons", async () => {
        const store = await open({ rowsMax: 2, requestsPerDay: 3 });
        await store.append([diverged("1"), diverged("2"), diverged("3")]);
        const [newest, older] = await all(store);
        await store.append([diverged("4")]);
        expect(await store.request(older?.id ?? "")).toBeUndefined();
        expect(await store.request(newest?.id ?? "")).toBe("3");
        const none = await open({ rowsMax: 0 });
        await none.append([diverged("5")]);
        expect(await none.request(newest?.id ?? "")).toBeUndefined();
      });
    });

    describe("counts", () => {
      it("are kept by method, kind and verdict, over all handles and restarts", async () => {
        const [one, other] = [await open(), await open()];
        await one.append([
          ...comparisons(3),
          ...comparisons(2, { verdict: "diverged" }),
          ...comparisons(1, { kind: "aa" }),
        ]);
        await other.append([...comparisons(4), ...comparisons(1, { method: "totals", answered: "modern" })]);
        await Promise.all([one.close(), other.close()]);
        expect(inOrder(await (await open()).counts())).toEqual([
          { method: "calculatePnl", kind: "aa", verdict: "equal", count: 1 },
          { method: "calculatePnl", kind: "ab", verdict: "diverged", count: 2 },
          { method: "calculatePnl", kind: "ab", verdict: "equal", count: 7 },
          { method: "totals", kind: "ab", verdict: "equal", count: 1 },
        ]);
      });
    });

    describe("retention", () => {
      it("keeps the newest rowsMax comparisons, and counts the removed ones too", async () => {
        const store = await open({ rowsMax: 50 });
        for (let batch = 0; batch < 5; batch++) {
          await store.append(
            comparisons(20, { unit: String(batch), verdict: batch === 0 ? "diverged" : "equal" }),
          );
          expect((await all(store)).length).toBe(Math.min(50, (batch + 1) * 20));
        }
        expect((await all(store)).map(({ unit, fingerprint }) => `${unit}/${fingerprint}`)).toEqual(
          Array.from({ length: 50 }, (_, index) => 99 - index).map(
            (place) => `${Math.floor(place / 20)}/${place % 20}`,
          ),
        );
        expect(inOrder(await store.counts())).toMatchObject([
          { verdict: "diverged", count: 20 },
          { verdict: "equal", count: 80 },
        ]);
      });

      it("accepts a batch that is larger than rowsMax, and never reuses an id", async () => {
        const store = await open({ rowsMax: 10 });
        await store.append(comparisons(100));
        const before = await all(store);
        expect(before.map(({ fingerprint }) => fingerprint)).toEqual(
          comparisons(10).map((_, index) => String(99 - index)),
        );
        await store.append(comparisons(100));
        expect((await all(store)).filter(({ id }) => before.some((stored) => stored.id === id))).toEqual([]);
        for (const { id } of before) expect(await store.get(id)).toBeUndefined();
      });

      it("with a rowsMax of 0, keeps only the counts, and keeps comparisons again under a larger rowsMax", async () => {
        const none = await open({ rowsMax: 0 });
        await none.append(comparisons(3));
        expect(await all(none)).toEqual([]);
        const some = await open({ rowsMax: 2 });
        await some.append(comparisons(2));
        expect(await fingerprints(some)).toEqual(["1", "0"]);
        expect(await some.counts()).toMatchObject([{ count: 5 }]);
      });

      it("removes comparisons beyond a lowered rowsMax", async () => {
        await (await open()).append(comparisons(2_000));
        const store = await open({ rowsMax: 100 });
        for (let batch = 0; batch < 3; batch++) await store.append(comparisons(1, { unit: "last" }));
        const left = await all(store);
        expect(left).toHaveLength(100);
        expect(left[0]?.unit).toBe("last");
        expect(await store.counts()).toMatchObject([{ count: 2_003 }]);
      });
    });

    describe("open and close", () => {
      it("keep all data", async () => {
        const store = await open();
        await store.append(comparisons(3));
        const before = [await all(store), await store.counts()];
        await store.close();
        const again = await open();
        expect([await all(again), await again.counts()]).toEqual(before);
      });

      it("work for many handles at once, on an empty place", async () => {
        const handles = await Promise.all(Array.from({ length: 3 }, () => open()));
        await Promise.all(handles.map((store) => store.append(comparisons(1))));
        expect(await all(await open())).toHaveLength(3);
      });

      it("finish earlier calls, refuse later ones, and permit a second close", async () => {
        const store = await open();
        const append = store.append(comparisons(600));
        const closed = store.close();
        await Promise.all([append, closed, store.close()]);
        await expect(store.append(comparisons(1))).rejects.toThrow("closed");
        await expect(store.find({ limit: 1 })).rejects.toThrow("closed");
        await expect(store.get("1")).rejects.toThrow("closed");
        await expect(store.counts()).rejects.toThrow("closed");
        expect(await all(await open())).toHaveLength(600);
      });
    });

    describe.skipIf(oneProcess !== undefined)(`several processes${reason}`, () => {
      /** Starts a process that appends the given number of batches of 40, or appends until it is killed. */
      const appender = (writer: string, batches = Number.POSITIVE_INFINITY): StoreProcess => {
        const process = new StoreProcess(program(place.elsewhere ?? "", writer, batches));
        processes.push(process);
        return process;
      };

      it("leave every acknowledged batch, and no partial one, after kill -9", async () => {
        const acknowledged: string[] = [];
        const rounds = isLongRun("stores") ? 4 : 2;
        for (let round = 0; round < rounds; round++) {
          const process = appender(`round ${round}`);
          await process.says(5 + round);
          await sleep(3 * round);
          acknowledged.push(...(await process.kill()));
        }
        const store = await open();
        const found = expectBatches(await all(store), undefined, 40);
        expect(found).toEqual(expect.arrayContaining(acknowledged));
        // Each round may add the one batch that was in progress.
        expect(found.length - acknowledged.length).toBeLessThanOrEqual(rounds);
        expect(await store.counts()).toMatchObject([{ count: found.length * 40 }]);
        await store.append(comparisons(1));
      });

      it.runIf(isLongRun("stores"))("can append at the same time without pauses", async () => {
        const others = [appender("one", 20), appender("other", 20)];
        await Promise.all(others.map((other) => other.says(1)));
        const store = await open();
        for (let batch = 0; batch < 10; batch++)
          await store.append(comparisons(40, { unit: `here/${batch}` }));
        expect(await Promise.all(others.map((other) => other.ended()))).toEqual([0, 0]);
        expectBatches(await all(store), 50, 40);
        expect(await store.counts()).toMatchObject([{ count: 2_000 }]);
      });
    });
  });
}

const withoutIds = (stored: readonly StoredComparison[]): readonly ComparisonRecord[] =>
  stored.map(({ id, ...record }) => {
    expect(id).not.toBe("");
    return record;
  });

/**
 * Checks that each batch is complete, contiguous and in order. Returns the batches' units in the order of
 * storing.
 */
function expectBatches(
  stored: readonly StoredComparison[],
  count: number | undefined,
  size: number,
): readonly string[] {
  const inTime = stored.toReversed();
  expect(inTime.length % size).toBe(0);
  const units: string[] = [];
  for (let from = 0; from < inTime.length; from += size) {
    const batch = inTime.slice(from, from + size);
    units.push(batch[0]?.unit ?? "");
    expect(batch.map(({ unit, fingerprint }) => `${unit} ${fingerprint}`)).toEqual(
      batch.map((_, index) => `${units.at(-1)} ${index}`),
    );
  }
  expect(new Set(units).size).toBe(units.length);
  if (count !== undefined) expect(units).toHaveLength(count);
  return units;
}

type Counts = Awaited<ReturnType<EvidenceStore["counts"]>>;
const inOrder = (counts: Counts): Counts =>
  counts.toSorted((one, other) => (JSON.stringify(one) < JSON.stringify(other) ? -1 : 1));

const wellFormed = fc.string({ unit: "binary", maxLength: 40 }).map((text) => text.replaceAll("\0", "0"));
const orNull = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(arbitrary, { nil: null });
const durationMs = orNull(fc.double({ min: 0, max: 1e9, noNaN: true }));
const anyRecord: fc.Arbitrary<ComparisonRecord> = fc.record({
  at: wellFormed,
  method: wellFormed,
  epoch: fc.maxSafeNat(),
  answered: fc.constantFrom("legacy", "modern"),
  kind: fc.constantFrom("ab", "aa"),
  verdict: fc.constantFrom(...verdicts),
  unit: orNull(wellFormed),
  fingerprint: wellFormed,
  legacyMs: durationMs,
  modernMs: durationMs,
  legacyError: orNull(wellFormed),
  modernError: orNull(wellFormed),
  fields: fc.array(
    fc.record({
      path: wellFormed,
      entry: orNull(wellFormed),
      verdict: fc.constantFrom(...verdicts),
      legacy: orNull(wellFormed),
      modern: orNull(wellFormed),
      difference: orNull(wellFormed),
    }),
    { maxLength: 5 },
  ),
  more: fc.maxSafeNat(),
  excluded: fc.maxSafeNat(),
  request: fc.constantFrom(null, "too_large", "daily_limit", "not_json"),
});

/** A program that prints each acknowledged batch. */
const program = (opened: string, writer: string, batches: number): string => `
  const record = ${JSON.stringify(comparison())};
  const store = await ${opened};
  for (let batch = 0; batch < ${batches}; batch++) {
    const unit = ${JSON.stringify(writer)} + "/" + batch;
    await store.append(Array.from({ length: 40 }, (_, index) => ({ ...record, unit, fingerprint: String(index) })));
    say(unit);
  }
  await store.close();
`;
