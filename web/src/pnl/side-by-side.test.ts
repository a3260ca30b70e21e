import { describe, expect, it } from "vitest";
import { differenceOf, pairedRows, SideBySide } from "./side-by-side.ts";

const panels = { unavailable: {} };
const field = (
  path: string,
  entry: string | null,
  verdict: "diverged" | "within_tolerance" | "not_comparable",
) => ({
  ...{ path, entry, verdict },
  ...{ legacy: null, modern: null, difference: null },
});
const compared = (...fields: ReturnType<typeof field>[]) =>
  new SideBySide(panels, panels, { verdict: "diverged", fields, more: 0 });

describe("both systems side by side", () => {
  it("a figure has the verdict of its field, its row or its panel, and is equal without one", () => {
    const sides = compared(
      field("positions[].realized", "UST TYU5", "within_tolerance"),
      field("positions[]", "UST TUU5", "diverged"),
      field("trades", null, "not_comparable"),
    );
    expect(sides.verdictOf("positions[].realized", "UST TYU5")).toBe("within_tolerance");
    expect(sides.verdictOf("positions[].quantity", "UST TYU5")).toBe("equal");
    expect(sides.verdictOf("positions[].quantity", "UST TUU5")).toBe("diverged");
    expect(sides.verdictOf("trades[].price", "1 TYU5 B 2")).toBe("not_comparable");
    expect(sides.verdictOf("summary.totals.USD.total")).toBe("equal");
    expect(sides.verdictOn("positions")).toBe("diverged");
    expect(sides.verdictOn("daily")).toBe("equal");
  });

  it("nothing is called equal without a comparison, or while some differences are only counted", () => {
    const alone = new SideBySide(panels, panels, undefined);
    expect(alone.verdictOf("summary.openPositions")).toBeUndefined();
    expect(alone.verdictOn("summary")).toBeUndefined();
    const cut = new SideBySide(panels, panels, { verdict: "diverged", fields: [], more: 3 });
    expect(cut.verdictOf("summary.openPositions")).toBeUndefined();
  });

  it("the difference is exact, and missing if one of the figures is", () => {
    expect(differenceOf({ legacy: "113265928.1250000221148", modern: "112209365.625" })).toBe(
      "-1056562.5000000221148",
    );
    expect(differenceOf({ legacy: "1/3", modern: "0.5" })).toBe("1/6");
    expect(differenceOf({ legacy: null, modern: "0" })).toBeNull();
    expect(differenceOf({ legacy: "0", modern: undefined })).toBeNull();
  });

  it("rows are paired by their key, equal keys in order, and those of one system stand alone", () => {
    const rows = pairedRows(["a1", "b1", "a2"], ["a3", "c1"], (row) => row[0] ?? "");
    expect(rows.map(({ key, legacy, modern }) => [key, legacy, modern])).toEqual([
      ["a", "a1", "a3"],
      ["b", "b1", undefined],
      ["a #2", "a2", undefined],
      ["c", undefined, "c1"],
    ]);
  });
});
