import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { runs } from "../../test/campaigns.ts";
import { BridgeError } from "../base/errors.ts";
import { AnswerComparer, type AnswerComparison, type AnswerOptions } from "./answers.ts";

const today = "2025-08-01";
const compare = (legacy: unknown, modern: unknown, options: AnswerOptions = {}): AnswerComparison =>
  new AnswerComparer(options).compare(legacy, modern, today);

/** `path verdict legacy modern difference` of each field. */
const told = ({ fields }: AnswerComparison): string[] =>
  fields.map(({ path, verdict, legacy, modern, difference }) =>
    [path, verdict, legacy, modern, difference].join(" "),
  );

/** Declares that every path used by the tests holds numbers. */
const numeric: AnswerOptions = {
  kinds: Object.fromEntries(["", "a[]", "[]", "unrealized"].map((path) => [path, "number"])),
};

const sameNumbers: readonly [unknown, unknown][] = [
  [0.1, "0.1"],
  ["0.10", "0.1"],
  ["007", "7"],
  [0.1 + 0.2, "0.30000000000000004"],
  ["1e3", "1000"],
  ["+5", 5],
  ["-0", 0],
  [1e21, "1000000000000000000000"],
  [5e-324, "5e-324"],
  ["1/3", "2/6"],
  ["1/4", 0.25],
  ["1e399", "10e398"],
  [`0.${"1".repeat(90)}`, `0.${"1".repeat(90)}0`],
];

describe("texts that look like numbers", () => {
  it.each(sameNumbers)(
    "%o and %o are equal if their path is declared to hold numbers, by kind or by tolerance, and diverge otherwise",
    (legacy, modern) => {
      expect(compare(legacy, modern, numeric)).toMatchObject({ verdict: "equal", fields: [], more: 0 });
      expect(compare({ a: [legacy] }, { a: [modern] }, numeric).verdict).toBe("equal");
      expect(compare({ pnl: legacy }, { pnl: modern }, { tolerances: { pnl: "0" } }).verdict).toBe("equal");
      expect(compare(legacy, modern).verdict).toBe("diverged");
      expect(compare({ a: [legacy] }, { a: [modern] }).verdict).toBe("diverged");
    },
  );

  it("are the same key of a list only if the key is declared to hold numbers", () => {
    const [legacy, modern] = [{ rows: [{ id: "2.0", pnl: 1 }] }, { rows: [{ id: 2, pnl: 1 }] }];
    const keys = { rows: ["id"] };
    expect(compare(legacy, modern, { keys, kinds: { "rows[].id": "number" } }).verdict).toBe("equal");
    expect(compare(legacy, modern, { keys }).verdict).toBe("diverged");
  });
});

describe("times", () => {
  const times = (legacy: unknown, modern: unknown) =>
    compare({ time: legacy }, { time: modern }, { kinds: { time: "time" } }).verdict;

  it.each([
    ["2025-07-24T09:30:59.046-05:00", "2025-07-24T09:30:59.046-05:00"],
    ["2025-07-24T09:30:59.046-05:00", "2025-07-24T14:30:59.046Z"],
    ["2025-07-24T09:30:59", "2025-07-24T09:30:59.046123-05:00"],
    ["2025-07-24 09:30:59.046", "2025-07-24T09:30:59.046123-05:00"],
    ["soon", "soon"],
  ])("%s and %s are equal at the precision of the coarser text", (legacy, modern) => {
    expect([times(legacy, modern), times(modern, legacy)]).toEqual(["equal", "equal"]);
  });

  it.each([
    ["1999-01-01", "2025-07-24T09:30:59.046-05:00"],
    ["2025-07-24", "2025-07-24T00:00:00-05:00"],
    ["2025-07-24T09:30:59.046-05:00", "2025-07-24T09:30:59.047-05:00"],
    ["2025-07-24T09:30:58", "2025-07-24T09:30:59.046-05:00"],
    ["2025-07-24T09:30:59-05:00", "2025-07-24T09:30:59Z"],
    ["2025-07-24T09:30:59-05:00", "soon"],
    ["2025-07-24T09:30:59-05:00", undefined],
  ])("%s and %s diverge", (legacy, modern) => {
    expect([times(legacy, modern), times(modern, legacy)]).toEqual(["diverged", "diverged"]);
  });
});

