const farMinute = 1_000_000_000;

/**
 * Returns the number of minutes from a minute to a far future one. A tally keeps the largest value of all
 * processes, so a tally of these numbers keeps the earliest minute.
 */
export const countdown = (minute: number): number => farMinute - minute;
