import type { CallComparison } from "../../bridges/service/index.ts";
import type { AlertSink } from "../../ports/alerts.ts";

const kindsMax = 100;

/**
 * Returns a listener of comparisons that sends an alert for each new kind of divergence: a field of a method
 * that has not diverged before in this process. After 100 kinds one last alert announces that no more follow.
 */
export function divergenceAlerts(alerts: AlertSink): (comparison: CallComparison) => void {
  const known = new Set<string>();
  return ({ method, verdict, fields, at, answered, epoch }) => {
    if (verdict !== "diverged") return;
    for (const { path, verdict: ofField, entry, legacy, modern, difference } of fields) {
      const kind = `${method} ${path}`;
      if (ofField !== "diverged" || known.has(kind) || known.size > kindsMax) continue;
      known.add(kind);
      const title =
        known.size > kindsMax
          ? `more than ${kindsMax} fields diverge: further ones are stored and counted, without an alert`
          : `${method} diverges in ${path || "its whole answer"}: legacy ${legacy}, modern ${modern}`;
      alerts.send({
        kind: "divergence",
        title,
        details: { method, path, entry, legacy, modern, difference, at, answered, epoch },
      });
    }
  };
}
