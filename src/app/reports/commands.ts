/** The commands about reports, and the texts of their results, for the surfaces. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { systemClock } from "../../adapters/host/index.ts";
import { type DiffOutcome, outcomeOf } from "../../adapters/report/index.ts";
import { readWorkbook } from "../../adapters/xlsx/index.ts";
import { BridgeError } from "../../base/errors.ts";
import { type Config, defaultConfig } from "../../config/index.ts";
import { usualFile } from "../../config/usual-file.ts";
import { formatInstant } from "../../domain/market/chicago-time.ts";
import type { Side } from "../../domain/migration/phase.ts";
import type { MigrationPlan } from "../../domain/migration/plan.ts";
import { ifThere } from "../../platform/atomic-file.ts";
import { keepHeapSmall } from "../../platform/small-heap.ts";
import type { ControlStore } from "../../ports/control-store.ts";
import type { ByOptions, OperatorSession } from "../control/session.ts";
import { type StoreOptions, settingsOf } from "../control/settings.ts";
import { inputFiles } from "../parity/input-files.ts";
import type { ControlSettings } from "../stores.ts";
import { contentHashOf, type RefusedInput, type ReportInput } from "./build.ts";
import { diffBooks } from "./diff.ts";
import { dayOfText } from "./figures.ts";
import {
  digestOfFile,
  type PreparedReport,
  pathsBeside,
  prepareReport,
  type ReplacedFiles,
  type ReplacedReport,
  writeReport,
} from "./hand-out.ts";
import {
  type AcceptedReport,
  changedSides,
  type HandedOut,
  keepAcceptance,
  keepHandOut,
  lastContent,
  type ReportAcceptance,
  type ReportRegister,
  type ReportRegisters,
  registerOf,
  reportAcceptance,
  reportRegister,
  reportRegisters,
  versionOf,
} from "./register.ts";

export { renderAcceptance, renderDailyResult } from "../../adapters/report/index.ts";

export interface DailyOptions extends StoreOptions {
  readonly date: string;
  /** The workbook to write. */
  readonly out?: string;
  /**
   * A folder, in which the workbook gets a name like the desk's. With a control store, no new one is written
   * if an earlier workbook of this side has the same content and still exists unchanged.
   */
  readonly dir?: string;
  readonly side?: Side | "active";
  readonly user?: string;
  readonly trades?: readonly string[];
  readonly prices?: readonly string[];
  readonly marks?: string;
  readonly legacyWorkbook?: string;
  readonly onProgress?: (text: string) => void;
}

/** A report that was written. This is the document of `report daily --json`. */
export interface DailyResult {
  readonly date: string;
  readonly side: Side;
  readonly because: string;
  readonly path: string;
  readonly figures: string;
  readonly contentHash: string;
  /** Null without a control store, which keeps the record. */
  readonly version: number | null;
  /** The rows of the ledgers and prices that this side refused. */
  readonly refused: readonly RefusedInput[];
  /** The other report whose file this one replaces, and the new path of that file. */
  readonly replaced?: ReplacedReport;
  /** Present in phases that compare. */
  readonly diff?:
    | ({ readonly path: string; readonly ok: boolean } & Required<DiffOutcome>)
    | { readonly error: string };
}

/** Writes the report of a day. If the configuration names a control store, the audit records who got it. */
export async function writeDailyReport(options: DailyOptions): Promise<DailyResult> {
  keepHeapSmall();
  const settings =
    options.config === undefined && options.store === undefined && !existsSync(usualFile)
      ? undefined
      : await settingsOf(options);
  const config = settings?.config ?? defaultConfig;
  const hasStore = settings !== undefined && config.stores.control !== null;
  const session = hasStore ? await (await sessions()).openFor(options, settings, "changes") : undefined;
  try {
    return await handOut(options, { config, folder: settings?.folder ?? process.cwd() }, session);
  } finally {
    await session?.close();
  }
}

/** Loads the code of stores, which a report without a control store does not need. */
const sessions = () => import("../control/session.ts");

