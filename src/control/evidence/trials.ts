/**
 * Derives the trials and events from the stored evidence of all processes. An instrument-day is one lane on
 * one trading day: the `LaneDay` of the method that speaks most against modern. A trading day is closed if it
 * is before the running one. Evidence is live if modern was the shadow, and served if modern answered.
 */
import type { EvidenceSource, LaneDay, StoredEvidence } from "../../ports/tallies.ts";

/** A process may have died up to this time after its last sign of life. */
const signOfLifeMs = 60_000;

/**
 * An instrument-day of a closed trading day on which the lane began in agreement, or apart with an accepted
 * cause.
 */
export interface Trial extends LaneDay {
  /** Whether the trial ended apart without an accepted cause. A failure of modern counts as apart. */
  readonly event: boolean;
}

export interface Trials {
  readonly trials: readonly Trial[];
  /** The last instrument-day of each lane, running day included, if it is apart without an accepted cause. */
  readonly apartNow: readonly LaneDay[];
  /** All instrument-days of closed trading days that are apart without an accepted cause, trials or not. */
  readonly apart: readonly LaneDay[];
  /** The instrument-days of closed trading days that have an accepted cause. */
  readonly accepted: readonly LaneDay[];
  /**
   * The void instrument-days of closed trading days: they agreed or had an accepted cause when last compared,
   * and their end is not known, because a process died. They are in none of the lists above.
   */
  readonly voided: readonly LaneDay[];
}

/** The limit in dollars of one difference that no accepted cause explains. */
export const rowMax = 1_000;

const laneOf = ({ source, book, symbol }: LaneDay): string => `${source}\n${book}\n${symbol}`;
/**
 * The key under which the present state of a lane is kept. Live and served evidence share a key: after a
 * rollback, the shadow shows whether a lane that was apart in modern's answers agrees again.
 */
const standingOf = ({ source, book, symbol }: LaneDay): string =>
  `${source === "replay"}\n${book}\n${symbol}`;
const isApart = ({ apart, accepted }: LaneDay): boolean => apart !== null && accepted === null;

/**
 * Derives the trials of all lanes, by trading day. `today` is the running trading day, which has no trials.
 *
 * A process that did not record its end may have lost its last comparisons. So the instrument-days from the
 * latest trading day of the process on are void, unless they were compared more than a minute after the last
 * sign of life of the process. An instrument-day that is apart without an accepted cause is never void, so
 * that the death of a process hides no event. A replayed instrument-day is never void either.
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
  const byDay = instrumentDays(laneDays).toSorted((one, other) =>
    one.day < other.day ? -1 : one.day > other.day ? 1 : 0,
  );
  for (const laneDay of byDay) {
    const lane = laneOf(laneDay);
    const standing = standingOf(laneDay);
    const before = last.get(standing);
    // On one day, modern may be the shadow for some users and answer others. Then both must agree.
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

/**
 * Reduces the last comparisons of all methods to one for each lane, day and source: the worst one. Unless it
 * is apart without an accepted cause, it gets the time of the oldest of them, since a process that died may
 * have lost a later comparison of that method.
 */
function instrumentDays(laneDays: readonly LaneDay[]): readonly LaneDay[] {
  const found = new Map<string, LaneDay>();
  for (const laneDay of laneDays) {
    const id = `${laneDay.day}\n${laneOf(laneDay)}`;
    const other = found.get(id);
    if (other === undefined) found.set(id, laneDay);
    else {
      const worse = isWorse(laneDay, other) ? laneDay : other;
      const at = laneDay.at < other.at ? laneDay.at : other.at;
      found.set(id, isApart(worse) || worse.at === at ? worse : { ...worse, at });
    }
  }
  return [...found.values()];
}

function isWorse(one: LaneDay, other: LaneDay): boolean {
  const [mine, theirs] = [badnessOf(one), badnessOf(other)];
  const at = mine.findIndex((value, index) => value !== theirs[index]);
  return at >= 0 && (mine[at] ?? 0) > (theirs[at] ?? 0);
}

/** An unknown amount of money ranks below every amount above the limit, and above all others. */
const badnessOf = (laneDay: LaneDay): readonly number[] => [
  isApart(laneDay) ? 2 : laneDay.apart === null ? 0 : 1,
  laneDay.quantityApart ? 1 : 0,
  laneDay.money ?? rowMax,
  Math.abs(laneDay.signed),
];

export const ofSources = (
  trials: readonly Trial[],
  ...sources: readonly EvidenceSource[]
): readonly Trial[] => trials.filter(({ source }) => sources.includes(source));

export const daysOf = (laneDays: readonly LaneDay[]): readonly string[] =>
  [...new Set(laneDays.map(({ day }) => day))].toSorted();
