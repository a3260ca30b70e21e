import { expect, it } from "vitest";
import type { EvidenceStore, NewComparison, RequestState } from "../../ports/evidence.ts";
import type { ComparisonExplanation } from "../../ports/explanation.ts";
import type { LaneDay } from "../../ports/tallies.ts";
import { comparison } from "../../testing/evidence-store-contract.ts";
import { MemoryEvidence } from "../../testing/memory-evidence-store.ts";
import { TestClock } from "../../testing/test-clock.ts";
import { DayClose } from "./day-close.ts";

const earlier = "2025-07-24T10:00:00.000Z";
const at = "2025-07-24T11:00:00.000Z";
const later = "2025-07-24T12:00:00.000Z";

const diverged = (at: string, request: RequestState, path: string): NewComparison => ({
  ...comparison({ verdict: "diverged", request, at }),
  fields: [
    { ...{ path, entry: null, verdict: "diverged", legacy: "1", modern: "2", difference: "1" } } as const,
  ],
  ...(request === "kept" && { requestText: "{}" }),
});

it.each([
  ["by its last comparison", [diverged(at, "kept", "realized")], ["1"]],
  [
    "by one with the same fields, if the request of the last comparison is not kept",
    [
      diverged(earlier, "kept", "realized"),
      diverged(earlier, "kept", "fees"),
      diverged(at, "daily_limit", "realized"),
    ],
    ["1"],
  ],
  [
    "by none, if no request with the same fields is kept",
    [diverged(earlier, "kept", "fees"), diverged(at, "daily_limit", "realized")],
    [],
  ],
] as const)("a lane-day before thousands of newer divergences is explained %s", async (_, stored, asked) => {
  const evidence = new MemoryEvidence().open();
  await evidence.append(stored, { ...delta, laneDays: [apart()] });
  const newer = diverged(later, "daily_limit", "unrealized");
  await evidence.append(Array.from({ length: 4_500 }, () => newer));
  expect(await closed(evidence)).toEqual({ asked, failures: [] });
});

it.each([
  ["9", ["1"]],
  ["1", []],
])(
  "if the register has only the entry 1, a lane-day with the mark %s needs explanations of the comparisons %j",
  async (accepted, asked) => {
    const evidence = new MemoryEvidence().open();
    await evidence.append([diverged(at, "kept", "realized")], { ...delta, laneDays: [apart({ accepted })] });
    expect(await closed(evidence)).toEqual({ asked, failures: [] });
  },
);

/**
 * Closes the days before 2025-07-25 while one cause is accepted. Returns the ids of the comparisons whose
 * explanation was requested, and the failures.
 */
async function closed(
  evidence: EvidenceStore,
  explain: (id: string) => ComparisonExplanation | undefined = () => undefined,
) {
  const asked: string[] = [];
  const failures: unknown[] = [];
  const who = { id: "1", owner: "amy", until: "2999-12-31", reason: "a test" };
  const close = new DayClose({
    evidence,
    explainer: {
      explain: async (id) => {
        asked.push(id);
        return explain(id);
      },
    },
    register: async () => [{ ...who, code: "LIFO", scope: {}, limit: null }],
    key: () => "key",
    today: () => "2025-07-25",
    clock: new TestClock(),
    onFailure: (failure) => void failures.push(failure),
  });
  expect(close.settled.day).toBe("");
  await close.work();
  expect(close.settled).toMatchObject({ key: "key", day: "2025-07-25" });
  await close.close();
  return { asked, failures };
}

const delta = { key: "key", process: "one", at: later, day: "2025-07-24", ended: false, tallies: [] };
const apart = (given: Partial<LaneDay> = {}): LaneDay => ({
  ...{ source: "live", day: "2025-07-24", book: "A", symbol: "ZN", method: "calculatePnl", at },
  ...{ group: "future", apart: "realized", accepted: null, money: 500, quantityApart: false },
  ...{ signed: 500, weight: 100, ...given },
});
/** An explanation of ZN by an accepted cause. `book` is absent if the rows of the answer name no books. */
const accepting = (comparison: string, book?: string): ComparisonExplanation => ({
  ...{ comparison, id: "e", others: [], alternatives: [], witness: null, tried: [], causes: [] },
  component: { lanes: [{ symbol: "ZN", ...(book !== undefined && { book }) }], files: [] },
  first: { kind: "position", key: { symbol: "ZN" }, field: "realized" },
  ...{ difference: "500", unexplained: "0" },
  budget: { runs: 0, runsMax: 0, trades: 0, tradesMax: 0, exhausted: false },
  accepted: [{ id: "1", code: "LIFO", owner: "amy", until: "2999-12-31" }],
});
const marksIn = async (evidence: EvidenceStore) =>
  (await evidence.evidence("key")).laneDays.map(({ book, symbol, accepted }) => [book, symbol, accepted]);

