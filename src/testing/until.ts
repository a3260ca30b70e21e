import { setTimeout as sleep } from "node:timers/promises";

/** A machine that needs longer than this is broken, not busy. Below the tests' own limit, so that the message is seen. */
const limitMs = 90_000;

/** Waits until something holds. Throws after 90 seconds, with `what`, or the text of the condition. */
export async function until(holds: () => boolean | Promise<boolean>, what: string = String(holds)): Promise<void> {
  for (const endMs = performance.now() + limitMs; !(await holds()); await sleep(5))
    if (performance.now() > endMs) throw new Error(`did not come true within ${limitMs / 1_000} s: ${what}`);
}
