import { readFileSync } from "node:fs";
import fc from "fast-check";
import murmurhash from "murmurhash";
import { describe, expect, it } from "vitest";
import { runs } from "../../../test/campaigns.ts";
import { bucketCount, bucketOf, isWithin, murmur3 } from "./bucket.ts";

/** An independent implementation of the same hash. */
const theirs = (text: string): number => murmurhash.v3(new TextEncoder().encode(text), 0);

const vectors = [
  { flag: "use_new_calculator", salt: "", unit: "UST", hash: 3_121_293_619, bucket: 72_673 },
  { flag: "use_new_calculator", salt: "", unit: "amy", hash: 483_239_406, bucket: 11_251 },
  { flag: "use_new_calculator", salt: "", unit: "bob", hash: 2_500_578_157, bucket: 58_221 },
  { flag: "use_new_calculator", salt: "2025-08", unit: "UST", hash: 2_129_078_695, bucket: 49_571 },
  { flag: "use_new_calculator", salt: "", unit: "Büro", hash: 2_787_872_164, bucket: 64_910 },
  { flag: "use_new_calculator", salt: "", unit: "債券", hash: 3_302_044_931, bucket: 76_881 },
  { flag: "shadow_sample", salt: "", unit: "UST|1", hash: 249_613_377, bucket: 5_811 },
] as const;

describe("buckets", () => {
  it.each(vectors)(
    "of the flag $flag, the salt '$salt' and the unit $unit have the number $bucket",
    ({ flag, salt, unit, hash, bucket }) => {
      const text = `v1|${flag}|${salt}|${unit}`;
      expect([murmur3(text), theirs(text), bucketOf(flag, salt, unit)]).toEqual([hash, hash, bucket]);
    },
  );

  it("are the ones that docs/rollout.md publishes", () => {
    const document = readFileSync(new URL("../../../docs/rollout.md", import.meta.url), "utf8");
    const rows = vectors.map(({ flag, salt, unit, hash, bucket }) => {
      const code = (text: string): string => (text === "" ? "" : `\`${text.replaceAll("|", "\\|")}\` `);
      return `| ${code(flag)}| ${code(salt)}| ${code(unit)}| ${hash} | ${bucket} |`;
    });
    expect(document).toContain(rows.join("\n"));
  });

  it.each([
    ["", 0],
    ["a", 0x3c2569b2],
    ["abcd", 0x43ed676a],
    ["é", 0x10110787],
    ["The quick brown fox jumps over the lazy dog", 0x2e4ff723],
  ])("come from a hash that equals that of other implementations for the text '%s'", (text, hash) => {
    expect([murmur3(text), theirs(text)]).toEqual([hash, hash]);
  });

  it("come from a hash that equals an independent one for any text, lone surrogates included", () => {
    const text = fc.oneof(
      fc.string({ unit: "binary-ascii", maxLength: 40 }),
      fc.string({ unit: "grapheme", maxLength: 40 }),
      fc.string({ unit: "binary", maxLength: 40 }),
      fc.string({
        unit: fc.constantFrom("a", "\u007f", "\u0080", "ÿ", "\ud800", "\udc00", "\u{1f4b6}"),
        maxLength: 12,
      }),
    );
    fc.assert(
      fc.property(text, (any) => murmur3(any) === theirs(any)),
      { numRuns: runs(300, 5_000) },
    );
  });

  it("are from 0 to 99 999, and reach both ends", () => {
    const seen = units(runs(300_000, 1_000_000), (unit) => bucketOf("flag", "", unit));
    expect(seen.every((bucket) => Number.isInteger(bucket) && bucket >= 0 && bucket < bucketCount)).toBe(
      true,
    );
    expect(seen.includes(0) && seen.includes(bucketCount - 1)).toBe(true);
  });

  it("are filled evenly", () => {
    const cells = new Array<number>(100).fill(0);
    for (const bucket of units(200_000, (unit) => bucketOf("use_new_calculator", "", unit)))
      at(cells, bucket / 1_000);
    // 99 degrees of freedom: a fair hash exceeds 148.2 for one in a thousand sets of unit names.
    expect(chiSquare(cells, () => 2_000)).toBeLessThan(148.2);
  });

  it.each<[string, [string, string], [string, string]]>([
    ["two flags", ["use_new_calculator", ""], ["use_new_reports", ""]],
    ["two salts", ["use_new_calculator", "2025-07"], ["use_new_calculator", "2025-08"]],
    ["routing and sampling", ["use_new_calculator", ""], ["shadow_sample", ""]],
  ])("of %s are independent of each other", (_, one, other) => {
    const cells = new Array<number>(100).fill(0);
    const count = 200_000;
    for (const cell of units(
      count,
      (unit) => decile(bucketOf(...one, unit)) * 10 + decile(bucketOf(...other, unit)),
    ))
      at(cells, cell);
    const sum = (chosen: (cell: number) => boolean): number =>
      cells.reduce((all, held, cell) => all + (chosen(cell) ? held : 0), 0);
    const rows = Array.from({ length: 10 }, (__, row) => sum((cell) => Math.floor(cell / 10) === row));
    const columns = Array.from({ length: 10 }, (__, column) => sum((cell) => cell % 10 === column));
    const expected = (cell: number): number =>
      ((rows[Math.floor(cell / 10)] as number) * (columns[cell % 10] as number)) / count;
    // 81 degrees of freedom: a fair hash exceeds 126.1 for one in a thousand sets of unit names.
    expect(chiSquare(cells, expected)).toBeLessThan(126.1);
  });
});