describe("two values", () => {
  it.each<[unknown, unknown]>([
    [1, 1],
    [100, 100n],
    [-0, 0],
    [Number.NaN, Number.NaN],
    [null, null],
    [undefined, undefined],
    ["ZNU5", "ZNU5"],
    [true, true],
    [new Date("2025-08-01"), new Date("2025-08-01")],
    [new Date(Number.NaN), new Date(Number.NaN)],
    [new Set([1, 2]), new Set([2, 1])],
    [new Map([["a", 1]]), new Map([["a", 1]])],
    [new Float64Array([1, 2]), [1, 2]],
    [{}, {}],
    [[], []],
    [{ a: undefined }, {}],
    [Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
  ])("%o and %o are equal", (legacy, modern) => {
    expect(compare(legacy, modern)).toMatchObject({ verdict: "equal", fields: [], more: 0 });
    expect(compare({ a: [legacy] }, { a: [modern] })).toMatchObject({
      verdict: "equal",
      fields: [],
      more: 0,
    });
  });

  it.each([
    [null, 0],
    ["1.5", null],
    [{ unrealized: null }, { unrealized: "0" }],
  ])("%j and %j are not comparable, since one side has no number", (legacy, modern) => {
    const { verdict, fields } = compare(legacy, modern, numeric);
    expect([verdict, fields.length]).toEqual(["not_comparable", 1]);
  });

  it.each<[unknown, unknown, string | null]>([
    [1, 2, "1"],
    [0.1 + 0.2, 0.3, "-0.00000000000000004"],
    ["0.1", "0.1000000000000000000001", "0.0000000000000000000001"],
    ["1/3", 0.3333333333333333, "-1/30000000000000000"],
    ["1e399", "-1e399", `-2${"0".repeat(399)}`],
    [`0.${"1".repeat(90)}`, `0.${"1".repeat(90)}1`, `0.${"0".repeat(90)}1`],
    [10n ** 30n, 10n ** 30n + 1n, "1"],
    ["2025-07-24", "2025-07-25", null],
    ["5YR", "5", null],
    ["", 0, null],
    [true, 1, null],
    [Number.NaN, 0, null],
    [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, null],
    ["0x10", 16, null],
    [" 5", 5, null],
    ["1,5", 1.5, null],
    ["1/0", 1, null],
    ["zn", "ZN", null],
    [[], {}, null],
    [{}, "x", null],
    [[1], [1, null], null],
    [new Date("2025-08-01"), new Date("2025-08-02"), null],
    [new Date("2025-08-01"), {}, null],
    [new Set([1, 2]), new Set([1, 3]), "1"],
    [new Set([1]), new Set([1, "ZN"]), null],
    [new Map([["a", 1]]), new Map([["b", 1]]), null],
    [new Map([["a", 1]]), new Map([["a", 2]]), "1"],
    [new Map(), {}, null],
  ])("%o and %o diverge by %s", (legacy, modern, difference) => {
    const { verdict, fields } = compare(legacy, modern, numeric);
    expect([verdict, fields[0]?.verdict, fields[0]?.difference]).toEqual([
      "diverged",
      "diverged",
      difference,
    ]);
  });

  it("a value that one side lacks diverges, null against a number is not comparable, and each is reported", () => {
    const found = compare({ same: null, gone: null, other: 0 }, { same: null, came: null, other: null });
    expect(told(found)).toEqual([
      "gone diverged null  ",
      "came diverged  null ",
      "other not_comparable 0 null ",
    ]);
    expect(found.fields.map(({ legacy, modern }) => [legacy, modern])).toEqual([
      ["null", null],
      [null, "null"],
      ["0", "null"],
    ]);
  });

  it("inherited members of objects are not part of an answer", () => {
    expect(compare({ constructor: "ZN", a: 1 }, { a: 1, b: 2 }).fields.map(({ path }) => path)).toEqual([
      "constructor",
      "b",
    ]);
    expect(compare({}, { toString: "ZN" }).verdict).toBe("diverged");
    expect(compare(JSON.parse('{"__proto__":1}'), {}).verdict).toBe("diverged");
  });

  it("two opaque objects are not comparable unless they are the same object", () => {
    class Price {
      readonly #cents: number;
      constructor(cents: number) {
        this.#cents = cents;
      }
      get cents(): number {
        return this.#cents;
      }
    }
    const price = new Price(1);
    expect(compare({ price }, { price: new Price(2) })).toMatchObject({ verdict: "not_comparable" });
    expect(compare({ price }, { price }).verdict).toBe("equal");
  });
});

describe("tolerances", () => {
  it.each([
    // A difference equal to the bound is within it; the smallest excess is not.
    ["0.01", "1", "1.01", "within_tolerance"],
    ["0.01", "1", "1.0100000000000000000000000000000001", "diverged"],
    ["0.01", "1", "0.99", "within_tolerance"],
    ["0.01", "1", "0.98999999999999999999999999", "diverged"],
    // In floats 1.1 - 1 is more than 0.1, and 0.3 - 0.1 is less than 0.2.
    ["0.1", 1, 1.1, "within_tolerance"],
    ["0.2", 0.1, 0.3, "within_tolerance"],
    ["0.1", 0.1 + 0.2, 0.2, "diverged"],
    ["0.10000000000000004", 0.1 + 0.2, 0.2, "within_tolerance"],
    ["0.00000000000000004", 0.1 + 0.2, 0.3, "within_tolerance"],
    ["0.00000000000000003", 0.1 + 0.2, 0.3, "diverged"],
    ["0.01", 8.04, 8.03, "within_tolerance"],
    ["0.01", 1e15, "1000000000000000.01", "within_tolerance"],
    ["0.01", 1e15, "1000000000000000.02", "diverged"],
    ["0.01", "123456789012345678901234567890.00", "123456789012345678901234567890.01", "within_tolerance"],
    ["0.01", "123456789012345678901234567890.00", "123456789012345678901234567890.011", "diverged"],
    ["1/3", "1/3", "2/3", "within_tolerance"],
    ["1/3", "1/3", "0.6666666666666667", "diverged"],
    ["0.3333333333333333", 0, "1/3", "diverged"],
    ["1e-7", "1e-7", "2e-7", "within_tolerance"],
    ["0.0001", `110.${"1234567890".repeat(10)}`, 110.123456789, "within_tolerance"],
    ["0.0001", `${"1234567890".repeat(12)}/${"1122334455".repeat(12)}`, "1.1000000", "within_tolerance"],
    ["1e-400", "0", "1e-400", "within_tolerance"],
    ["0", 1, 2, "diverged"],
    ["1000000", 1, "one", "diverged"],
    ["1", 1, null, "not_comparable"],
  ])("under a tolerance of %s, %s and %s are %s in either order", (tolerance, legacy, modern, verdict) => {
    const options = { tolerances: { pnl: tolerance } };
    expect(compare({ pnl: legacy }, { pnl: modern }, options).verdict).toBe(verdict);
    expect(compare({ pnl: modern }, { pnl: legacy }, options).verdict).toBe(verdict);
  });

  it("come from the path, otherwise from its last name, otherwise 0", () => {
    const answer = (value: number): object => ({
      total: value,
      positions: [{ total: value, mark: value }],
      marks: [value],
    });
    const by = (tolerances: Record<string, string>): string[] =>
      compare(answer(1), answer(2), { tolerances }).fields.map(({ path, verdict }) => `${path} ${verdict}`);
    expect(by({ total: "1", "positions[].total": "0.5", "marks[]": "1" })).toEqual([
      "positions[].total diverged",
      "positions[].mark diverged",
      "total within_tolerance",
      "marks[] within_tolerance",
    ]);
  });

  it("agree with whole-number arithmetic near and far from the bound", () => {
    const cents = fc.oneof(fc.integer({ min: -1_000_000, max: 1_000_000 }), fc.integer({ min: -3, max: 3 }));
    fc.assert(
      fc.property(cents, cents, fc.nat({ max: 1_000 }), (ours, off, allowed) => {
        const theirs = ours + off;
        const expected = off === 0 ? "equal" : Math.abs(off) <= allowed ? "within_tolerance" : "diverged";
        const options = { tolerances: { pnl: `${allowed / 100}` } };
        // Compared as floats and as texts.
        expect(compare({ pnl: ours / 100 }, { pnl: theirs / 100 }, options).verdict).toBe(expected);
        expect(compare({ pnl: (ours / 100).toFixed(2) }, { pnl: theirs / 100 }, options).verdict).toBe(
          expected,
        );
      }),
      { numRuns: runs(300, 3_000) },
    );
  });

  it.each(["", "-1", "x", "0,01", "NaN"])("the value %o is refused", (text) => {
    expect(failureOf({ tolerances: { pnl: text } })).toMatchObject({
      code: "BAD_CONFIG",
      message: expect.stringContaining("the tolerance of pnl"),
    });
  });
});

describe("lists", () => {
  const [zn, zb, es] = [
    { book: "UST", symbol: "ZN", pnl: 1 },
    { book: "UST", symbol: "ZB", pnl: 2 },
    { book: "EQ", symbol: "ES", pnl: 3 },
  ];
  const keyed: AnswerOptions = { keys: { positions: ["book", "symbol"] } };

  it("are paired by place", () => {
    expect(told(compare({ positions: [zn, zb] }, { positions: [zb, zn] })).length).toBe(4);
    expect(told(compare([1, 2, 3], [1, 2]))).toEqual(["[] diverged 3  "]);
    expect(told(compare([1], [1, 2]))).toEqual(["[] diverged  2 "]);
  });

  it("are paired by key, if there is one, in any order", () => {
    expect(compare({ positions: [zn, zb, es] }, { positions: [es, zn, zb] }, keyed).verdict).toBe("equal");
    expect(told(compare({ positions: [zn, zb] }, { positions: [{ ...zb, pnl: 5 }, zn] }, keyed))).toEqual([
      "positions[].pnl diverged 2 5 3",
    ]);
    expect(told(compare({ positions: [zn] }, { positions: [es] }, keyed))).toEqual([
      'positions[] diverged {"book":"UST","symbol":"ZN","pnl":1}  ',
      'positions[] diverged  {"book":"EQ","symbol":"ES","pnl":3} ',
    ]);
  });

  it("pair entries of equal keys in order, and report an entry without a partner as missing", () => {
    const again = { ...zn, pnl: 9 };
    expect(compare({ positions: [zn, again] }, { positions: [zn, again] }, keyed).verdict).toBe("equal");
    expect(told(compare({ positions: [zn, zn] }, { positions: [zn] }, keyed)).length).toBe(1);
    expect(told(compare({ positions: [zn] }, { positions: [zn, zn] }, keyed)).length).toBe(1);
  });

  it("accept any entries, and keys of every kind", () => {
    const odd = { keys: { positions: ["id"] } };
    expect(
      compare({ positions: [{ id: 10n ** 20n }] }, { positions: [{ id: 10n ** 20n }] }, odd).verdict,
    ).toBe("equal");
    expect(compare({ positions: [{ id: 1n }] }, { positions: [{ id: 2n }] }, odd).verdict).toBe("diverged");
    expect(compare({ positions: [null, 5, "x"] }, { positions: [null, 5, "x"] }, odd).verdict).toBe("equal");
    expect(compare({ positions: [null] }, { positions: [5] }, odd).verdict).toBe("not_comparable");
  });
});

describe("exclusions", () => {
  const exclusion = { path: "positions[].note", reason: "free text", owner: "amy", until: today };
  const [legacy, modern] = [
    { total: 1, positions: [{ pnl: 1, note: "a" }] },
    { total: 1, positions: [{ pnl: 1, note: "b" }] },
  ];
  const on = (day: string, options: AnswerOptions = { exclusions: [exclusion] }): AnswerComparison =>
    new AnswerComparer(options).compare(legacy, modern, day);

  it("apply until the end of their last day", () => {
    expect(on("2025-07-31")).toMatchObject({ verdict: "equal", compared: 2, excluded: 1 });
    expect(on("2025-08-01")).toMatchObject({ verdict: "equal", compared: 2, excluded: 1 });
    expect(on("2025-08-02")).toMatchObject({ verdict: "diverged", compared: 3, excluded: 0 });
  });

  it("exclude everything under a path, and nothing else", () => {
    const all = { exclusions: [{ ...exclusion, path: "positions" }] };
    expect(on(today, all)).toMatchObject({ verdict: "equal", compared: 1, excluded: 1 });
    expect(on(today, { exclusions: [{ ...exclusion, path: "note" }] }).verdict).toBe("diverged");
    expect(new AnswerComparer(all).compare(legacy, { total: 1 }, today).verdict).toBe("equal");
    expect(new AnswerComparer(all).compare(legacy, { total: 2 }, today).verdict).toBe("diverged");
  });

  it.each(["path", "reason", "owner", "until"])("without %s an exclusion is refused", (name) => {
    expect(failureOf({ exclusions: [{ ...exclusion, [name]: "" }] })).toMatchObject({ code: "BAD_CONFIG" });
    const { [name as keyof typeof exclusion]: _, ...others } = exclusion;
    const { code, message } = failureOf({ exclusions: [others as typeof exclusion] });
    expect([code, message]).toEqual(["BAD_CONFIG", expect.not.stringContaining("undefined")]);
  });

  it.each(["next week", "2025-02-30", "2025-08-01T00:00:00Z"])(
    "an exclusion until %s is refused",
    (until) => {
      expect(failureOf({ exclusions: [{ ...exclusion, until }] }).message).toContain("has no last day");
    },
  );
});

describe("limits", () => {
  const list = (count: number, last: number): number[] =>
    Array.from({ length: count }, (_, at) => (at === count - 1 ? last : at));

  it.each<[string, AnswerOptions]>([
    ["by place", {}],
    ["by key", { keys: { rows: ["id"] } }],
  ])(
    "an answer with more values than the limit is not comparable, and never equal: lists %s",
    (_, options) => {
      const rows = (pnl: number): object => ({ rows: list(10, 9).map((id) => ({ id, pnl })) });
      expect(compare(rows(1), rows(1), { ...options, valuesMax: 20 }).verdict).toBe("equal");
      expect(compare(rows(1), rows(1), { ...options, valuesMax: 18 }).verdict).toBe("not_comparable");
      expect(compare(rows(1), rows(2), { ...options, valuesMax: 18 }).verdict).toBe("diverged");
    },
  );

  it("a difference beyond the limit is not ignored, and the rest of a long list is reported once", () => {
    const found = compare(list(100_000, 0), list(100_000, 1), { valuesMax: 1_000 });
    expect(found).toMatchObject({ verdict: "not_comparable", compared: 1_000, more: 0 });
    expect(found.fields.length).toBe(1);
  });

  it("empty objects count towards the limit of values", () => {
    const empty = (count: number): object => Array.from({ length: count }, () => ({}));
    expect(compare(empty(100), empty(100), { valuesMax: 101 }).verdict).toBe("equal");
    expect(compare(empty(100), empty(100), { valuesMax: 100 }).verdict).toBe("not_comparable");
  });

  it("a diverged field is reported before any number of milder ones, in any order", () => {
    const tolerances = { near: "1" };
    const [none, near] = [list(60, 0).map(() => ({ gone: null })), list(60, 0).map((near) => ({ near }))];
    const [legacy, modern] = [
      { none, near, last: "A" },
      { none: none.map(() => ({ gone: 1 })), near: near.map((one) => ({ near: one.near + 1 })), last: "B" },
    ];
    const found = compare(legacy, modern, { tolerances });
    expect(found.fields.map(({ path }) => path).slice(0, 2)).toEqual(["last", "none[].gone"]);
    expect([found.verdict, found.fields.length, found.more]).toEqual(["diverged", 20, 101]);
  });

  it("a second entry of one path is reported only if every diverged path has room", () => {
    const row = (pnl: number) => ({
      rows: list(500, 0).map(() => ({ pnl })),
      total: pnl,
      other: { total: pnl },
    });
    const found = compare(row(1), row(2), { fieldsMax: 4 });
    expect(found.fields.map(({ path }) => path)).toEqual([
      "rows[].pnl",
      "rows[].pnl",
      "total",
      "other.total",
    ]);
    expect(found.more).toBe(498);
  });

  it("fields up to the limit are reported in order, and the others are counted", () => {
    const found = compare(
      list(50, 49),
      list(50, 49).map((value) => value + 1),
      { fieldsMax: 3 },
    );
    expect(found).toMatchObject({ verdict: "diverged", compared: 50, more: 47 });
    expect(told(found)).toEqual(["[] diverged 0 1 1", "[] diverged 1 2 1", "[] diverged 2 3 1"]);
  });

  it("values deeper than 64 levels are not comparable", () => {
    const nested = (levels: number, leaf: unknown): unknown =>
      levels === 0 ? leaf : { inside: nested(levels - 1, leaf) };
    expect(compare(nested(64, 1), nested(64, 1)).verdict).toBe("equal");
    expect(compare(nested(64, 1), nested(64, 2)).verdict).toBe("diverged");
    expect(compare(nested(66, 1), nested(66, 1)).verdict).toBe("not_comparable");
  });

  it("the comparison of circular structures ends", () => {
    const circle = (): object => {
      const made: Record<string, unknown> = { pnl: 1 };
      for (const name of ["a", "b", "c"]) made[name] = made;
      return made;
    };
    const found = compare(circle(), circle());
    expect(found.verdict).toBe("not_comparable");
    expect(JSON.stringify(found.fields)).toContain("not_comparable");
    expect(compare({ a: circle() }, { a: 1 }).fields[0]?.legacy).toBe("(no JSON)");
  });

  it("long values are shown shortened", () => {
    const long = "x".repeat(1_000);
    const [field] = compare(long, 1n).fields;
    expect([field?.legacy, field?.modern]).toEqual([`${"x".repeat(120)}…`, "1"]);
    expect(compare({ a: { b: 10n } }, { a: 1 }).fields[0]?.legacy).toBe('{"b":"10n"}');
    expect(JSON.parse(JSON.stringify(compare(1, 2).fields))).toEqual([
      { path: "", entry: null, verdict: "diverged", legacy: "1", modern: "2", difference: "1" },
    ]);
  });

  it("an entry is named by its key, by its place if it has no key, and by both in nested lists", () => {
    const entries = (legacy: unknown, modern: unknown, options?: AnswerOptions): readonly unknown[] =>
      new AnswerComparer(options)
        .compare(legacy, modern, "2025-07-24")
        .fields.map(({ path, entry }) => [path, entry]);
    const keys = { positions: ["book", "symbol"] };
    const position = (symbol: string, realized: string, ...lots: readonly number[]) => ({
      book: "UST",
      symbol,
      realized,
      lots,
    });
    const [legacy, modern] = [
      { positions: [position("ZN", "1"), position("ZF", "2", 7, 8), { symbol: "BUND" }] },
      { positions: [position("ZF", "3", 7, 9), position("ZN", "1"), { symbol: "OAT" }] },
    ];
    expect(entries(legacy, modern, { keys })).toEqual([
      ["positions[].realized", "UST ZF"],
      ["positions[].lots[]", "UST ZF, 1"],
      ["positions[]", "BUND"],
      ["positions[]", "OAT"],
    ]);
    expect(entries([[1], [2]], [[1], [3]])).toEqual([["[][]", "1, 0"]]);
    expect(entries(new Map([["[a", 1]]), new Map([["[a", 2]]))).toEqual([["[]", "[a"]]);
    expect(entries({ totals: 1 }, { totals: 2 })).toEqual([["totals", null]]);
  });
});

describe("any two answers", () => {
  const leaf = fc.oneof(
    fc.integer({ min: -5, max: 5 }),
    fc.double(),
    fc.constantFrom("0.1", "1/3", "2/6", "1e2", "100", "", "ZN", "-0"),
    fc.constantFrom(null, true, false, undefined, 1n),
  );
  const { answer } = fc.letrec<{ answer: unknown }>((tie) => ({
    answer: fc.oneof(
      { maxDepth: 4 },
      leaf,
      fc.array(tie("answer"), { maxLength: 4 }),
      fc.dictionary(
        fc.constantFrom("pnl", "total", "id", "rows", "constructor", "__proto__", "toString"),
        tie("answer"),
      ),
    ),
  }));
  const options: AnswerOptions = {
    tolerances: { pnl: "0.5", "rows[].total": "1" },
    keys: { rows: ["id"] },
    exclusions: [{ path: "total", reason: "test", owner: "amy", until: today }],
  };

  it("are each equal to themselves and to a copy of themselves", () => {
    fc.assert(
      fc.property(answer, (any) => {
        expect(compare(any, any, options)).toMatchObject({ verdict: "equal", fields: [], more: 0 });
        expect(compare(any, structuredClone(any), options)).toMatchObject({ verdict: "equal", fields: [] });
      }),
      { numRuns: runs(300, 3_000) },
    );
  });

  it("have the same verdict and the same fields with swapped sides", () => {
    fc.assert(
      fc.property(answer, answer, (one, other) => {
        const [there, back] = [compare(one, other, options), compare(other, one, options)];
        expect(back).toMatchObject({ verdict: there.verdict, more: there.more });
        const turned = (found: AnswerComparison, sides: "as they are" | "turned"): string[] =>
          found.fields
            .map(({ path, verdict, legacy, modern }) =>
              JSON.stringify(
                sides === "turned" ? [path, verdict, modern, legacy] : [path, verdict, legacy, modern],
              ),
            )
            .toSorted();
        if (there.more === 0) expect(turned(back, "turned")).toEqual(turned(there, "as they are"));
      }),
      { numRuns: runs(300, 3_000) },
    );
  });

  it("have the verdict of their worst field, and report a field if they are not equal", () => {
    const rank = ["equal", "within_tolerance", "not_comparable", "diverged"];
    fc.assert(
      fc.property(answer, answer, (one, other) => {
        const { verdict, fields } = compare(one, other, { ...options, fieldsMax: 1_000 });
        const worst = Math.max(0, ...fields.map((field) => rank.indexOf(field.verdict)));
        expect(verdict).toBe(rank[worst]);
      }),
      { numRuns: runs(300, 3_000) },
    );
  });

  it("are not changed by the comparison", () => {
    fc.assert(
      fc.property(answer, answer, (one, other) => {
        const [copyOfOne, copyOfOther] = [structuredClone(one), structuredClone(other)];
        compare(one, other, options);
        expect([one, other]).toEqual([copyOfOne, copyOfOther]);
      }),
      { numRuns: 300 },
    );
  });
});

function failureOf(options: AnswerOptions): BridgeError {
  try {
    new AnswerComparer(options);
  } catch (error) {
    if (error instanceof BridgeError) return error;
    throw error;
  }
  throw new Error("was not refused");
}
