import type { CallComparison } from "../../bridges/service/index.ts";
import type { AlertSink } from "../../ports/alerts.ts";
import type { Clock } from "../../ports/clock.ts";

const everyMs = 5_000;
/** A process that diverges everywhere says so, and not everything. */
const kindsMax = 100;

/**
 * Sends an alert for each new kind of divergence: a method and a field that had not diverged in this process. It looks at the bridge's
 * samples now and then, so that no call pays for it. Returns what ends it.
 */
export function alertDivergences(samples: () => readonly CallComparison[], alerts: AlertSink, clock: Clock): () => void {
  const known = new Set<string>();
  return clock.every(everyMs, () => {
    for (const { method, verdict, fields, at, answered, epoch } of samples()) {
      if (verdict !== "diverged") continue;
      for (const { path, verdict: ofField, entry, legacy, modern, difference } of fields) {
        const kind = `${method} ${path}`;
        if (ofField !== "diverged" || known.has(kind) || known.size >= kindsMax) continue;
        known.add(kind);
        const title = `${method} diverges in ${path === "" ? "its whole answer" : path}: legacy ${legacy}, modern ${modern}`;
        alerts.send({
          kind: "divergence",
          title,
          details: { method, path, entry, legacy, modern, difference, at, answered, epoch },
        });
      }
    }
  });
}
