/** Builds the workbook of a day from each system, in memory. */
import { createHash } from "node:crypto";
import { checkRows, packRows, readWorkbook, workbookBytes, workbookFile } from "../../adapters/xlsx/index.ts";
import { BridgeError } from "../../base/errors.ts";
import { jsonPieces } from "../../base/json-pieces.ts";
import {
  asWorkbook,
  contentLines,
  dailyReport,
  reportDocument,
  rowsWithContent,
  workbookDocument,
  writtenReport,
  writtenSheets,
} from "../../bridges/reports/index.ts";
import type { Config } from "../../config/index.ts";
import { formatInstant } from "../../domain/market/chicago-time.ts";
import type { Side } from "../../domain/migration/phase.ts";
import { legacyReport } from "../../legacy-desk/index.ts";
import type { Workbook } from "../../ports/workbook.ts";
import { dayRulesOf, hasOwnReport } from "../builtin-systems.ts";
import { type PnlRun, type PnlRunOptions, refusedOf, runPnl } from "../parity/pnl-run.ts";
import { closeOfDay, closesUpTo, dayOfText, figuresOf } from "./figures.ts";

/** The input of a day's reports. */
export interface ReportInput {
  /** YYYY-MM-DD. */
  readonly date: string;
  readonly trades: readonly string[];
  readonly prices?: readonly string[] | undefined;
  readonly marks?: string | undefined;
  /** Legacy's own workbook of the day, which is then taken as it is. */
  readonly legacyWorkbook?: string | undefined;
  readonly onProgress?: PnlRunOptions["onProgress"];
}

/** Rows or a file of the input that a system refused, so that its report lacks them. */
export interface RefusedInput {
  readonly code: string;
  readonly file: string;
  /** Null if legacy refused the file, or its rows from some row on; then `why` says how many it took. */
  readonly line: number | null;
  readonly why: string;
  /** The number of rows that the last entry of a full list represents; absent for one row. */
  readonly more?: number;
}

/** The workbook of one system. */
export interface BuiltReport {
  /** The bytes of its file. Undefined for modern's workbook if it is only compared. */
  readonly bytes: Uint8Array | undefined;
  /** The workbook as a reader returns it. */
  readonly workbook: () => Workbook;
  /** SHA-256 of the content without styles, footer and document properties, hexadecimal. */
  readonly contentHash: string;
  /** The document of exact figures, in pieces. */
  readonly document: () => Iterable<string>;
  readonly refused: readonly RefusedInput[];
}

/**
 * The run from which both systems report: the trades and prices up to the close of the day under legacy's day
 * rule.
 */
interface ReportWorld {
  readonly input: ReportInput;
  readonly config: Config;
  readonly run: PnlRun;
}

export async function reportWorld(input: ReportInput, config: Config): Promise<ReportWorld> {
  const dayRule = dayRulesOf(config.systems).legacy;
  const day = dayOfText(input.date);
  const run = await runPnl({
    trades: input.trades,
    prices: input.prices,
    marks: input.marks,
    dayRule,
    // A report has one row for each instrument, as the desk's has.
    netBooks: true,
    asOf: formatInstant(closeOfDay(day, dayRule)),
    onProgress: input.onProgress,
  });
  return { input, config, run };
}

/** Whether the report of a side can be built: that of a foreign legacy only from its own workbook. */
export const canBuild = (side: Side, { legacyWorkbook }: ReportInput, { systems }: Config): boolean =>
  side === "modern" || legacyWorkbook !== undefined || hasOwnReport(systems.legacy);

/** Builds the report of a side. Modern's workbook is not packed if it is only compared. */
export const buildReport = async (
  side: Side,
  world: ReportWorld,
  purpose: "written" | "compared",
): Promise<BuiltReport> => (side === "modern" ? modernReport(world, purpose) : legacysReport(world));

