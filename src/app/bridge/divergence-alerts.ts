import type { CallComparison } from "../../bridges/service/index.ts";
import type { AlertSink } from "../../ports/alerts.ts";

const kindsMax = 100;

/**
 * Sends an alert for each new kind of divergence: a method and a field that has not diverged in this process before. It takes every
 * comparison as it is made. After 100 kinds a last alert says that no more follow.
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
          ? `more than ${kindsMax} fields diverge: those of the next ones are kept and counted, and no alert is sent`
          : `${method} diverges in ${path === "" ? "its whole answer" : path}: legacy ${legacy}, modern ${modern}`;
      alerts.send({
        kind: "divergence",
        title,
        details: { method, path, entry, legacy, modern, difference, at, answered, epoch },
      });
    }
  };
}
