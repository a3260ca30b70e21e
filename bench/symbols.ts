import { SymbolTranslationBridge } from "../src/bridges/symbols/index.ts";
import { dayNumber } from "../src/domain/market/trading-day.ts";
import {
  ExpiryCalendar,
  type Instrument,
  optionOf,
  printSymbol,
  productOfRoot,
} from "../src/symbols/index.ts";
import { interleaved, ratio, type Times } from "./measure.ts";
import { type BenchResult, perSecond } from "./report.ts";

const asOf = "2025-07-24";
const few = 1_000;
const many = 100_000;
const lookUps = 1_000_000;
const repetitions = 9;

/**
 * Measures the translation of new ledger symbols into Bloomberg's names, and the reading of cached ones,
 * against look-ups of the same texts in a plain Map. Many known instruments may make a new text cost half as
 * much again, and a cached one may cost ten look-ups in a Map of as many texts.
 */
export async function symbols(): Promise<BenchResult> {
  const all = ledgerTexts(many + few);
  const [texts, others] = [all.slice(0, many), all.slice(many)];
  const some = texts.slice(0, few);
  const bridge = (known: readonly string[]): SymbolTranslationBridge => {
    const made = new SymbolTranslationBridge({ asOf, cacheMax: 4 * many });
    for (const text of known) made.canonical(text, "actant-trades");
    return made;
  };
  const map = (known: readonly string[]): Map<string, string> => new Map(known.map((text) => [text, text]));
  const warm = { few: bridge(some), many: bridge(texts) };
  const plain = { few: map(some), many: map(texts) };
  let fresh = bridge([]);
  const times = await interleaved(
    {
      cold: { prepare: () => (fresh = bridge([])), run: () => translate(fresh, texts, "actant-trades") },
      coldAuto: { prepare: () => (fresh = bridge([])), run: () => translate(fresh, texts, "auto") },
      newToFew: {
        prepare: () => (fresh = bridge(some)),
        run: () => translate(fresh, others, "actant-trades"),
      },
      newToMany: {
        prepare: () => (fresh = bridge(texts)),
        run: () => translate(fresh, others, "actant-trades"),
      },
      cachedFew: { run: () => lookUp(some, (text) => warm.few.canonical(text, "actant-trades").ok) },
      cachedMany: { run: () => lookUp(texts, (text) => warm.many.canonical(text, "actant-trades").ok) },
      mapFew: { run: () => lookUp(some, (text) => plain.few.get(text) !== undefined) },
      mapMany: { run: () => lookUp(texts, (text) => plain.many.get(text) !== undefined) },
    },
    repetitions,
  );
  const perCall = (of: Times, count: number): Times => ({
    medianMs: of.medianMs / count,
    timesMs: of.timesMs.map((ms) => ms / count),
  });
  const [cold, coldAuto] = [perCall(times.cold, many), perCall(times.coldAuto, many)];
  const [mapFew, mapMany] = [perCall(times.mapFew, lookUps), perCall(times.mapMany, lookUps)];
  return {
    name: "symbols",
    what:
      `new ledger symbols to Bloomberg's names, cached ones to instruments, median of ${repetitions}; ` +
      "expected on an idle machine: 0.3 M/s for new symbols, 5 M/s for cached ones",
    rows: [
      {
        case: "new, dialect given",
        measured: perSecond(many, times.cold.medianMs),
        ratio: ratio(cold, mapMany),
        against: "Map look-up",
      },
      {
        case: "new, dialect detected",
        measured: perSecond(many, times.coldAuto.medianMs),
        ratio: ratio(coldAuto, mapMany),
        against: "Map look-up",
      },
      {
        case: `new, ${many / 1000} k others known`,
        measured: perSecond(few, times.newToMany.medianMs),
        ratio: ratio(times.newToMany, times.newToFew),
        against: `${few / 1000} k known`,
        target: { atMost: 1.5 },
      },
      {
        case: `cached, ${few / 1000} k known`,
        measured: perSecond(lookUps, times.cachedFew.medianMs),
        ratio: ratio(times.cachedFew, times.mapFew),
        against: "Map look-up",
        target: { atMost: 10 },
      },
      {
        case: `cached, ${many / 1000} k known`,
        measured: perSecond(lookUps, times.cachedMany.medianMs),
        ratio: ratio(times.cachedMany, times.mapMany),
        against: "Map look-up",
        target: { atMost: 10 },
      },
      { case: `Map look-up of ${few / 1000} k`, measured: perSecond(lookUps, mapFew.medianMs * lookUps) },
      { case: `Map look-up of ${many / 1000} k`, measured: perSecond(lookUps, mapMany.medianMs * lookUps) },
    ],
  };
}

function translate(
  bridge: SymbolTranslationBridge,
  texts: readonly string[],
  source: "actant-trades" | "auto",
): void {
  let done = 0;
  for (const text of texts) if (bridge.translate(text, source, "bloomberg").ok) done += 1;
  if (done !== texts.length) throw new Error(`${done} of ${texts.length} symbols were translated`);
}

function lookUp(texts: readonly string[], found: (text: string) => boolean): void {
  let done = 0;
  for (let left = lookUps; left > 0; left -= texts.length)
    for (const text of texts) done += found(text) ? 1 : 0;
  if (done !== lookUps) throw new Error(`${done} of ${lookUps} symbols were found`);
}

/** Returns different ledger symbols of 10-year options; Bloomberg has a name for each of them. */
function ledgerTexts(count: number): readonly string[] {
  const calendar = new ExpiryCalendar();
  const product = productOfRoot("ZN");
  const texts: string[] = [];
  for (let month = 0; texts.length < count; month++)
    for (const series of calendar.seriesExpiringIn(
      product as NonNullable<typeof product>,
      2025 + Math.floor((6 + month) / 12),
      ((6 + month) % 12) + 1,
    ))
      for (let eighth = 8; eighth < 3200 && texts.length < count; eighth += 3)
        for (const right of ["C", "P"] as const)
          texts.push(textOf(optionOf(series, right, eighth), calendar));
  return texts.slice(0, count);
}

function textOf(instrument: Instrument, calendar: ExpiryCalendar): string {
  const printing = printSymbol(instrument, "actant-trades", { asOf: dayNumber(2025, 7, 24), calendar });
  if (!printing.ok) throw new Error(printing.why);
  return printing.text;
}