async function modernReport(
  { input, run }: ReportWorld,
  purpose: "written" | "compared",
): Promise<BuiltReport> {
  const report = dailyReport(figuresOf(run, input.date), {
    date: input.date,
    source: "modern",
    asOf: formatInstant(closeOfDay(dayOfText(input.date), run.dayRule)),
    dayRule: run.dayRule,
    zone: "America/Chicago",
  });
  const sheets = writtenSheets(report);
  const hash = new TextHash();
  // Makes the rows once for their check, the content hash and the file.
  const hashed = sheets.map((sheet) => ({
    ...sheet,
    rows: rowsWithContent(sheet, (line) => hash.add(line)),
  }));
  // A report that cannot be written is refused, also if it is only compared.
  const packed = purpose === "written" ? await packRows(hashed) : undefined;
  if (packed === undefined) checkRows(hashed);
  const contentHash = hash.hex();
  const refused = refusedOf(run).map(({ code, file, line, why, more }) => ({
    ...{ code, file, line, why },
    ...(more !== undefined && { more }),
  }));
  return {
    bytes: packed && (await workbookBytes(writtenReport(report, sheets, contentHash), packed)),
    workbook: () => asWorkbook(sheets),
    contentHash,
    document: () => jsonPieces({ ...reportDocument(report, contentHash), refused }),
    refused,
  };
}

async function legacysReport({ input, config, run }: ReportWorld): Promise<BuiltReport> {
  const { date, legacyWorkbook } = input;
  const { bytes, rejected } =
    legacyWorkbook === undefined
      ? await ownReport({ date, config, run })
      : { bytes: await workbookFile(legacyWorkbook), rejected: [] };
  const refused = rejected.map(({ code, why, file = "", rowsTaken }) => ({
    ...{ code, file, line: null },
    why: rowsTaken === undefined ? why : `${why}; the desk took the first ${rowsTaken} rows up to the day`,
  }));
  const workbook = await readWorkbook(legacyWorkbook ?? "legacy's workbook", bytes);
  const contentHash = contentHashOf(workbook);
  const document = { date, source: "legacy", dayRule: run.dayRule, zone: "America/Chicago", contentHash };
  return {
    bytes,
    workbook: () => workbook,
    contentHash,
    document: () => jsonPieces({ ...document, sheets: workbookDocument(workbook), refused }),
    refused,
  };
}

function ownReport({
  date,
  config,
  run,
}: {
  date: string;
  config: Config;
  run: PnlRun;
}): ReturnType<typeof legacyReport> {
  const { legacy } = config.systems;
  if (!hasOwnReport(legacy))
    throw new BridgeError("BAD_USAGE", {
      what: `only legacy-desk has a report that the bridge can build; legacy is ${legacy.name}`,
      fix: "run pnl-bridge report daily with --legacy-workbook FILE, its workbook of the day",
    });
  return legacyReport({ ledgers: run.ledgers, closes: closesUpTo(run, date), date });
}

/** SHA-256 of the content of a workbook, hexadecimal. */
export function contentHashOf(workbook: Workbook): string {
  const hash = new TextHash();
  for (const line of contentLines(workbook)) hash.add(line);
  return hash.hex();
}

/** SHA-256 of many texts. Each is copied at once, so that a text joined from short ones lives briefly. */
class TextHash {
  readonly #hash = createHash("sha256");
  readonly #copied = Buffer.alloc(1 << 16);
  #end = 0;

  add(text: string): void {
    if (this.#end + text.length * 3 > this.#copied.length) this.#update();
    if (text.length * 3 > this.#copied.length) this.#hash.update(text);
    else this.#end += this.#copied.write(text, this.#end);
  }

  /** The hash of all texts, hexadecimal. */
  hex(): string {
    this.#update();
    return this.#hash.digest("hex");
  }

  #update(): void {
    this.#hash.update(this.#copied.subarray(0, this.#end));
    this.#end = 0;
  }
}
