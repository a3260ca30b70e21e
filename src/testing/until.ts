import { setTimeout as sleep } from "node:timers/promises";

/**
 * Even a busy machine is faster than this. Shorter than the tests' own time limit, so that the message is
 * shown.
 */
const limitMs = 90_000;

/**
 * Waits until a condition holds. Throws after 90 seconds, with `what` or the source of the condition in the
 * message.
 */
export async function until(
  holds: () => boolean | Promise<boolean>,
  what: string = String(holds),
): Promise<void> {
  for (const endMs = performance.now() + limitMs; !(await holds()); await sleep(5))
    if (performance.now() > endMs)
      throw new Error(`the condition does not hold after ${limitMs / 1_000} s: ${what}`);
}
