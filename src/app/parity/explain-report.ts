import { readLegacyDatabase } from "../../adapters/sqlite/index.ts";
import { BridgeError } from "../../base/errors.ts";
import { isTradingDayRule } from "../../domain/market/trading-day.ts";
import { agrees } from "../../domain/migration/verdict.ts";
import { methods } from "../../engine/index.ts";
import { explain } from "../../explain/index.ts";
import { FileDigest } from "../../platform/file-digest.ts";
import type { Explanation } from "../../ports/explanation.ts";
import type { InputFile, ParityReport } from "../../ports/parity-report.ts";
import { overridesFrom } from "../symbols/commands.ts";
import { byDifference, type ExplainedWorld, historyOf, wholeBudget } from "./explain.ts";
import { explainedWorld } from "./explained-world.ts";
import { readJsonInput } from "./json-input.ts";
import { runPnl } from "./pnl-run.ts";
import { bookNetting } from "./replay.ts";
import { storedWorld } from "./stored.ts";

interface ExplainReportOptions {
  /** A `report.json`. */
  readonly report: string;
  /** A row of the report, from 1; absent: all that differ. */
  readonly row?: number | undefined;
  readonly onProgress?: ((text: string) => void) | undefined;
}

interface ExplainedReport {
  /** The largest difference first. */
  readonly explanations: readonly Explanation[];
  readonly inputs: readonly InputFile[];
}

/**
 * Explains the differences of a report from the files that it names, which must be unchanged. The systems are
 * not asked again: their rows are those of the report. Throws BridgeError UNREADABLE, BAD_USAGE, REFUSED.
 */
export async function explainReport(options: ExplainReportOptions): Promise<ExplainedReport> {
  const report = await readReport(options.report);
  const row = options.row === undefined ? undefined : rowOf(report, options.row, options.report);
  const inputs = report.inputs ?? [];
  await checkUnchanged(inputs);
  options.onProgress?.("reading the inputs of the report");
  const history = await historyOf(await worldOf(report, inputs));
  options.onProgress?.("explaining");
  const explanations = explain(report, history, wholeBudget, row).map(({ explanation }) => explanation);
  return { explanations: explanations.sort(byDifference), inputs };
}

async function readReport(path: string): Promise<ParityReport> {
  const parsed: unknown = await readJsonInput(path, {
    what: "the report",
    form: notReport,
    parse: JSON.parse,
  });
  if (!isReport(parsed))
    throw new BridgeError("BAD_USAGE", {
      what: "the file is not a parity report",
      where: path,
      fix: notReport,
    });
  return parsed;
}

const notReport = "name a report.json that replay or compare wrote with --out, or the output of --json";

const isReport = (value: unknown): value is ParityReport =>
  typeof value === "object" &&
  value !== null &&
  "rows" in value &&
  Array.isArray(value.rows) &&
  "inputs" in value &&
  Array.isArray(value.inputs) &&
  "dayRules" in value &&
  "conversions" in value &&
  "legacy" in value;

function rowOf({ rows }: ParityReport, number: number, path: string) {
  const row = rows[number - 1];
  if (row !== undefined && !agrees(row.verdict)) return row;
  const next = rows.findIndex(({ verdict }) => !agrees(verdict)) + 1;
  throw new BridgeError("BAD_USAGE", {
    what: row === undefined ? `the report has ${rows.length} rows, not ${number}` : `row ${number} agrees`,
    where: path,
    fix: next === 0 ? "every row of the report agrees" : `name a row that differs, such as ${next}`,
  });
}

async function checkUnchanged(inputs: readonly InputFile[]): Promise<void> {
  for (const { path, sha256, kind } of inputs) {
    if (kind === "config") continue;
    const digest = await FileDigest.begin(path);
    const isRead = await digest?.takeFile().then(
      () => true,
      () => false,
    );
    if (digest !== undefined && isRead === true && digest.sha256 === sha256) continue;
    throw new BridgeError("REFUSED", {
      what:
        isRead === true
          ? "an input of the report has changed since the report was made"
          : "an input of the report cannot be read",
      where: path,
      fix: "restore the file, or make a new report",
    });
  }
}

async function worldOf(report: ParityReport, inputs: readonly InputFile[]): Promise<ExplainedWorld> {
  const of = (kind: InputFile["kind"]): readonly string[] =>
    inputs.flatMap((input) => (input.kind === kind ? [input.path] : []));
  const { legacy: legacyRule, modern: modernRule } = report.dayRules;
  const method = methods.find((name) => name === report.method);
  const [database] = of("database");
  const [dayRule, otherRule] = [legacyRule, modernRule].map((name) =>
    isTradingDayRule(name) ? name : undefined,
  );
  if (database !== undefined)
    return storedWorld(database, await readLegacyDatabase(database), { method, dayRule: otherRule })
      .explained;
  const netBooks = report.conversions.some(({ field }) => field === bookNetting.field);
  const [calendar, marks, prices] = [of("calendar")[0], of("marks")[0], of("prices")];
  const options = {
    trades: of("trades"),
    ...(prices.length > 0 && { prices }),
    marks,
    method,
    netBooks,
    overrides: await overridesFrom(calendar),
  };
  const world = await runPnl({ ...options, dayRule });
  const other = otherRule === dayRule ? undefined : await runPnl({ ...options, dayRule: otherRule });
  return explainedWorld(world, { legacy: report.legacy, netBooks, ...(other && { other }) });
}
