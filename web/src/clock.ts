/**
 * Times of the page. Ages are computed from the gateway's clock, because the clock of this computer may be
 * wrong; durations come from the monotonic clock.
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

/** The gateway's time when its last beat arrived; undefined before the first one. */
let lastBeat: { readonly serverMs: number; readonly at: Moment } | undefined;

/** Notes the gateway's time, ISO 8601, as of now. */
export function noteServerTime(now: string): void {
  lastBeat = { serverMs: Date.parse(now), at: moment() };
}

/** The gateway's time now, in milliseconds since 1970. Before its first beat it is this computer's time. */
export const serverNowMs = (): number =>
  lastBeat === undefined ? Date.now() : lastBeat.serverMs + performance.now() - lastBeat.at.monotonicMs;

/** By how much this computer's clock is ahead of the gateway's, in milliseconds. */
export const clockErrorMs = (): number =>
  lastBeat === undefined ? 0 : lastBeat.at.wallMs - lastBeat.serverMs;

/** Grows four times a second while the page is visible, so that ages on the screen grow. */
const ticks = createStore(0);
setInterval(() => {
  if (document.visibilityState === "visible") ticks.set(ticks.get() + 1);
}, 250);

/** Draws a component again with each tick. */
export const useTick = (): number => useStore(ticks);

/** An age as text: `0.4 s`, `12 s`, `3 min 05 s`, `2 h 10 min`, `3 d 4 h`. Ages are cut, never rounded up. */
export function ageText(ms: number): string {
  const s = Math.floor(Math.max(0, ms) / 1_000);
  if (s < 10) return `${(Math.floor(Math.max(0, ms) / 100) / 10).toFixed(1)} s`;
  if (s < 60) return `${s} s`;
  const two = (value: number): string => String(value).padStart(2, "0");
  if (s < 3_600) return `${Math.floor(s / 60)} min ${two(s % 60)} s`;
  if (s < 86_400) return `${Math.floor(s / 3_600)} h ${two(Math.floor(s / 60) % 60)} min`;
  return `${Math.floor(s / 86_400)} d ${Math.floor(s / 3_600) % 24} h`;
}

/** The desk's time zone, which every time on the page uses. */
const deskZone = "America/Chicago";

const formats = {
  time: { hour: "2-digit", minute: "2-digit", second: "2-digit" },
  full: {
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  },
} as const;
const formatters = new Map<string, Intl.DateTimeFormat>();

/** An instant as the desk's wall clock shows it, with the zone: `14:03:07 CDT`. */
export function deskTime(instantMs: number, format: keyof typeof formats = "time"): string {
  let formatter = formatters.get(format);
  if (formatter === undefined) {
    formatter = new Intl.DateTimeFormat("en-CA", {
      ...formats[format],
      timeZone: deskZone,
      hourCycle: "h23",
      timeZoneName: "short",
    });
    formatters.set(format, formatter);
  }
  return formatter.format(instantMs).replace(",", "");
}
