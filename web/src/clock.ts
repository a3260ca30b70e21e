/**
 * Times of the page. Ages are computed from the gateway's clock, because the clock of this computer may be
 * wrong. Durations come from the monotonic clock and the wall clock of this computer: see `sinceMs`.
 */
import { createStore, useStore } from "./store.ts";

/** A moment on both clocks of this computer. */
export interface Moment {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

export const moment = (): Moment => ({ monotonicMs: performance.now(), wallMs: Date.now() });

/**
 * Milliseconds since a moment, never negative. The monotonic clock of some systems stops while the computer
 * sleeps, and a person may set the wall clock back, so the larger of both differences counts.
 */
export const sinceMs = ({ monotonicMs, wallMs }: Moment): number =>
  Math.max(0, performance.now() - monotonicMs, Date.now() - wallMs);

/** The gateway's time in its last `hello` or `beat` event, and the time when that event arrived. */
let lastBeat: { readonly serverMs: number; readonly at: Moment } | undefined;

/** Notes the gateway's time, ISO 8601, as of now. */
export function noteServerTime(now: string): void {
  lastBeat = { serverMs: Date.parse(now), at: moment() };
}

/** The gateway's time now, in milliseconds since 1970; this computer's time before the first event. */
export const serverNowMs = (): number =>
  lastBeat === undefined ? Date.now() : lastBeat.serverMs + performance.now() - lastBeat.at.monotonicMs;

/** By how much this computer's clock is ahead of the gateway's, in milliseconds. */
export const clockErrorMs = (): number =>
  lastBeat === undefined ? 0 : lastBeat.at.wallMs - lastBeat.serverMs;

/** Grows twice a second while the page is visible, so that ages on the screen grow. */
const ticks = createStore(0);
setInterval(() => {
  if (document.visibilityState === "visible") ticks.set(ticks.get() + 1);
}, 500);

/** Draws a component again with each tick. */
export const useTick = (): number => useStore(ticks);
