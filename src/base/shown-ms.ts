/** A duration in milliseconds, rounded to 0.001 ms, for logs and answers. */
export const shownMs = (ms: number): number => Math.round(ms * 1_000) / 1_000;
