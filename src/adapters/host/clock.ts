import type { Clock } from "../../ports/clock.ts";

/** The clock of this machine. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: performance.now.bind(performance),
  every: (intervalMs, tick, keepsAlive = false) => {
    const timer = setInterval(tick, intervalMs);
    if (!keepsAlive) timer.unref();
    return () => clearInterval(timer);
  },
  today: () => {
    const day = Math.floor(Date.now() / 86_400_000);
    if (day !== known.day) known = { day, text: new Date().toISOString().slice(0, 10) };
    return known.text;
  },
};

/** The text of the current day, kept because every comparison may ask for it. */
let known = { day: Number.NaN, text: "" };
