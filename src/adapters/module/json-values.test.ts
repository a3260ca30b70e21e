import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SystemFailure } from "../../domain/migration/system-failure.ts";
import { type AnswerLimits, jsonAnswer, jsonCopy } from "./json-values.ts";

const limits: AnswerLimits = { exactNumbers: true, answerBytesMax: 10_000 };
const circle: { self?: unknown } = {};
circle.self = [circle];
const withHole = [undefined, undefined, 1];
delete withHole[1];
const nested = (levels: number): unknown => (levels === 0 ? 1 : [nested(levels - 1)]);
class Position {
  readonly quantity = 1.5;
  readonly #hidden = "x";
  describe(): string {
    return this.#hidden;
  }
}

describe("an answer as JSON", () => {
  it.each<[string, unknown, unknown]>([
    ["a float", 0.1, "0.1"],
    ["a sum of floats", 0.1 + 0.2, "0.30000000000000004"],
    ["a small float", 1e-7, "0.0000001"],
    ["the smallest float", 5e-324, `0.${"0".repeat(323)}5`],
    ["a large float", -1.5e21, "-1500000000000000000000"],
    ["a whole number", 42, 42],
    ["minus zero", -0, 0],
    ["the largest safe integer", Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
    ["the integer after it", 2 ** 53, "9007199254740992"],
    ["a bigint", 12345678901234567890n, "12345678901234567890"],
    ["nothing", undefined, null],
    ["properties without a value", { a: undefined, b: null }, { b: null }],
    ["holes and undefined in a list", withHole, [null, null, 1]],
    ["a date", { at: new Date(0) }, { at: "1970-01-01T00:00:00.000Z" }],
    ["an object with toJSON", { toJSON: (key: string) => `as ${key}` }, "as "],
    ["an instance of a class", new Position(), { quantity: "1.5" }],
    ["an object without prototype", Object.assign(Object.create(null), { a: 0.5 }), { a: "0.5" }],
    ["lists in a list", [[0.5], []], [["0.5"], []]],
  ])("%s is copied as JSON.stringify would write it, but with exact numbers", (_, answer, json) => {
    expect(jsonAnswer(answer, limits)).toStrictEqual(json);
  });

  it.each<[string, unknown, string]>([
    ["a function", { rows: [1, { price: () => 1 }] }, "a function at $.rows[1].price"],
    ["a symbol", Symbol("x"), "a symbol at $"],
    ["NaN", { a: Number.NaN }, "NaN at $.a"],
    ["infinity", [-Infinity], "-Infinity at $[0]"],
    ["a map", { m: new Map() }, "a Map at $.m"],
    ["a set", new Set(), "a Set"],
    ["bytes", new Uint8Array(2), "a Uint8Array"],
    ["a promise inside", { later: Promise.resolve(1) }, "a Promise at $.later"],
    ["a circle", circle, "or a circle"],
    ["too many levels", nested(500), "levels"],
    [
      "a getter that throws",
      {
        get a() {
          throw new Error("no");
        },
      },
      "cannot be read at $.a",
    ],
  ])("%s is not JSON", (_, answer, why) => {
    const failure = failureOf(() => jsonAnswer(answer, limits));
    expect([failure.failure, failure.message]).toEqual(["GARBLED", expect.stringContaining(why)]);
    expect(failure.message.length).toBeLessThan(3_000);
  });

  it("an answer is given up at the limit, also if one value occurs in many places", () => {
    let many: unknown = "x".repeat(100);
    for (let level = 0; level < 60; level++) many = [many, many];
    expect(failureOf(() => jsonAnswer(many, limits)).failure).toBe("TOO_LARGE");
    expect(failureOf(() => jsonAnswer("x".repeat(10_001), limits)).failure).toBe("TOO_LARGE");
    expect(failureOf(() => jsonAnswer(new Array(2 ** 31), limits)).failure).toBe("TOO_LARGE");
  });

  it("an answer keeps floats with exactNumbers: false", () => {
    expect(jsonAnswer([0.1, 2 ** 53], { ...limits, exactNumbers: false })).toEqual([0.1, 2 ** 53]);
  });

  it("a property named __proto__ sets no prototype", () => {
    const answer = jsonAnswer(JSON.parse('{"__proto__":{"a":1}}'), limits) as object;
    expect(Object.getPrototypeOf(answer)).toBe(Object.prototype);
    expect(JSON.stringify(answer)).toBe('{"__proto__":{"a":1}}');
    expect(JSON.stringify(jsonCopy(JSON.parse('{"__proto__":{"a":1}}')))).toBe('{"__proto__":{"a":1}}');
  });

  it("any float becomes plain text of the same float", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (float) => {
        const text = String(jsonAnswer(float, limits));
        expect(text).toMatch(/^-?\d+(\.\d*[1-9])?$/);
        expect(Number(text) === float).toBe(true);
      }),
    );
  });

  it("a JSON answer, and a copy of it, equal the original", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (json) => {
        const before = JSON.stringify(json);
        expect(JSON.stringify(jsonAnswer(json, { exactNumbers: false, answerBytesMax: 1e9 }))).toBe(before);
        expect(JSON.stringify(jsonCopy(json as never))).toBe(before);
      }),
    );
  });
});

function failureOf(run: () => unknown): SystemFailure {
  try {
    run();
  } catch (failure) {
    expect(failure).toBeInstanceOf(SystemFailure);
    return failure as SystemFailure;
  }
  throw new Error("must fail");
}
