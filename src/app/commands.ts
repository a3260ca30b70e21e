/** Exports for the commands over ledgers and for causes, demo and doctor. Others load their own module. */
import { join } from "node:path";
import { parityDocument, renderParityPage } from "../adapters/report/index.ts";
import { jsonPieces } from "../base/json-pieces.ts";
import { type Config, defaultConfig, loadConfig } from "../config/index.ts";
import type { ParityReport } from "../ports/parity-report.ts";

export {
  parityDocument,
  renderExplanations,
  renderParityTable,
  renderPnlTable,
  renderReportDiff,
  renderReportDiffPage,
} from "../adapters/report/index.ts";
export type { TradingDayRuleName } from "../domain/market/trading-day.ts";
export type { Method } from "../engine/index.ts";
export type { AcceptedTerms } from "../explain/index.ts";
export { checkTargets, writeWhole } from "../platform/output.ts";
export type { ParityReport } from "../ports/parity-report.ts";
export type { ReconcileReport } from "../ports/reconcile.ts";
export { acceptCause, acceptedCauses, revokeCause, withAccepted } from "./control/accepted-causes.ts";
export { runDemo, runLivingDemo, seedMax } from "./demo-desk/demo.ts";
export { examine, examineSystem } from "./doctor.ts";
export type { HowExplained } from "./parity/explain.ts";
export { explainReport } from "./parity/explain-report.ts";
export { caseFiles, explainStored, explanationDocument } from "./parity/explain-stored.ts";
export { inputFiles } from "./parity/input-files.ts";
export { matchesCsv } from "./parity/matches-csv.ts";
export { isClean, type PnlRun, pnlDocument, runPnl } from "./parity/pnl-run.ts";
export { recordReplay } from "./parity/record.ts";
export { replay } from "./parity/replay.ts";
export { compareStored } from "./parity/stored.ts";
export { witnessFiles } from "./parity/witness-files.ts";
export { controlStoreOf } from "./stores.ts";
export { overridesFrom } from "./symbols/commands.ts";

/**
 * The given configuration, or the built-in one; `note` lists the keys of the file that have no effect yet.
 */
export async function loadConfigOrDefault(
  path: string | undefined,
): Promise<{ readonly config: Config; readonly note?: string }> {
  if (path === undefined) return { config: defaultConfig };
  const config = await loadConfig(path);
  if (config.unused.length === 0) return { config };
  return { config, note: `${path}: these keys have no effect in this version: ${config.unused.join(", ")}` };
}

/** The files that `--out` writes into a folder. */
export const parityTargets = (folder: string): { readonly json: string; readonly page: string } => ({
  json: join(folder, "report.json"),
  page: join(folder, "report.html"),
});

/** The contents of the files that `parityTargets` names: the report as JSON and as one page. */
export function parityFiles(
  report: ParityReport,
  folder: string,
): ReadonlyMap<string, string | Iterable<string>> {
  const { json, page } = parityTargets(folder);
  return new Map<string, string | Iterable<string>>([
    [json, lineOf(parityDocument(report))],
    [page, renderParityPage(report)],
  ]);
}

function* lineOf(document: object): Generator<string> {
  yield* jsonPieces(document);
  yield "\n";
}
