import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openSqliteEvidenceStore } from "../../adapters/sqlite/index.ts";
import { type EvidenceStore, requestTextMax } from "../../ports/evidence.ts";
import { comparison } from "../../testing/evidence-store-contract.ts";
import { MemoryEvidence } from "../../testing/memory-evidence-store.ts";
import { TestClock } from "../../testing/test-clock.ts";
import type { ComparisonDraft } from "./call.ts";
import { EvidenceBuffer } from "./evidence-buffer.ts";

const draft = (unit: number | string, input: readonly unknown[] = [unit]): ComparisonDraft => {
  const { fingerprint: _, request: __, ...rest } = comparison({ unit: String(unit) });
  const around = { served: false, fellBack: undefined, user: "", book: "", values: 1 };
  return { ...rest, input, seen: { ...around, outcome: "compared", lanes: undefined } };
};
const units = async (store: EvidenceStore): Promise<readonly string[]> =>
  (await store.find({ limit: 100_000 })).map(({ unit }) => unit ?? "").toReversed();
const upTo = (count: number): readonly string[] => Array.from({ length: count }, (_, index) => String(index));

/** Runs a hook before each append, and passes the append on if the hook resolves. */
class Unsteady {
  readonly store: EvidenceStore;
  /** Resolves when the append may reach the store, rejects if the append fails. */
  before: (appends: number) => Promise<void> | void = () => {};
  appends = 0;

  constructor(store: EvidenceStore) {
    this.store = {
      ...store,
      find: (query) => store.find(query),
      append: async (records) => {
        this.appends += 1;
        await this.before(this.appends);
        await store.append(records);
      },
    };
  }
}

const patient = { timeout: 10_000 };

const refuse = (): never => {
  throw new Error("the store is down");
};

describe("over the SQLite store", () => {
  let folder: string;
  let path: string;
  let store: EvidenceStore;
  const clock = new TestClock();
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "evidence-buffer-"));
    path = join(folder, "evidence.db");
    store = await openSqliteEvidenceStore(path, { busyMsMax: 30 });
  });
  afterEach(async () => {
    await store.close();
    rmSync(folder, { recursive: true });
  });

  test("waiting comparisons are written at each interval, and the remaining ones on close", async () => {
    const buffer = new EvidenceBuffer(store, clock);
    for (const unit of upTo(3)) buffer.keep(draft(unit));
    clock.advance(249);
    expect(await units(store)).toEqual([]);
    clock.advance(1);
    await expect.poll(() => units(store), patient).toEqual(upTo(3));
    buffer.keep(draft(3));
    await buffer.close();
    expect(await units(store)).toEqual(upTo(4));
    expect([buffer.dropped, buffer.failures, clock.timers]).toEqual([0, 0, 0]);
  });

  test("equal requests have equal fingerprints, whatever they contain", async () => {
    const buffer = new EvidenceBuffer(store, clock);
    const circular: unknown[] = [];
    circular.push(circular);
    for (const input of [["book", 1], ["book", 1], ["book", 2], [1n], ["1n"], circular, [undefined], []])
      buffer.keep(draft("", input));
    await buffer.close();
    const prints = (await store.find({ limit: 100 })).map(({ fingerprint }) => fingerprint).toReversed();
    expect(prints[0]).toBe(prints[1]);
    expect(prints[0]).not.toBe(prints[2]);
    expect(prints.every((print) => /^[0-9a-f]{16}$/.test(print))).toBe(true);
  });

  test("a batch that a locked file refused is written with the next one, once and in order", async () => {
    const buffer = new EvidenceBuffer(store, clock);
    const other = new Database(path);
    try {
      other.exec("BEGIN IMMEDIATE");
      for (const unit of ["0", "1"]) buffer.keep(draft(unit));
      clock.advance(250);
      await expect.poll(() => buffer.failures, patient).toBe(1);
      buffer.keep(draft(2));
      clock.advance(250);
      await expect.poll(() => buffer.failures, patient).toBe(2);
      other.exec("COMMIT");
    } finally {
      other.close();
    }
    buffer.keep(draft(3));
    clock.advance(250);
    await expect.poll(() => units(store), patient).toEqual(upTo(4));
    await buffer.close();
    expect([await units(store), buffer.dropped]).toEqual([upTo(4), 0]);
    expect(await store.counts()).toMatchObject([{ count: 4 }]);
  });
});

test("a store that does not answer delays no call: one append runs at a time, and the overflow is counted", async () => {
  const unsteady = new Unsteady(new MemoryEvidence().open());
  const answer = Promise.withResolvers<void>();
  unsteady.before = () => answer.promise;
  const clock = new TestClock();
  const buffer = new EvidenceBuffer(unsteady.store, clock, { waitingMax: 3, flushMs: 250 });
  for (const unit of upTo(2)) expect(buffer.keep(draft(unit))).toBeUndefined();
  clock.advance(250);
  for (const unit of ["2", "3", "4", "late", "later"]) buffer.keep(draft(unit));
  clock.advance(10_000);
  expect([unsteady.appends, buffer.dropped]).toEqual([1, 2]);
  answer.resolve();
  await buffer.close();
  expect([await units(unsteady.store), buffer.dropped, buffer.failures]).toEqual([upTo(5), 2, 0]);
});