describe("a percentage", () => {
  it("keeps every included unit when it grows", () => {
    const percentage = fc.double({ min: 0, max: 100, noNaN: true });
    fc.assert(
      fc.property(percentage, percentage, fc.nat({ max: bucketCount - 1 }), (one, other, bucket) => {
        const [less, more] = [Math.min(one, other), Math.max(one, other)];
        return !isWithin(bucket, less) || isWithin(bucket, more);
      }),
      { numRuns: runs(1_000, 5_000) },
    );
  });

  it("of 0 includes nobody and of 100 everybody", () => {
    expect(everybody.filter((bucket) => isWithin(bucket, 0))).toEqual([]);
    expect(everybody.filter((bucket) => isWithin(bucket, 100)).length).toBe(bucketCount);
  });

  it.each([
    [0.001, 1],
    [0.0004, 0],
    [0.0006, 1],
    [0.07, 70],
    [0.29, 290],
    [1.005, 1_005],
    [33.333, 33_333],
    [99.999, 99_999],
  ])("of %d has %d buckets despite float rounding", (percentage, count) => {
    expect(everybody.filter((bucket) => isWithin(bucket, percentage))).toEqual(everybody.slice(0, count));
  });

  it("of 25 includes a quarter of the units", () => {
    const share =
      units(100_000, (unit) => isWithin(bucketOf("use_new_calculator", "", unit), 25)).filter(Boolean)
        .length / 100_000;
    // Four standard deviations of a fair draw.
    expect(Math.abs(share - 0.25)).toBeLessThan(4 * Math.sqrt((0.25 * 0.75) / 100_000));
  });
});

const everybody = Array.from({ length: bucketCount }, (_, bucket) => bucket);

/** Unit names as a desk chooses them: similar and numbered. */
function units<T>(count: number, of: (unit: string) => T): T[] {
  return Array.from({ length: count }, (_, number) => of(`BOOK-${number}`));
}

function at(cells: number[], cell: number): void {
  const place = Math.floor(cell);
  cells[place] = (cells[place] as number) + 1;
}

const decile = (bucket: number): number => Math.floor(bucket / 10_000);

const chiSquare = (cells: readonly number[], expected: (cell: number) => number): number =>
  cells.reduce((sum, held, cell) => sum + (held - expected(cell)) ** 2 / expected(cell), 0);
