import { expect, it } from "vitest";
import type { CallComparison } from "../../bridges/service/index.ts";
import type { Alert } from "../../ports/alerts.ts";
import { divergenceAlerts } from "./divergence-alerts.ts";

const sample = (
  method: string,
  path: string,
  verdict: CallComparison["verdict"] = "diverged",
): CallComparison => ({
  method,
  verdict,
  kind: "ab",
  answered: "legacy",
  epoch: 3,
  at: "2025-08-01T14:30:00.000Z",
  legacy: { ms: 1 },
  modern: { ms: 1 },
  fields: [{ path, entry: null, verdict, legacy: "1", modern: "2", difference: "1" }],
});

it("each diverging field of a method sends one alert, and other fields send none", () => {
  const alerts: Alert[] = [];
  const heard = divergenceAlerts({ send: (alert) => void alerts.push(alert), settled: async () => 0 });
  heard(sample("totals", "USD.realized"));
  heard(sample("totals", "USD.total", "within_tolerance"));
  heard(sample("totals", "USD.realized"));
  heard(sample("dailyPnl", ""));
  expect(alerts.map(({ title }) => title)).toEqual([
    "totals diverges in USD.realized: legacy 1, modern 2",
    "dailyPnl diverges in its whole answer: legacy 1, modern 2",
  ]);
  for (let field = 0; field < 500; field++) heard(sample("totals", `field${field}`));
  expect(alerts.length).toBe(101);
  expect(alerts.at(-1)?.title).toContain("more than 100 fields diverge");
});
