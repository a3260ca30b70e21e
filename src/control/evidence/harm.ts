/** Judges whether evidence proves that modern does harm, so that a trigger may take modern out of use. */
import { countdown } from "../../domain/migration/countdown.ts";
import { idsIn, type LaneDay } from "../../ports/tallies.ts";
import { type EvidenceFacts, isMarkOf } from "./facts.ts";
import { isMaterial, materialText } from "./figure-gates.ts";
import { seenIn } from "./metrics.ts";
import { evidenceAbove, lowerBound } from "./statistics.ts";
import { rowMax } from "./trials.ts";
import { dollars, many, percent } from "./verdict.ts";

/** The accepted probability of a wrong proof, over all classes of products together. */
const alpha = 0.05;

/** A book and trading day on which modern showed a material error, even if only for a short time. */
interface ShownError {
  readonly day: string;
  /** Empty if the call named no book. */
  readonly book: string;
  readonly money: number;
  /** Whether a quantity was wrong that no accepted cause explains. */
  readonly isQuantity: boolean;
  readonly firstMs: number;
}

/**
 * Returns the material errors that modern showed. Instrument-days of the same book and day that have accepted
 * causes excuse an error: its money up to the limits of their causes, and a wrong quantity if the quantity of
 * one of them differs. They may be void.
 */
export function shownErrors({
  stored: { tallies, laneDays },
  causes,
}: Pick<EvidenceFacts, "stored" | "causes">): readonly ShownError[] {
  const limitOf = (mark: string): number =>
    Math.max(0, ...causes.filter((one) => isMarkOf(mark, one)).map(({ limit }) => Number(limit ?? Infinity)));
  const excused = (laneDay: LaneDay): number =>
    idsIn(laneDay).reduce((total, mark) => total + limitOf(mark), 0);
  const accepted = laneDays.filter((one) => one.accepted !== null);
  const seen = seenIn(tallies);
  const has = (what: string, { day, who }: (typeof seen)[number]) =>
    seen.find((one) => one.what === what && one.day === day && one.who === who);
  return seen
    .filter(({ what }) => what === "wrong_book")
    .map((error) => {
      const { day, who: book, largest: money } = error;
      const excuses = accepted.filter((one) => isOf(one, { day, book }));
      const isQuantity =
        has("wrong_quantity", error) !== undefined && !excuses.some((one) => one.quantityApart);
      const isMoney = money > rowMax && excuses.every((one) => excused(one) < money);
      const from = has("wrong_from", error);
      return { day, book, money, isQuantity, isMoney, firstMs: countdown(from?.largest ?? 0) * 60_000 };
    })
    .filter(({ isQuantity, isMoney }) => isQuantity || isMoney);
}

/**
 * Returns the number of book-days on which modern showed a wrong value whose money is unknown, without an
 * accepted cause that explains such a value.
 */
export const unknownErrors = ({ stored: { tallies, laneDays } }: Pick<EvidenceFacts, "stored">): number =>
  seenIn(tallies).filter(
    ({ what, day, who: book }) =>
      what === "wrong_unknown" &&
      !laneDays.some((one) => one.accepted !== null && one.money === null && isOf(one, { day, book })),
  ).length;

/** Whether modern answered for an instrument-day, and it is one of the day and book. */
const isOf = (one: LaneDay, { day, book }: { readonly day: string; readonly book: string }): boolean =>
  one.source === "served" && one.day === day && (book === "" || one.book === book);

/**
 * Judges what modern has answered on closed trading days since modern was last taken back into use. Harm is
 * proved by one material error that modern showed, by one material event (see `isMaterial`), or by a class of
 * products whose true rate of events is proved to exceed `gates.accuracy.served`. With more classes it is
 * likelier that one looks bad by chance, so the evidence must be stronger. A void instrument-day counts as
 * one that agreed, so that the death of a process proves nothing. Only what is `settled` is judged, since an
 * accepted cause may explain the rest. Returns the reason; undefined if no harm is proved.
 */
export function provedHarm(facts: EvidenceFacts): string | undefined {
  const { trials, limits, today, backInUseMs = -Infinity } = facts;
  const { day: before, atMs: untilMs } = facts.settled ?? { day: today, atMs: Infinity };
  const isSince = (ms: number): boolean => ms > backInUseMs && ms <= untilMs;
  const isJudged = ({ at, source, day }: LaneDay): boolean =>
    source === "served" && day < before && isSince(Date.parse(at));
  const served = trials.trials.filter(isJudged);
  const material = served.find((one) => one.event && isMaterial(one));
  if (material !== undefined) return `modern was wrong about ${materialText(material)}`;
  const shown = shownErrors(facts).find(({ day, firstMs }) => day < before && isSince(firstMs));
  if (shown !== undefined)
    return (
      `modern showed ${shown.isQuantity ? "a wrong quantity" : "a figure"}${shown.book === "" ? "" : ` of ${shown.book}`} on ${shown.day}` +
      (shown.isQuantity
        ? "; no quantity may differ"
        : ` that was off by up to ${dollars(shown.money)}; the limit is ${dollars(rowMax)}`)
    );
  const groups = [...new Set(served.map(({ group }) => group))];
  for (const group of groups) {
    const own = served.filter((one) => one.group === group);
    const voided = trials.voided.filter((one) => one.group === group && isJudged(one)).length;
    const count = { k: own.filter(({ event }) => event).length, n: own.length + voided };
    if (evidenceAbove(count, limits.accuracy.served) < groups.length / alpha) continue;
    const least = percent(lowerBound(count, alpha / groups.length));
    return (
      `${count.k} of ${many(count.n, "instrument-day")} of the class ${group} that modern answered remained ` +
      `unexplained, so the true rate is at least ${least}; the limit is ${percent(limits.accuracy.served)}`
    );
  }
  return undefined;
}
