/** What the surfaces use of the application, through one door. */
import { join } from "node:path";
import { renderParityPage } from "../adapters/report/index.ts";
import { type Config, defaultConfig, loadConfig } from "../config/index.ts";
import type { ParityReport } from "../ports/parity-report.ts";

export { renderParityTable, renderPnlTable } from "../adapters/report/index.ts";
export type { TradingDayRuleName } from "../domain/trading-day.ts";
export type { Method, StatementPosition, Totals } from "../engine/index.ts";
export type { ParityReport } from "../ports/parity-report.ts";
export { type Demo, runDemo } from "./demo.ts";
export { examine, type Finding } from "./doctor.ts";
export { matchesCsv } from "./matches-csv.ts";
export { writeWhole } from "./output.ts";
export { replay } from "./parity.ts";
export { type PnlRun, pnlDocument, runPnl } from "./pnl-run.ts";
export { compareStored } from "./stored-parity.ts";

/** The given configuration, or the built-in one; `note` names what the file says and nothing obeys yet. */
export async function loadConfigOrDefault(
  path: string | undefined,
): Promise<{ readonly config: Config; readonly note?: string }> {
  if (path === undefined) return { config: defaultConfig };
  const config = await loadConfig(path);
  if (config.unused.length === 0) return { config };
  return { config, note: `${path}: no effect in this version: ${config.unused.join(", ")}` };
}

/** The files that `--out` writes: the report as JSON and as one page. */
export const parityFiles = (report: ParityReport, folder: string): ReadonlyMap<string, string> =>
  new Map([
    [join(folder, "report.json"), `${JSON.stringify(report)}\n`],
    [join(folder, "report.html"), renderParityPage(report)],
  ]);
