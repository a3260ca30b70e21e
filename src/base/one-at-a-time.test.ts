import { expect, it } from "vitest";
import { oneAtATime } from "./one-at-a-time.ts";

it("a request after a failed run runs the job again", async () => {
  let runs = 0;
  const run = oneAtATime(async () => {
    runs += 1;
    if (runs === 1) throw new Error("the first run fails");
  });
  await expect(run()).rejects.toThrow("the first run fails");
  await run();
  expect(runs).toBe(2);
});
