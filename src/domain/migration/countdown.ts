/**
 * Tallies keep the largest value of all processes. A minute that counts down to a far one makes the first
 * minute of all the largest.
 */
const farMinute = 1_000_000_000;

export const countdown = (minute: number): number => farMinute - minute;
