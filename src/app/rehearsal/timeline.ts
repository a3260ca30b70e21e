/** The timeline of a rehearsal, for people: one entry for a day on which something happened. */
import type { Rehearsal, RehearsedDay } from "./rehearse.ts";

export interface TimelineEntry {
  /** A day, or a period of days on which no file landed. */
  readonly when: string;
  readonly what: string;
  /** The evidence of a move forward; empty on other days. */
  readonly gates: RehearsedDay["gates"];
}

const noFile = "no file landed";

export function timelineOf({ days }: Pick<Rehearsal, "days">): readonly TimelineEntry[] {
  const entries: TimelineEntry[] = [];
  let quiet: RehearsedDay[] = [];
  const endQuiet = (): void => {
    const [first, last] = [quiet[0], quiet.at(-1)];
    if (first === undefined || last === undefined) return;
    const period = first === last ? "" : ` to ${last.tradingDay}, ${quiet.length} days`;
    entries.push({ when: `${first.tradingDay}${period}`, what: noFile, gates: [] });
    quiet = [];
  };
  let before: RehearsedDay | undefined;
  for (const day of days) {
    const events = eventsOf(day, before);
    before = day;
    if (events.length === 1 && events[0] === noFile) {
      quiet.push(day);
      continue;
    }
    endQuiet();
    const gates = day.gates.every(({ open }) => open) ? day.gates : [];
    if (events.length > 0) entries.push({ when: day.tradingDay, what: events.join("; "), gates });
  }
  endQuiet();
  return entries;
}

function eventsOf(day: RehearsedDay, before: RehearsedDay | undefined): readonly string[] {
  const { moves, rollback, differences, explained, percentage, notes, phase } = day;
  const isRaised = phase === "dual_write" && percentage !== (before?.percentage ?? 0);
  return [
    ...(differences > 0 ? [`${many(differences)} apart, ${explained} of them with a proved cause`] : []),
    ...(rollback === undefined ? [] : [`rolled back: ${rollback}`]),
    ...moves.map(({ from, to }) => `${from} → ${to}`),
    ...(isRaised ? [`modern answers ${percentage} %`] : []),
    ...(day.isWithoutFiles ? [noFile] : []),
    ...notes,
  ];
}

const many = (rows: number): string => (rows === 1 ? "1 row is" : `${rows} rows are`);

/** The outcome of the migration in a few words. */
export function outcomeOf({ reached, stopped, waiting, days }: Rehearsal): string {
  if (stopped === undefined) return `reached ${reached} on ${days.at(-1)?.tradingDay}`;
  if (waiting.length === 0) return `${stopped.why} on ${stopped.tradingDay}, and no gate is closed`;
  return `stopped in ${reached} at ${stopped.gate}, which has blocked since ${stopped.tradingDay}`;
}
