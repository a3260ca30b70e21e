import type { SymbolTranslationBridge } from "../../bridges/symbols/index.ts";
import type { LegacySymbols } from "../../ports/parity-report.ts";
import { type DialectName, type LegacyView, legacyViews } from "../../symbols/index.ts";

/** The answer of one of the desk's own translators for a symbol. */
export interface LegacyOpinion {
  readonly view: string;
  /** The text that it was given, in the dialect that it reads. */
  readonly asked: string | null;
  /** Its answer; null if it had none. */
  readonly said: string | null;
  /** Whether its behaviour for such a text is known. */
  readonly known: boolean;
}

/**
 * The answer that each of the desk's translators would have given for a symbol. A translator that reads the
 * symbol's dialect gets the symbol itself; every other one gets the instrument's name in its own dialect.
 */
export function legacyOpinions(
  symbols: SymbolTranslationBridge,
  symbol: string,
  ownDialect: DialectName,
): readonly LegacyOpinion[] {
  return legacyViews.map((view) => {
    const asked = textFor(view, symbols, symbol, ownDialect);
    const said = asked === null ? undefined : view.says(asked);
    return { view: view.name, asked, said: said ?? null, known: said !== undefined };
  });
}

/**
 * The errors that the desk's translators would have made for these ledger symbols: several instruments under
 * one name (merges), one instrument under several names (splits), or no name at all (lost). Linear in symbols
 * and views.
 */
export function legacySymbolsOf(
  symbols: SymbolTranslationBridge,
  ledgerSymbols: readonly string[],
): LegacySymbols {
  const named = ledgerSymbols.flatMap((symbol) => {
    const reading = symbols.canonical(symbol, "actant-trades");
    return reading.ok ? [{ symbol, instrument: reading.instrument.name }] : [];
  });
  const [merges, splits, lost]: [Merge[], Split[], Lost[]] = [[], [], []];
  for (const view of legacyViews) {
    const answers = named.map((one) => {
      const asked = textFor(view, symbols, one.symbol, "actant-trades");
      return { ...one, said: asked === null ? undefined : view.says(asked) };
    });
    for (const [said, group] of Map.groupBy(answers, (answer) => answer.said)) {
      if (typeof said !== "string") continue;
      const instruments = [...new Set(group.map(({ instrument }) => instrument))];
      if (instruments.length > 1)
        merges.push({ view: view.name, text: said, instruments, symbols: symbolsOf(group) });
    }
    for (const [instrument, group] of Map.groupBy(answers, (answer) => answer.instrument)) {
      const texts = [...new Set(group.flatMap(({ said }) => (typeof said === "string" ? [said] : [])))];
      if (texts.length > 1) splits.push({ view: view.name, instrument, texts, symbols: symbolsOf(group) });
    }
    const nameless = answers.filter(({ said }) => said === null);
    if (nameless.length > 0) lost.push({ view: view.name, symbols: symbolsOf(nameless) });
  }
  return { merges, splits, lost };
}

type Merge = LegacySymbols["merges"][number];
type Split = LegacySymbols["splits"][number];
type Lost = LegacySymbols["lost"][number];

const symbolsOf = (group: readonly { readonly symbol: string }[]): readonly string[] =>
  group.map(({ symbol }) => symbol);

/** The text that a translator would have been given; null if its dialect has no name for the instrument. */
function textFor(
  view: LegacyView,
  symbols: SymbolTranslationBridge,
  symbol: string,
  ownDialect: DialectName,
): string | null {
  if (view.reads === ownDialect) return symbol;
  const reading = symbols.canonical(symbol, ownDialect);
  if (!reading.ok) return null;
  const printing = symbols.print(reading.instrument, view.reads);
  return printing.ok ? printing.text : null;
}
