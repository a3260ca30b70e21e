/** Records a replay as evidence of the gates. */
import { randomUUID } from "node:crypto";
import { dirname, resolve } from "node:path";
import { systemClock } from "../../adapters/host/index.ts";
import { BridgeError } from "../../base/errors.ts";
import { parseFigure } from "../../base/fraction.ts";
import { nearestDouble } from "../../base/nearest-double.ts";
import type { Config } from "../../config/index.ts";
import type { EvidenceStore } from "../../ports/evidence.ts";
import type { ParityReport, ParityRow } from "../../ports/parity-report.ts";
import { type LaneDay, markOf } from "../../ports/tallies.ts";
import { evidenceKey, groupOfSymbol } from "../evidence-key.ts";
import { noControlStore, openEvidenceStore } from "../stores.ts";

export interface RecordedReplay {
  readonly key: string;
  readonly instrumentDays: number;
  readonly apart: number;
}

/**
 * Stores each instrument-day of a report as replay evidence under the key of the configuration. A later
 * replay under the same key replaces the instrument-days that both have. Throws BAD_CONFIG without a control
 * store.
 */
export async function recordReplay(
  report: Pick<ParityReport, "rows" | "explanations">,
  { config, configFile }: { readonly config: Config; readonly configFile: string | undefined },
): Promise<RecordedReplay> {
  const folder = configFile === undefined ? process.cwd() : dirname(resolve(configFile));
  const store = await openEvidenceStore({ config, folder });
  if (store === undefined) throw new BridgeError("BAD_CONFIG", noControlStore);
  try {
    const { positionThreshold, comparisonThreshold } = config.validation;
    const tolerances = { position: positionThreshold, pnl: comparisonThreshold };
    const key = evidenceKey({ config, folder }, tolerances);
    const laneDays = await storeReplay(report, { store, key, nowMs: systemClock.nowMs() });
    return {
      key,
      instrumentDays: laneDays.length,
      apart: laneDays.filter(({ apart }) => apart !== null).length,
    };
  } finally {
    await store.close();
  }
}

/** Stores the instrument-days of a report as replay evidence under a key, and returns them. */
export async function storeReplay(
  report: Parameters<typeof recordReplay>[0],
  { store, key, nowMs }: { readonly store: EvidenceStore; readonly key: string; readonly nowMs: number },
): Promise<readonly LaneDay[]> {
  const at = new Date(nowMs).toISOString();
  const laneDays = laneDaysOf(report, at);
  await store.attempt(key, false);
  const process = `replay ${randomUUID()}`;
  await store.append([], { key, process, at, day: "", ended: true, laneDays, tallies: [] });
  return laneDays;
}

type Growing = { -readonly [Name in keyof LaneDay]: LaneDay[Name] };

/**
 * Derives the instrument-days from the daily rows. The position of a lane counts on the last day of the lane:
 * both sides must have it, with the same quantity. Its money is not counted, since the daily rows have it.
 */
export function laneDaysOf(
  { rows, explanations }: Parameters<typeof recordReplay>[0],
  at: string,
): readonly LaneDay[] {
  const accepted = new Map(
    explanations?.map(({ id, accepted = [] }) => [id, markOf(accepted.map((one) => one.id))]),
  );
  const days = new Map<string, Growing>();
  const lastDays = new Map<string, string>();
  const add = (row: ParityRow, tradingDay: string): void => {
    const { book = "", symbol } = row.key;
    const id = `${tradingDay}\n${book}\n${symbol}`;
    let day = days.get(id);
    if (day === undefined) {
      day = {
        ...{ source: "replay", day: tradingDay, book, symbol, method: "" },
        ...{ group: groupOfSymbol(symbol), at },
        ...{ apart: null, accepted: null, money: 0, quantityApart: false, signed: 0, weight: 0 },
      };
      days.set(id, day);
    }
    addRow(day, row, accepted.get(row.explanation ?? "") ?? null);
  };
  for (const row of rows) {
    const { tradingDay } = row.key;
    if (row.kind !== "daily" || tradingDay === undefined || row.verdict === "not_comparable") continue;
    add(row, tradingDay);
    for (const lane of [laneOf(row), anyLane])
      if (tradingDay > (lastDays.get(lane) ?? "")) lastDays.set(lane, tradingDay);
  }
  for (const row of rows) {
    if (row.kind !== "position" || !positionFields.has(row.field) || row.verdict === "not_comparable")
      continue;
    const lastDay = lastDays.get(laneOf(row)) ?? lastDays.get(anyLane);
    if (lastDay !== undefined) add(row, lastDay);
  }
  return [...days.values()];
}

const positionFields: ReadonlySet<string> = new Set(["quantity", "row"]);
const laneOf = ({ key: { book = "", symbol } }: ParityRow): string => `${book}\n${symbol}`;
/** Stands for all lanes, since every lane has a symbol. */
const anyLane = "\n";

function addRow(day: Growing, row: ParityRow, accepted: string | null): void {
  const difference = amountOf(row);
  if (row.field === "total") day.signed += difference ?? 0;
  if (row.verdict !== "diverged" && row.verdict !== "error") return;
  // One difference without an accepted cause is enough for an event.
  day.accepted = day.apart === null || day.accepted !== null ? accepted : null;
  day.apart ??= row.field;
  if (row.kind === "position" && quantityIn(row) !== 0) day.quantityApart = true;
  day.money =
    day.money === null || difference === undefined ? null : Math.max(day.money, Math.abs(difference));
}

/** The difference in quantity of a position; of a position that one side lacks, its quantity. */
const quantityIn = ({ difference, field, present }: ParityRow): number | undefined =>
  numberOf(field === "row" ? (present?.quantity ?? null) : difference);

/**
 * The difference in money of a row; of a row that one side lacks, its largest figure. Undefined if unknown.
 */
function amountOf({ kind, difference, field, present }: ParityRow): number | undefined {
  if (kind === "position") return 0;
  if (field !== "row") return numberOf(difference);
  const figures = Object.values(present ?? {}).map(numberOf);
  return figures.reduce<number | undefined>(
    (largest, figure) => (figure === undefined ? largest : Math.max(largest ?? 0, Math.abs(figure))),
    undefined,
  );
}

function numberOf(text: string | null): number | undefined {
  const figure = text === null ? undefined : parseFigure(text);
  return figure && nearestDouble(figure);
}
