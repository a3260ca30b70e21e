import { expect, test } from "vitest";
import { drillSize } from "./drill.ts";

test.each([
  [[], 3],
  [[0, 0, 0, 0, 10, 11], 5],
  [Array.from({ length: 50 }, () => 0), 20],
])(
  "a drill for processes that were silent for %j ms, with a lease of 10 ms, has %d processes",
  (ages, size) => {
    const instances = ages.map((ageMs) => ({ ageMs }));
    expect(drillSize(instances, 10)).toBe(size);
  },
);
