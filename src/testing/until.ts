import { setTimeout as sleep } from "node:timers/promises";

/**
 * This limit is long enough for a busy machine, and shorter than the time limit of the tests, so that the
 * message is shown.
 */
const limitMs = 90_000;

/**
 * Waits until a condition holds. Checks it again after 5 ms, or after three times the duration of the last
 * check: a check that starts a program must leave time for the work that the test waits for. Throws after 90
 * seconds, with `what` or the source of the condition in the message.
 */
export async function until(
  holds: () => boolean | Promise<boolean>,
  what: string = String(holds),
): Promise<void> {
  const endMs = performance.now() + limitMs;
  for (;;) {
    const lookMs = performance.now();
    if (await holds()) return;
    const nowMs = performance.now();
    if (nowMs > endMs) throw new Error(`the condition does not hold after ${limitMs / 1_000} s: ${what}`);
    await sleep(Math.max(5, 3 * (nowMs - lookMs)));
  }
}
