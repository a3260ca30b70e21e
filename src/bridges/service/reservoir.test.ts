import { expect, it } from "vitest";
import { randomFrom } from "../../app/demo-desk/random.ts";
import { Reservoir } from "./reservoir.ts";

it("keeps all while there is room, in order", () => {
  const reservoir = new Reservoir<number>(3, randomFrom(1).unit);
  for (const value of [1, 2, 3]) reservoir.offer(() => value);
  expect([reservoir.samples, reservoir.offered]).toEqual([[1, 2, 3], 3]);
});

it("never keeps more than it may, and makes only what it keeps", () => {
  let made = 0;
  const reservoir = new Reservoir<number>(10, randomFrom(1).unit);
  for (let value = 0; value < 100_000; value++)
    reservoir.offer(() => {
      made += 1;
      return value;
    });
  expect([reservoir.samples.length, reservoir.offered]).toEqual([10, 100_000]);
  // 10 + 10 × (1/11 + … + 1/100 000), about 102.
  expect(made).toBeLessThan(200);
});

it("keeps each as likely as any other", () => {
  const random = randomFrom(7).unit;
  const kept = new Array<number>(50).fill(0);
  const rounds = 20_000;
  for (let round = 0; round < rounds; round++) {
    const reservoir = new Reservoir<number>(5, random);
    for (let value = 0; value < kept.length; value++) reservoir.offer(() => value);
    for (const value of reservoir.samples) kept[value] = (kept[value] as number) + 1;
  }
  const expected = (rounds * 5) / kept.length;
  // Each is kept in a tenth of the rounds; five deviations are not left by chance in fifty values.
  for (const count of kept) expect(Math.abs(count - expected)).toBeLessThan(5 * Math.sqrt(rounds * 0.1 * 0.9));
});

it.each([1, 2, 10])("keeps each as likely as any other where it has room for %d, those offered last included", (room) => {
  const random = randomFrom(room).unit;
  const [rounds, offered] = [20_000, 20];
  let last = 0;
  for (let round = 0; round < rounds; round++) {
    const reservoir = new Reservoir<number>(room, random);
    for (let value = 1; value <= offered; value++) reservoir.offer(() => value);
    if (reservoir.samples.includes(offered)) last += 1;
  }
  const share = room / offered;
  expect(Math.abs(last - rounds * share)).toBeLessThan(4 * Math.sqrt(rounds * share * (1 - share)));
});

it("gets along with whatever chance there is", () => {
  for (const draw of [0, 0.5, 1 - 2 ** -53]) {
    const reservoir = new Reservoir<number>(3, () => draw);
    for (let value = 0; value < 1_000; value++) reservoir.offer(() => value);
    expect(reservoir.samples.length).toBe(3);
  }
});

it("keeps none where it may keep none", () => {
  const reservoir = new Reservoir<number>(0, () => 0);
  reservoir.offer(() => expect.fail("was made"));
  expect([reservoir.samples, reservoir.offered]).toEqual([[], 1]);
});