test("a store that never answers delays closing by closeMsMax at most, and its batch counts as dropped", async () => {
  const unsteady = new Unsteady(new MemoryEvidence().open());
  const never = Promise.withResolvers<void>();
  unsteady.before = () => never.promise;
  const clock = new TestClock();
  const buffer = new EvidenceBuffer(unsteady.store, clock, { batchMax: 2, closeMsMax: 1_000 });
  for (const unit of upTo(5)) buffer.keep(draft(unit));
  const closing = buffer.close();
  clock.advance(1_000);
  await closing;
  buffer.keep(draft("late"));
  expect([buffer.dropped, unsteady.appends, clock.timers]).toEqual([6, 1, 0]);
});

test("many comparisons are written in batches, one after the other", async () => {
  const unsteady = new Unsteady(new MemoryEvidence().open());
  const buffer = new EvidenceBuffer(unsteady.store, new TestClock());
  for (const unit of upTo(1_001)) buffer.keep(draft(unit));
  await buffer.close();
  expect([await units(unsteady.store), unsteady.appends, buffer.dropped]).toEqual([upTo(1_001), 5, 0]);
});

test.each([
  ["rejects", () => Promise.reject(new Error("the store is down"))],
  ["throws", refuse],
])(
  "while the store always %s, no more comparisons wait than the limit: the oldest wait, the others count as dropped",
  async (_, before) => {
    const unsteady = new Unsteady(new MemoryEvidence().open());
    const throwing = { ...unsteady.store, append: before };
    const clock = new TestClock();
    const buffer = new EvidenceBuffer(throwing, clock, { waitingMax: 10, flushMs: 250 });
    for (let turn = 0; turn < 5; turn++) {
      for (let call = 0; call < 4; call++) buffer.keep(draft(turn * 4 + call));
      clock.advance(250);
      await expect.poll(() => buffer.failures, patient).toBe(turn + 1);
    }
    expect(buffer.dropped).toBe(10);
    await buffer.close();
    expect(buffer.dropped).toBe(20);
  },
);

test("requests are kept with both answers up to the daily limit, and a request that is not kept records why", async () => {
  const store = new MemoryEvidence().open();
  const buffer = new EvidenceBuffer(store, new TestClock(), { requestsPerDay: 2 });
  const answers = { legacy: { positions: [] }, modern: null };
  const diverged = (input: unknown, at = "2026-11-22T10:00:00.000Z"): void =>
    buffer.keep({ ...draft("", [input]), at, answers });
  buffer.keep(draft("", [{ trades: [] }]));
  diverged({ trades: ["x".repeat(requestTextMax)] });
  diverged({ limit: 1n });
  diverged({ trades: [1] });
  diverged({ trades: [2] });
  diverged({ trades: [3] });
  diverged({ trades: [4] }, "2026-11-23T10:00:00.000Z");
  await buffer.close();
  const found = (await store.find({ limit: 100 })).toReversed();
  const states = [null, "too_large", "not_json", "kept", "kept", "daily_limit", "kept"];
  expect(found.map(({ request }) => request)).toEqual(states);
  expect(JSON.parse((await store.request(found[3]?.id ?? "")) ?? "")).toEqual({
    request: { trades: [1] },
    ...answers,
  });
  expect(buffer.requests).toEqual({ kept: 3, too_large: 1, daily_limit: 1, not_json: 1 });
});

test("each comparison is stored once and in order or counted as dropped, whatever fails and at whatever time", async () => {
  const step = fc.oneof(
    fc.record({ keep: fc.integer({ min: 1, max: 6 }) }),
    fc.record({ append: fc.constantFrom("written", "refused"), meanwhile: fc.integer({ min: 0, max: 6 }) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), fc.boolean(), async (steps, endsWell) => {
      const unsteady = new Unsteady(new MemoryEvidence().open());
      const clock = new TestClock();
      const buffer = new EvidenceBuffer(unsteady.store, clock, { waitingMax: 8, flushMs: 250 });
      let offered = 0;
      const keep = (count: number): void => {
        for (let call = 0; call < count; call++) buffer.keep(draft(offered++));
      };
      for (const does of steps) {
        if ("keep" in does) keep(does.keep);
        else {
          const decided = Promise.withResolvers<void>();
          unsteady.before = () => decided.promise;
          clock.advance(250);
          keep(does.meanwhile);
          if (does.append === "written") decided.resolve();
          else decided.reject(new Error("the store is down"));
          await decided.promise.catch(() => {});
          for (let turn = 0; turn < 10; turn++) await Promise.resolve();
        }
      }
      unsteady.before = endsWell ? () => {} : refuse;
      await buffer.close();
      const stored = (await units(unsteady.store)).map(Number);
      expect(stored).toEqual([...new Set(stored)].toSorted((a, b) => a - b));
      expect(stored.length + buffer.dropped).toBe(offered);
    }),
    { numRuns: 200 },
  );
});