async function handOut(
  options: DailyOptions,
  { config, folder }: ControlSettings,
  session: OperatorSession | undefined,
): Promise<DailyResult> {
  const overview = await session?.operator.overview();
  const plan = overview === undefined ? config.plan : planInUse(overview.effective.plan, overview.switchFile);
  const input = reportInput(options, config, folder);
  const { side, user } = options;
  const prepared = await prepareReport({
    input,
    config,
    plan,
    user,
    side: side === "active" ? undefined : side,
  });
  const registers = session && (await reportRegisters(session.store));
  const before = registers && registerOf(registers, input.date);
  const known = options.out === undefined && before ? await knownFile(before, prepared) : undefined;
  const path = options.out ?? known?.path ?? freeName(options.dir ?? ".", systemClock.nowMs());
  const { trades, prices, marks } = input;
  const read = await inputFiles({ trades, prices, marks, config: options.config ?? usualFile });
  const own = input.legacyWorkbook === undefined ? [] : [input.legacyWorkbook];
  const same = { date: input.date, side: prepared.side, contentHash: prepared.report.contentHash };
  const replaced =
    registers && known === undefined ? await replacedVersion(registers, same, path) : undefined;
  const fileHash = await writeReport(prepared, {
    workbook: path,
    replaced,
    keptHash: known?.fileHash,
    inputs: [...read.map((file) => file.path), ...own],
  });
  const handed = { date: input.date, path, fileHash, user: user ?? null };
  const version =
    session === undefined || overview === undefined || before === undefined
      ? null
      : await keepIn(session.store, before, prepared, {
          ...handed,
          phase: plan.phase,
          epoch: overview.record.epoch,
        });
  return {
    ...resultOf(prepared, { ...handed, version }),
    ...(replaced && { replaced: replaced.report }),
  };
}

/** The file of an earlier report with the same content, if it and its figures are still there. */
async function knownFile(
  { handedOut }: ReportRegister,
  { side, report }: PreparedReport,
): Promise<HandedOut | undefined> {
  const same = handedOut.findLast((one) => one.side === side && one.contentHash === report.contentHash);
  if (same === undefined || !existsSync(pathsBeside(same.path).figures)) return undefined;
  return (await digestOfFile(same.path)) === same.fileHash ? same : undefined;
}

/**
 * The files of another handed-out report at a path, of any day and side, under the names that they get when
 * the path is written: FILE.2025-07-24.legacy.v1.xlsx and .json for version 1 of legacy's report.
 */
async function replacedVersion(
  registers: ReportRegisters,
  same: Pick<HandedOut, "date" | "side" | "contentHash">,
  path: string,
): Promise<ReplacedFiles | undefined> {
  const fileHash = await digestOfFile(path);
  const old = [...registers.values()]
    .flatMap(({ handedOut }) => handedOut)
    .findLast((one) => one.fileHash === fileHash);
  if (old === undefined) return undefined;
  const { date, side, version, contentHash } = old;
  if (date === same.date && side === same.side && contentHash === same.contentHash) return undefined;
  const stem = `${path.replace(/\.xlsx$/i, "")}.${date}.${side}.v${version}`;
  const [from, to] = [pathsBeside(path), pathsBeside(await freeFor(fileHash, stem))];
  const files = new Map([[to.workbook, await readFile(from.workbook)]]);
  const figures = await ifThere(readFile(from.figures));
  if (figures !== undefined) files.set(to.figures, figures);
  return { report: { date, side, version, path: to.workbook }, files };
}

/** The path of a kept file. It is free or holds the same bytes, since a kept file is never replaced. */
async function freeFor(fileHash: string | undefined, stem: string, number = 1): Promise<string> {
  const path = `${stem}${number === 1 ? "" : `-${number}`}.xlsx`;
  return existsSync(path) && (await digestOfFile(path)) !== fileHash
    ? freeFor(fileHash, stem, number + 1)
    : path;
}

/**
 * A path as the desk's programs look for it, with the time in Chicago. The time is a later second if the name
 * is taken, so that no workbook that was handed out is replaced.
 */
function freeName(folder: string, nowMs: number): string {
  const [day = "", time = ""] = formatInstant(nowMs * 1_000).split("T");
  const name = `tyu5_pnl_all_${day.replaceAll("-", "")}_${time.slice(0, 8).replaceAll(":", "")}.xlsx`;
  const path = join(folder, name);
  return existsSync(path) ? freeName(folder, nowMs + 1_000) : path;
}

/** Returns the plan with the kill switch set if this machine's switch file is set. */
const planInUse = (plan: MigrationPlan, switchFile: string | null): MigrationPlan =>
  switchFile === null ? plan : { ...plan, useNewPnlSystem: false };

