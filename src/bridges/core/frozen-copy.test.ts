import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type CopyRefusal, frozenArguments, ownCopy } from "./frozen-copy.ts";

const valuesMax = 10_000;

/** Copies one argument; its list costs one more value. */
function frozenCopy(value: unknown, values: number): { readonly value: unknown } | CopyRefusal {
  const copies = frozenArguments([value], values + 2);
  return typeof copies === "string" ? copies : { value: copies[0] };
}

function copyOf<T>(value: T): T {
  const copy = frozenCopy(value, valuesMax);
  if (typeof copy === "string") throw new Error(copy);
  return copy.value as T;
}

describe("a frozen copy", () => {
  const request = () => ({
    book: "UST",
    quantity: 10n,
    trades: [{ price: "110.5", tags: ["a"] }],
    asOf: new Date("2025-08-01"),
    marks: new Map([["ZN", { price: 110 }]]),
    seen: new Set(["ZN"]),
    curve: new Float64Array([1, 2]),
    bytes: Buffer.from("abc"),
    none: null,
    absent: undefined,
  });

  it("is equal to the value and shares nothing with it", () => {
    const value = request();
    const copy = copyOf(value);
    expect(copy).toEqual(request());
    value.trades[0]!.tags.push("b");
    value.asOf.setTime(0);
    value.marks.get("ZN")!.price = 0;
    value.seen.add("ZB");
    value.curve[0] = 9;
    value.bytes[0] = 0;
    expect(copy).toEqual(request());
  });

  it("never passes changes back to the value", () => {
    const value = request();
    const copy = copyOf(value);
    copy.asOf.setTime(0);
    copy.marks.clear();
    copy.seen.clear();
    copy.curve.fill(0);
    copy.bytes.fill(0);
    expect(() => copy.trades.push({ price: "0", tags: [] })).toThrow(TypeError);
    expect(() => Object.assign(copy.trades[0]!, { price: "0" })).toThrow(TypeError);
    expect(() => Object.assign(copy.marks, { price: "0" })).not.toThrow();
    expect(value).toEqual(request());
  });

  it("also freezes the values of a map", () => {
    const price = copyOf(request()).marks.get("ZN") as { price: number };
    expect(() => {
      price.price = 0;
    }).toThrow(TypeError);
  });

  it("of any JSON value equals the value and is deeply frozen", () => {
    const frozen = (value: unknown): boolean =>
      typeof value !== "object" ||
      value === null ||
      (Object.isFrozen(value) && Object.values(value).every(frozen));
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), (any) => {
        const before = JSON.stringify(any);
        const copy = copyOf(any);
        expect(JSON.stringify(copy)).toBe(before);
        expect(JSON.stringify(any)).toBe(before);
        expect(frozen(copy)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it("keeps every key, including `__proto__`", () => {
    const copy = copyOf(JSON.parse('{"__proto__":{"a":1},"b":2}'));
    expect(JSON.stringify(copy)).toBe('{"__proto__":{"a":1},"b":2}');
    expect(Object.getPrototypeOf(copy)).toBe(Object.prototype);
  });

  it("contains a getter's value, read once", () => {
    let asked = 0;
    const value = {
      get price() {
        asked += 1;
        return asked;
      },
    };
    const copy = copyOf(value);
    expect([copy.price, copy.price, asked]).toEqual([1, 1, 1]);
  });
});

it("a copy made by ownCopy is not frozen", () => {
  const copy = ownCopy({ list: [1] }, valuesMax) as { value: { list: number[] } };
  copy.value.list.push(2);
  expect(copy.value.list).toEqual([1, 2]);
});
describe("instances of other classes", () => {
  class Money {
    readonly cents: number;
    readonly inside: unknown;
    constructor(cents: number, inside?: unknown) {
      this.cents = cents;
      this.inside = inside;
      Object.freeze(this);
    }
  }

  it("are shared if they are deeply frozen", () => {
    const price = new Money(5, Object.freeze({ currency: "USD" }));
    expect(copyOf({ price }).price).toBe(price);
  });

  it.each<[string, unknown]>([
    ["is not frozen", Object.assign(Object.create({ kind: "open" }), { cents: 1 })],
    ["holds a mutable value", new Money(5, { currency: "USD" })],
    ["holds a mutable value at depth", new Money(5, Object.freeze([Object.freeze({ list: [1] })]))],
    ["holds a map", new Money(5, Object.freeze(new Map()))],
    ["holds a date", new Money(5, Object.freeze(new Date()))],
    ["holds a function", new Money(5, () => {})],
  ])("are refused if one %s", (_, price) => {
    expect(frozenCopy({ price }, valuesMax)).toBe("input_not_copyable");
  });

  it("are refused if one is circular", () => {
    const ring = Object.create({ kind: "ring" });
    ring.self = ring;
    expect(frozenCopy([Object.freeze(ring)], valuesMax)).toBe("input_not_copyable");
  });
});

describe("a value that cannot be copied", () => {
  const throwing = {
    get price(): number {
      throw new Error("no price");
    },
  };
  const circle: Record<string, unknown> = { other: {} };
  circle.self = circle;
  circle.again = circle;
  const deep = (levels: number): unknown => (levels === 0 ? 1 : [deep(levels - 1)]);

  it.each<[string, unknown]>([
    ["a function", () => {}],
    ["a function at depth", { list: [{ run: () => {} }] }],
    ["a promise", { pending: Promise.resolve(1) }],
    ["an error", new Error("x")],
    ["a regular expression", { match: /x/ }],
    ["a view of raw memory", { raw: new DataView(new ArrayBuffer(8)) }],
    ["raw memory", { raw: new ArrayBuffer(8) }],
    ["a weak map", { weak: new WeakMap() }],
    ["a signal", { signal: new AbortController().signal }],
    ["a circle", circle],
    ["a circle of a map", new Map([["self", circle]])],
    ["too many levels", deep(65)],
    ["a getter that throws", throwing],
    ["a proxy that throws", { proxy: new Proxy({}, { ownKeys: () => expect.fail("asked") }) }],
  ])("%s is refused without an exception", (_, value) => {
    expect(frozenCopy(value, valuesMax)).toBe("input_not_copyable");
  });

  it("a value with 64 levels is copied", () => {
    expect(copyOf(deep(64))).toEqual(deep(64));
  });

  it.each<[string, unknown, number]>([
    ["a list", [1, 2, 3], 4],
    ["an object", { a: 1, b: 2, c: 3 }, 4],
    ["objects in a list", [{ a: 1 }, { a: 2 }], 7],
    ["a map", new Map([[1, 2]]), 2],
    ["a set", new Set([1, 2]), 3],
    ["a typed array, of which eight elements count as one value,", new Float64Array(80), 11],
  ])("%s is refused as too large if it has one value more than allowed", (_, value, values) => {
    expect(typeof frozenCopy(value, values)).toBe("object");
    expect(frozenCopy(value, values - 1)).toBe("input_too_large");
  });

  it("a value that is far too large is refused before most of it is copied", () => {
    const huge = Array.from({ length: 200_000 }, (_, at) => ({ at }));
    let looked = 0;
    const watched = new Proxy(huge, {
      get: (target, key, receiver) => {
        looked += 1;
        return Reflect.get(target, key, receiver);
      },
    });
    expect(frozenCopy(watched, valuesMax)).toBe("input_too_large");
    expect(looked).toBeLessThan(100);
  });
});
