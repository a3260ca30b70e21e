import { expect, it } from "vitest";
import { randomFrom } from "../../app/demo-desk/random.ts";
import { Reservoir } from "./reservoir.ts";

function offering(reservoir: Reservoir<number>, values: readonly number[]): { readonly kept: number } {
  let kept = 0;
  for (const [before, value] of values.entries()) {
    if (before + 1 < reservoir.next) continue;
    reservoir.keep(value);
    kept += 1;
  }
  return { kept };
}

const upTo = (count: number): readonly number[] => Array.from({ length: count }, (_, at) => at);

it("the first items are all kept, in order", () => {
  const reservoir = new Reservoir<number>(3, randomFrom(1).unit);
  offering(reservoir, [1, 2, 3]);
  expect(reservoir.samples).toEqual([1, 2, 3]);
});

it("the sample never exceeds its limit, and seldom changes", () => {
  const reservoir = new Reservoir<number>(10, randomFrom(1).unit);
  const { kept } = offering(reservoir, upTo(100_000));
  expect(reservoir.samples.length).toBe(10);
  // 10 + 10 × (1/11 + … + 1/100 000), about 102.
  expect(kept).toBeLessThan(200);
});

it("each item is kept with the same probability", () => {
  const random = randomFrom(7).unit;
  const kept = new Array<number>(50).fill(0);
  const rounds = 20_000;
  for (let round = 0; round < rounds; round++) {
    const reservoir = new Reservoir<number>(5, random);
    offering(reservoir, upTo(kept.length));
    for (const value of reservoir.samples) kept[value] = (kept[value] as number) + 1;
  }
  const expected = (rounds * 5) / kept.length;
  // Each item is kept in a tenth of the rounds. None of fifty items is five standard deviations off by
  // chance.
  for (const count of kept)
    expect(Math.abs(count - expected)).toBeLessThan(5 * Math.sqrt(rounds * 0.1 * 0.9));
});

it.each([1, 2, 10])(
  "each item is kept with the same probability in a sample of %d, including the last ones",
  (room) => {
    const random = randomFrom(room).unit;
    const [rounds, offered] = [20_000, 20];
    let last = 0;
    for (let round = 0; round < rounds; round++) {
      const reservoir = new Reservoir<number>(room, random);
      offering(reservoir, upTo(offered));
      if (reservoir.samples.includes(offered - 1)) last += 1;
    }
    const share = room / offered;
    expect(Math.abs(last - rounds * share)).toBeLessThan(4 * Math.sqrt(rounds * share * (1 - share)));
  },
);

it("any sequence of random numbers is accepted", () => {
  for (const draw of [0, 0.5, 1 - 2 ** -53]) {
    const reservoir = new Reservoir<number>(3, () => draw);
    offering(reservoir, upTo(1_000));
    expect(reservoir.samples.length).toBe(3);
  }
});

it("a sample of size 0 keeps nothing", () => {
  const reservoir = new Reservoir<number>(0, () => 0);
  expect([offering(reservoir, [1]).kept, reservoir.samples]).toEqual([0, []]);
});
