/**
 * Adds to a report what a reader needs to understand and check it later: the files read, the version, the
 * time, and the meaning of the report's codes.
 */
import { causes } from "../../comparison/index.ts";
import { noteCodes, quarantineCodes, symbolNoteCodes } from "../../domain/market/finding-codes.ts";
import type { DayNumber } from "../../domain/market/trading-day.ts";
import type { TradeColumns } from "../../engine/index.ts";
import { explainedCauses } from "../../explain/index.ts";
import { FileDigest } from "../../platform/file-digest.ts";
import type { InputFile, ParityReport, ReportedInstrument } from "../../ports/parity-report.ts";
import { productOfInstrument, titleOf } from "../../symbols/index.ts";
import { productVersion } from "../version.ts";
import type { ReadFile } from "./input-files.ts";
import type { FileRows, PnlRun } from "./pnl-run.ts";

type DigestedFile = ReadFile & { readonly digest: FileDigest };

/**
 * Begins the digest of each file before a run reads it. The readers of ledgers and prices add what they read
 * (see `bytesRead`); other files are read here. A file that cannot be read has no digest; its reader reports
 * the error.
 */
export async function digestsOf(files: readonly ReadFile[]): Promise<readonly DigestedFile[]> {
  const digested: DigestedFile[] = [];
  for (const file of files) {
    const digest = await FileDigest.begin(file.path);
    const isReported = file.kind === "trades" || file.kind === "prices";
    const isRead =
      isReported ||
      (await digest?.takeFile().then(
        () => true,
        () => false,
      ));
    if (digest !== undefined && isRead) digested.push({ ...file, digest });
  }
  return digested;
}

/** Returns a function that adds the bytes that a reader has read of a file to its digest. */
export function bytesRead(files: readonly DigestedFile[]): (path: string, bytes: Uint8Array) => void {
  const digests = new Map(files.map(({ path, digest }) => [path, digest]));
  return (path, bytes) => digests.get(path)?.take(bytes);
}

interface Evidence {
  readonly digests: readonly DigestedFile[];
  readonly fileRows: readonly FileRows[];
  readonly symbols: PnlRun["symbols"];
  readonly trades: TradeColumns;
  /** The as-of day of the symbols, which decides the decade of one-digit years. */
  readonly day: DayNumber;
}

/** Adds the program, the time, the input files, the instruments and the meaning of the codes to a report. */
export async function withEvidence(report: ParityReport, evidence: Evidence): Promise<ParityReport> {
  return {
    ...report,
    generated: { product: "pnl-bridge", version: productVersion, at: new Date().toISOString() },
    inputs: await inputsOf(evidence),
    instruments: instrumentsOf(report, evidence),
    codes: codesOf(report),
  };
}

const inputsOf = ({ digests, fileRows }: Evidence): Promise<readonly InputFile[]> =>
  Promise.all(
    digests.map(async ({ kind, path, digest }) => ({
      kind,
      path,
      bytes: digest.bytes,
      sha256: digest.sha256,
      ...((await digest.hasChanged()) && { changed: true as const }),
      ...fileRows.find((rows) => rows.path === path),
    })),
  );

function instrumentsOf(
  { rows }: ParityReport,
  { symbols, trades, day }: Evidence,
): readonly ReportedInstrument[] {
  const traded = new Map(trades.instruments.map(({ symbol, currency }) => [symbol, currency]));
  return [...new Set(rows.map(({ key }) => key.symbol))].map((symbol) => {
    const reading = symbols.canonical(symbol, "auto", day);
    if (reading.ok) {
      const { instrument } = reading;
      const { currency } = productOfInstrument(instrument);
      return { symbol, instrument: instrument.name, title: titleOf(instrument), currency };
    }
    const currency = traded.get(symbol) ?? noCurrency;
    return { symbol, instrument: null, title: null, currency: currency === noCurrency ? null : currency };
  });
}

/** ISO 4217 for "no currency", which the engine assigns to an unknown product. */
const noCurrency = "XXX";

const meanings: Readonly<Record<string, string>> = {
  // These come first, so that a finding of the input with the same name replaces the meaning.
  ...explainedCauses,
  ...quarantineCodes,
  ...noteCodes,
  ...symbolNoteCodes,
  ...causes,
};

function codesOf({
  rows,
  quarantine = [],
  notes = [],
  legacy,
  modern,
}: ParityReport): Readonly<Record<string, string>> {
  const used = [
    ...rows.flatMap(({ cause, causes }) => causes ?? (cause === null ? [] : [cause])),
    ...[...quarantine, ...notes, ...legacy.errors, ...modern.errors].map(({ code }) => code),
  ];
  return Object.fromEntries(
    [...new Set(used)].flatMap((code) =>
      Object.hasOwn(meanings, code) ? [[code, meanings[code] ?? ""]] : [],
    ),
  );
}