it.each<
  readonly [
    string,
    readonly (string | null)[],
    (id: string) => ComparisonExplanation | undefined,
    readonly (string | null)[],
  ]
>([
  ["each unit is a book", ["A", "B"], (id) => accepting(id), ["1", "1"]],
  [
    "the units are one user, and rows name their books",
    ["amy", "amy"],
    (id) => accepting(id, id === "1" ? "A" : "B"),
    ["1", "1"],
  ],
  [
    "the units are one user, rows name no books, and one book is not explained",
    ["amy", "amy"],
    (id) => (id === "1" ? accepting(id) : undefined),
    [null, null],
  ],
])(
  "of several books that are compared in one millisecond, none gets a mark by the comparison of another: %s",
  async (_, units, explain, marks) => {
    const evidence = new MemoryEvidence().open();
    const stored = units.map((unit) => ({ ...diverged(at, "kept", "realized"), unit }));
    await evidence.append(stored, { ...delta, laneDays: [apart(), apart({ book: "B" })] });
    expect(await closed(evidence, explain)).toEqual({
      asked: expect.arrayContaining(["1", "2"]),
      failures: [],
    });
    expect(await marksIn(evidence)).toEqual([
      ["A", "ZN", marks[0]],
      ["B", "ZN", marks[1]],
    ]);
  },
);

it("no comparison is read for an answer without lanes, and no page after the first one that reaches back before the lane-days", async () => {
  const store = new MemoryEvidence().open();
  await store.append(
    Array.from({ length: 4_500 }, () => diverged("2025-07-24T08:00:00.000Z", "daily_limit", "fees")),
  );
  let pages = 0;
  const evidence: EvidenceStore = {
    ...store,
    evidence: (key) => store.evidence(key),
    append: (...given) => store.append(...given),
    find: (query) => {
      pages += 1;
      return store.find(query);
    },
  };
  await store.append([], { ...delta, laneDays: [apart({ group: "summary", symbol: "#totals 1" })] });
  await closed(evidence);
  expect(pages).toBe(0);
  await store.append([], { ...delta, laneDays: [apart()] });
  await closed(evidence);
  expect(pages).toBe(1);
});

it.each<readonly [string, Partial<LaneDay>, readonly LaneDay[], string | null]>([
  ["all lanes of the book that are apart are accepted", {}, [], "1"],
  ["they differ by less money", { money: 501 }, [], null],
  ["its money is unknown", { money: null }, [], null],
  ["modern failed", { apart: "error", money: 0 }, [], null],
  ["a quantity differs, and no quantity of the lanes does", { quantityApart: true }, [], null],
  ["another lane of the book is not accepted", {}, [apart({ symbol: "ZB", apart: "error" })], null],
  ["a lane of another book is not accepted", {}, [apart({ symbol: "ZB", book: "B", apart: "error" })], "1"],
  [
    "it is of all books, and one lane is not accepted",
    { book: "amy" },
    [apart({ symbol: "ZB", book: "B", apart: "error" })],
    null,
  ],
  ["it is of all books, whose lanes are accepted", { book: "amy" }, [], "1"],
  ["it is of another day", { day: "2025-07-23" }, [], null],
])(
  "the lanes of its book and day decide whether an answer without lanes is accepted: %s",
  async (_, given, others, mark) => {
    const evidence = new MemoryEvidence().open();
    const summary = apart({
      symbol: "#totals 1",
      method: "totals",
      group: "summary",
      apart: "totals",
      ...given,
    });
    await evidence.append([{ ...diverged(at, "kept", "realized"), unit: "A" }], {
      ...delta,
      laneDays: [summary, apart(), ...others],
    });
    await closed(evidence, (id) => accepting(id, "A"));
    const marks = await marksIn(evidence);
    expect(marks.slice(0, 2)).toEqual([
      [summary.book, "#totals 1", mark],
      ["A", "ZN", "1"],
    ]);
  },
);
