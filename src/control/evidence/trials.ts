/** Derives the trials and events from the stored lane days of all processes. */
import type { EvidenceSource, LaneDay, StoredEvidence } from "../../ports/tallies.ts";

/** A process may have died up to this time after its last sign of life. */
const signOfLifeMs = 60_000;

/** An instrument-day that began in agreement. */
export interface Trial extends LaneDay {
  /** Whether it ended apart, without an accepted cause. */
  readonly event: boolean;
}

export interface Trials {
  readonly trials: readonly Trial[];
  /** The lanes whose last day, the running one included, is apart without an accepted cause. */
  readonly apartNow: readonly LaneDay[];
  /** Closed days that are apart without an accepted cause, trials or not. */
  readonly apart: readonly LaneDay[];
  /** Closed days with an accepted cause. */
  readonly accepted: readonly LaneDay[];
  /**
   * Closed days that agreed, or had an accepted cause, when last compared, and whose end is not known, since
   * a process died. They are not in the other lists of closed days.
   */
  readonly voided: readonly LaneDay[];
}

const laneOf = ({ source, book, symbol }: LaneDay): string => `${source}\n${book}\n${symbol}`;
/**
 * The key under which the present state of a lane is kept. Live and served evidence count together: after a
 * rollback, the shadow shows whether a lane that was apart in modern's answers agrees again.
 */
const standingOf = ({ source, book, symbol }: LaneDay): string =>
  `${source === "replay"}\n${book}\n${symbol}`;
const isApart = ({ apart, accepted }: LaneDay): boolean => apart !== null && accepted === null;

/**
 * Derives the trials of all lanes, in order of time. `today` is the running trading day, which does not
 * count.
 *
 * A process that did not record its end may have lost its last comparisons. So the lane days from its latest
 * trading day on are void, unless they have a comparison more than a minute after its last sign of life. A
 * day that was apart without an accepted cause is never void, so that the death of a process hides no event;
 * nor is a replayed day.
 */
export function trialsOf(
  { laneDays, processes }: Pick<StoredEvidence, "laneDays" | "processes">,
  { today, nowMs }: { readonly today: string; readonly nowMs: number },
): Trials {
  const dead = processes
    .filter(({ ended, at }) => !ended && Date.parse(at) + signOfLifeMs < nowMs)
    .map(({ day, at }) => ({ day, untilMs: Date.parse(at) + signOfLifeMs }));
  const isVoid = (laneDay: LaneDay): boolean => {
    const { day, at, source } = laneDay;
    return (
      source !== "replay" &&
      !isApart(laneDay) &&
      dead.some((one) => day >= one.day && Date.parse(at) <= one.untilMs)
    );
  };
  const found = {
    trials: [] as Trial[],
    apart: [] as LaneDay[],
    accepted: [] as LaneDay[],
    voided: [] as LaneDay[],
  };
  const last = new Map<string, LaneDay>();
  const agreed = new Map<string, boolean>();
  for (const laneDay of laneDays.toSorted((one, other) =>
    one.day < other.day ? -1 : one.day > other.day ? 1 : 0,
  )) {
    const lane = laneOf(laneDay);
    const standing = standingOf(laneDay);
    const before = last.get(standing);
    // Where modern is the shadow for some users and answers others, the lane must agree for all of them.
    if (before?.day !== laneDay.day || !isApart(before)) last.set(standing, laneDay);
    if (laneDay.day >= today) continue;
    if (isVoid(laneDay)) {
      found.voided.push(laneDay);
      agreed.set(lane, true);
      continue;
    }
    const event = isApart(laneDay);
    if (event) found.apart.push(laneDay);
    if (laneDay.accepted !== null) found.accepted.push(laneDay);
    if (agreed.get(lane) !== false) found.trials.push({ ...laneDay, event });
    agreed.set(lane, !event);
  }
  return { ...found, apartNow: [...last.values()].filter(isApart) };
}

export const ofSources = (
  trials: readonly Trial[],
  ...sources: readonly EvidenceSource[]
): readonly Trial[] => trials.filter(({ source }) => sources.includes(source));

export const daysOf = (laneDays: readonly LaneDay[]): readonly string[] =>
  [...new Set(laneDays.map(({ day }) => day))].toSorted();
