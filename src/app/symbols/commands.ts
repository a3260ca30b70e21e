import { open } from "node:fs/promises";
import { readCalendarFile } from "../../adapters/csv/calendar-file.ts";
import { BridgeError, codeOf } from "../../base/errors.ts";
import { nearest } from "../../base/nearest.ts";
import { SymbolTranslationBridge, type Translation } from "../../bridges/symbols/index.ts";
import { wallOfInstant } from "../../domain/market/chicago-time.ts";
import { formatDay, parseDay, tradingDayRules } from "../../domain/market/trading-day.ts";
import { textLines } from "../../platform/text-lines.ts";
import {
  calendarFindingCodes,
  checkCalendar,
  type DialectForm,
  type DialectName,
  dialectAliases,
  dialectNamed,
  dialectNames,
  dialects,
  ExpiryCalendar,
  type ExpiryOverrides,
  type InstrumentFacts,
  instrumentFacts,
  overridesOf,
  type Source,
  symbolLengthMax,
} from "../../symbols/index.ts";
import { type LegacyOpinion, legacyOpinions } from "./legacy-symbols.ts";

export type { DialectName, Source, Translation };
export { calendarFindingCodes };

export interface SymbolRun {
  readonly symbols: SymbolTranslationBridge;
  /** YYYY-MM-DD. */
  readonly asOf: string;
}

/**
 * Opens a bridge for commands about symbols: as of a given day, else today in Chicago; with the expiries of a
 * desk's calendar if one is named. Throws BAD_USAGE, BAD_CALENDAR, UNREADABLE.
 */
export async function openSymbols(options: {
  readonly asOf?: string;
  readonly calendar?: string;
}): Promise<SymbolRun> {
  const asOf = options.asOf ?? formatDay(tradingDayRules.calendar.dayOf(wallOfInstant(Date.now() * 1000)));
  if (parseDay(asOf) === undefined)
    throw new BridgeError("BAD_USAGE", {
      what: `--as-of must be a day, not ${JSON.stringify(asOf)}`,
      fix: "write 2025-07-24",
    });
  const overrides = await overridesFrom(options.calendar);
  return {
    symbols: new SymbolTranslationBridge({ asOf, ...(overrides === undefined ? {} : { overrides }) }),
    asOf,
  };
}

/** The expiries of a desk's calendar, if one is named. Throws as `readOverrides` does. */
export const overridesFrom = async (path: string | undefined): Promise<ExpiryOverrides | undefined> =>
  path === undefined ? undefined : readOverrides(path);

/**
 * Reads the expiries of a desk's calendar. A row that cannot be read, or two rows that contradict each other,
 * would leave an expiry to guesswork, so the whole file is refused. Rows of unknown products are ignored.
 * Throws BAD_CALENDAR, UNREADABLE.
 */
export async function readOverrides(path: string): Promise<ExpiryOverrides> {
  const { rows, quarantine } = await readCalendarFile(path);
  const { overrides, findings } = overridesOf(rows, { calendar: new ExpiryCalendar() });
  // A row of an unknown product does not affect the expiries of known ones.
  const refused = quarantine[0] ?? findings.find(({ code }) => code !== "UNKNOWN_SYMBOL");
  if (refused !== undefined)
    throw new BridgeError("BAD_CALENDAR", {
      what: `the expiries cannot be taken from this calendar: ${refused.code}: ${refused.why}`,
      where: `${path}:${refused.line}`,
      fix: "symbols check lists every row to fix",
    });
  return overrides;
}

/** The dialect that an option names. Throws BAD_USAGE. */
export function dialectOption(option: "--from" | "--to", text: string): DialectName;
export function dialectOption(option: "--from", text: string, auto: "auto"): Source;
export function dialectOption(option: string, text: string, auto?: "auto"): Source {
  if (text === auto) return "auto";
  const named = dialectNamed(text);
  if (named !== undefined) return named;
  const known = [...dialectNames, ...Object.keys(dialectAliases), ...(auto === undefined ? [] : [auto])];
  const meant = nearest(text, known);
  throw new BridgeError("BAD_USAGE", {
    what: `${option} names no dialect: ${JSON.stringify(text)}`,
    fix: `${meant === undefined ? "" : `did you mean ${meant}? `}the dialects are ${known.join(", ")}`,
  });
}