/** The input of a report: the files that the caller names, else those of the watched folders. */
function reportInput(
  options: Pick<DailyOptions, "date" | "trades" | "prices" | "marks" | "legacyWorkbook" | "onProgress">,
  { watch }: Config,
  folder: string,
): ReportInput {
  dayOfText(options.date);
  const within = (path: string): string => resolve(folder, path);
  const trades = options.trades ?? (watch.tradeLedger === null ? [] : [within(watch.tradeLedger)]);
  if (trades.length === 0)
    throw new BridgeError("BAD_USAGE", {
      what: "the report has no trades",
      fix: "name ledgers with --trades, or set watch.trade_ledger in the configuration",
    });
  const prices = options.prices ?? (options.trades === undefined ? watch.marketPrices.map(within) : []);
  return { ...options, trades, prices: prices.length === 0 ? undefined : prices };
}

interface Handed {
  readonly date: string;
  readonly path: string;
  readonly fileHash: string;
  readonly user: string | null;
}

/** Records in the audit who got the report, and returns its version. */
async function keepIn(
  store: ControlStore,
  before: ReportRegister,
  { side, because, report, diff }: PreparedReport,
  { date, path, fileHash, user, phase, epoch }: Handed & { readonly phase: string; readonly epoch: number },
): Promise<number> {
  const version = versionOf(before, side, report.contentHash);
  const kept =
    diff === undefined
      ? {}
      : {
          diff: "error" in diff ? diff : { ...outcomeOf(diff.found), hashes: diff.hashes },
        };
  const { contentHash, refused } = report;
  const entry = { date, version, side, because, user, path, contentHash, fileHash };
  const { actor } = (await sessions()).byOf({ reason: because, actor: user ?? undefined });
  await keepHandOut(store, { ...entry, phase, epoch, refused: countOf(refused), ...kept }, actor);
  return version;
}

/** The number of refused rows. A file that legacy refused, wholly or in part, counts as one row. */
const countOf = (refused: readonly RefusedInput[]): number =>
  refused.reduce((sum, { more = 1 }) => sum + more, 0);

function resultOf(
  { side, because, report, diff }: PreparedReport,
  { date, path, version }: { readonly date: string; readonly path: string; readonly version: number | null },
): DailyResult {
  const beside = pathsBeside(path);
  return {
    date,
    side,
    because,
    path,
    figures: beside.figures,
    contentHash: report.contentHash,
    version,
    refused: report.refused,
    ...(diff !== undefined && {
      diff: "error" in diff ? diff : { path: beside.diff, ...outcomeOf(diff.found) },
    }),
  };
}

export interface AcceptReportOptions extends StoreOptions, ByOptions {
  readonly date: string;
  readonly workbooks: readonly [legacy: string, modern: string];
}

/** The most differences that are stored with an acceptance. Its hashes cover all differences. */
const keptDifferencesMax = 10_000;

/**
 * Accepts the comparison of two workbooks as the report of a day. Throws REFUSED if their content is not the
 * one that was handed out or compared last, because the acceptance would be void at once.
 */
export async function acceptReport(options: AcceptReportOptions): Promise<AcceptedReport & ReportAcceptance> {
  const { date, workbooks } = options;
  dayOfText(date);
  const { byOf, withOperator } = await sessions();
  const [legacy, modern] = [await readWorkbook(workbooks[0]), await readWorkbook(workbooks[1])];
  return withOperator(options, "changes", async ({ store }, { config }) => {
    const { validation } = config;
    const diff = diffBooks(legacy, modern, config);
    const hashes = { legacy: contentHashOf(legacy), modern: contentHashOf(modern) };
    const listed = diff.differences.filter((one) => one.class !== "appearance");
    const { counts, failedTotals } = outcomeOf(diff);
    const entry: AcceptedReport = {
      date,
      hashes,
      tolerances: { position: validation.positionThreshold, pnl: validation.comparisonThreshold },
      counts,
      failedTotals,
      differences: listed.slice(0, keptDifferencesMax),
      leftOut: Math.max(0, listed.length - keptDifferencesMax),
    };
    const others = changedSides(hashes, lastContent(await reportRegister(store, date)));
    if (others !== "")
      throw new BridgeError("REFUSED", {
        what: `the content of ${others} is not the last one that was handed out or compared for ${date}`,
        fix: `name the workbooks that report daily --date ${date} writes with --side legacy and --side modern`,
      });
    await keepAcceptance(store, entry, byOf(options));
    return { ...entry, ...(await reportAcceptance(store, date)) };
  });
}
