import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseFigure, roundHalfAway } from "../../src/base/fraction.ts";
import { figureText, ownDecimals, roomBehind } from "./figures.ts";

describe("a figure on the page", () => {
  it.each([
    ["0", "0.00"],
    ["-1234.5", "−1,234.50"],
    ["113265928.1250000221148", "113,265,928.13"],
    ["1000000", "1,000,000.00"],
    ["0.005", "0.01"],
    ["0.004", "0.0040"],
    ["-0.00049", "−0.00049"],
    ["-0.0000000000006", "−6.0×10⁻¹³"],
    ["1/3", "0.33"],
    ["-1/3000", "−0.00033"],
    ["999.999", "1,000.00"],
  ])("%s is shown as %s", (exact, shown) => {
    expect(figureText(exact).shown).toBe(shown);
  });

  it("looks like zero only if it is zero, and has the sign of the number", () => {
    const number = fc.tuple(
      fc.bigInt({ min: -(10n ** 24n), max: 10n ** 24n }),
      fc.integer({ min: 0, max: 30 }),
    );
    fc.assert(
      fc.property(number, ([coefficient, scale]) => {
        const digits = `${coefficient < 0n ? -coefficient : coefficient}`.padStart(scale + 1, "0");
        const whole = digits.slice(0, digits.length - scale);
        const text = `${coefficient < 0n ? "-" : ""}${whole}.${digits.slice(digits.length - scale)}0`;
        const { shown, sign } = figureText(text);
        expect(/[1-9]/.test(shown)).toBe(coefficient !== 0n);
        expect(shown.startsWith("−")).toBe(coefficient < 0n);
        expect(sign).toBe(coefficient === 0n ? 0 : coefficient < 0n ? -1 : 1);
        const value = parseFigure(text);
        if (value === undefined) throw new Error("the text should be a number");
        if (roundHalfAway(value, 2) === 0n) return;
        const cents = shown.replaceAll(",", "").replace("−", "-").replace(".", "");
        expect(BigInt(cents)).toBe(roundHalfAway(value, 2));
      }),
    );
  });

  it("of a price has all its decimals up to nine, and says that more are cut off", () => {
    expect(ownDecimals("110.015625").shown).toBe("110.015625");
    expect(ownDecimals("110").shown).toBe("110");
    expect(ownDecimals("103.08253421015314").shown).toBe("103.082534210…");
    expect(ownDecimals("16182017/161664").shown).toBe("100.096601593…");
    expect([..."110.5"].length + [...roomBehind("110.5")].length).toBe("110.015625".length);
  });
});