/** Reads symbols from a file, one per line; `-` is stdin. Throws UNREADABLE. */
export async function* symbolLines(path: string): AsyncGenerator<string> {
  // The limit exceeds any symbol, so that a line cut at it is refused as too long.
  for await (const { text } of textLines(bytesOf(path), symbolLengthMax * 4)) yield text;
}

async function* bytesOf(path: string): AsyncGenerator<Uint8Array> {
  if (path === "-") {
    yield* process.stdin;
    return;
  }
  try {
    const file = await open(path);
    yield* file.createReadStream();
  } catch (cause) {
    throw new BridgeError("UNREADABLE", {
      what: `the symbols cannot be read: ${codeOf(cause) || cause}`,
      where: path,
      fix: "check the path; - is stdin",
      cause,
    });
  }
}

/** The document of `symbols variants`. */
export interface VariantsDocument {
  readonly input: string;
  readonly ok: true;
  readonly detected: DialectName;
  readonly canonical: string;
  readonly instrument: InstrumentFacts;
  readonly notes: readonly { readonly code: string; readonly why: string }[];
  /** For each dialect its text, or the reason why it has none. */
  readonly variants: Readonly<
    Record<
      string,
      { readonly text: string } | { readonly error: { readonly code: string; readonly why: string } }
    >
  >;
  readonly legacy?: readonly LegacyOpinion[];
}

export function variantsOf(
  { symbols }: SymbolRun,
  symbol: string,
  from: Source,
  legacy: boolean,
): VariantsDocument | Extract<Translation, { readonly ok: false }> {
  const found = symbols.variants(symbol, from);
  if ("ok" in found) return found;
  const { instrument, detected, notes, texts } = found;
  const variants = Object.entries(texts).map(([dialect, printing]) => [
    dialect,
    printing.ok ? { text: printing.text } : { error: { code: printing.code, why: printing.why } },
  ]);
  return {
    input: symbol,
    ok: true,
    detected,
    canonical: instrument.name,
    instrument: instrumentFacts(instrument),
    notes,
    variants: Object.fromEntries(variants),
    ...(legacy ? { legacy: legacyOpinions(symbols, symbol, detected) } : {}),
  };
}

/** The document of `symbols dialects`. */
export const dialectList = (): readonly {
  readonly name: DialectName;
  readonly aliases: readonly string[];
  readonly describes: string;
  readonly forms: readonly DialectForm[];
}[] =>
  dialectNames.map((name) => ({
    name,
    aliases: Object.entries(dialectAliases).flatMap(([alias, of]) => (of === name ? [alias] : [])),
    describes: dialects[name].describes,
    forms: dialects[name].forms,
  }));

/** The document of `symbols check`. Throws BAD_CALENDAR, UNREADABLE. */
export async function checkCalendarFile(path: string) {
  const { rows, quarantine } = await readCalendarFile(path);
  const context = { calendar: new ExpiryCalendar() };
  const checked = checkCalendar(rows, context);
  const told = new Set(checked.findings.map(({ line, code }) => `${line} ${code}`));
  // Reasons for which `--calendar` would refuse the file and that are not yet among the findings.
  const refusing = overridesOf(rows, context).findings.filter(
    ({ line, code }) => !told.has(`${line} ${code}`),
  );
  const findings = [...checked.findings, ...refusing].sort((a, b) => a.line - b.line);
  return {
    ok: quarantine.length === 0 && !findings.some(({ severity }) => severity === "differs"),
    rows: checked.rows,
    agreeing: checked.rows - new Set(findings.map(({ line }) => line)).size,
    findings,
    quarantine,
  };
}
