/** Judges whether the evidence proves harm by modern, so that a trigger may take modern out of use. */
import type { EvidenceFacts } from "./facts.ts";
import { isMaterial } from "./figure-gates.ts";
import { evidenceAbove, lowerBound } from "./statistics.ts";
import { ofSources } from "./trials.ts";
import { dollars, many, percent } from "./verdict.ts";

/** The probability of an alarm by chance, over all classes of products that are watched. */
const alpha = 0.05;

/**
 * Judges the instrument-days that modern has answered since it was taken back into use last. Harm is proved by
 * one material figure, or by a rate of events above its limit. Each class of products may look bad by chance,
 * so the proof about one of them must be stricter the more there are. Returns the reason; undefined if no harm
 * is proved.
 */
export function provedHarm({ trials, limits, backInUseMs = -Infinity }: EvidenceFacts): string | undefined {
  const served = ofSources(trials.trials, "served").filter(({ at }) => Date.parse(at) > backInUseMs);
  const material = served.find((one) => one.event && isMaterial(one));
  if (material !== undefined) {
    const { day, book, symbol, apart, quantityApart, money } = material;
    const by = quantityApart ? "in quantity" : `by ${dollars(money ?? 0)}`;
    return `modern showed ${[book, symbol].filter(Boolean).join(" ")} ${apart} of ${day} wrong ${by}`;
  }
  const groups = [...new Set(served.map(({ group }) => group))];
  for (const group of groups) {
    const own = served.filter((one) => one.group === group);
    const count = { k: own.filter(({ event }) => event).length, n: own.length };
    if (evidenceAbove(count, limits.accuracy.served) < groups.length / alpha) continue;
    const least = percent(lowerBound(count, alpha / groups.length));
    return (
      `modern showed ${count.k} of ${many(count.n, "instrument-day")} of the class ${group} wrong: ` +
      `the true rate is at least ${least}; the limit is ${percent(limits.accuracy.served)}`
    );
  }
  return undefined;
}
