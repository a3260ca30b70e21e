/** Judges whether evidence proves that modern does harm, so that a trigger may take modern out of use. */
import type { EvidenceFacts } from "./facts.ts";
import { isMaterial, materialText } from "./figure-gates.ts";
import { evidenceAbove, lowerBound } from "./statistics.ts";
import { ofSources } from "./trials.ts";
import { many, percent } from "./verdict.ts";

/** The accepted probability of a wrong proof, over all classes of products together. */
const alpha = 0.05;

/**
 * Judges the trials that modern has answered since modern was last taken back into use. Harm is proved by one
 * material event (see `isMaterial`), or by a class of products whose true rate of events is proved to exceed
 * `gates.accuracy.served`. The more classes there are, the more likely one of them looks bad by chance, so
 * the evidence must be stronger. Returns the reason; undefined if no harm is proved.
 */
export function provedHarm({ trials, limits, backInUseMs = -Infinity }: EvidenceFacts): string | undefined {
  const served = ofSources(trials.trials, "served").filter(({ at }) => Date.parse(at) > backInUseMs);
  const material = served.find((one) => one.event && isMaterial(one));
  if (material !== undefined) return `modern was wrong about ${materialText(material)}`;
  const groups = [...new Set(served.map(({ group }) => group))];
  for (const group of groups) {
    const own = served.filter((one) => one.group === group);
    const count = { k: own.filter(({ event }) => event).length, n: own.length };
    if (evidenceAbove(count, limits.accuracy.served) < groups.length / alpha) continue;
    const least = percent(lowerBound(count, alpha / groups.length));
    return (
      `${count.k} of ${many(count.n, "instrument-day")} of the class ${group} that modern answered remained ` +
      `unexplained, so the true rate is at least ${least}; the limit is ${percent(limits.accuracy.served)}`
    );
  }
  return undefined;
}
