/** P&L by trading day, as a chart and as a table, in one currency. */
import { useMemo, useState } from "react";
import { Chart } from "../chart.tsx";
import { Figure } from "../figure.tsx";
import { Grid, type GridColumn } from "../grid.tsx";
import { VerdictBadge } from "../verdict.tsx";
import type { Day, Money, Panels } from "../wire.ts";
import {
  differenceOf,
  type PairedRow,
  type PanelProps,
  pairedRows,
  type SideBySide,
  worstOf,
} from "./side-by-side.ts";

type Row = PairedRow<Day>;

export function History({ answer, sides }: PanelProps) {
  const { value, source } = answer;
  const [chosen, setChosen] = useState<string>();
  const currencies = useMemo(
    () => [...new Set(value.daily?.map(({ currency }) => currency) ?? [])].toSorted(),
    [value],
  );
  const currency =
    chosen !== undefined && currencies.includes(chosen) ? chosen : largestOf(value, currencies);
  const days = useMemo(() => {
    const ofCurrency = (panels: Panels | undefined) =>
      panels?.daily?.filter((day) => day.currency === currency);
    const panels = sides ?? { [source]: value };
    return pairedRows(ofCurrency(panels.legacy), ofCurrency(panels.modern), entryOf);
  }, [sides, source, value, currency]);
  const columns = useMemo(
    () => (sides === undefined ? plainColumns(source) : comparedColumns(sides)),
    [sides, source],
  );
  return (
    <section className="panel history" aria-label="Daily P&L">
      <div className="panel-head">
        <h2>Daily P&amp;L</h2>
        {currencies.length > 1 ? (
          <label>
            Currency{" "}
            <select value={currency} onChange={(event) => setChosen(event.target.value)}>
              {currencies.map((one) => (
                <option key={one}>{one}</option>
              ))}
            </select>
          </label>
        ) : (
          <span className="soft">{currency}</span>
        )}
        {sides !== undefined && <VerdictBadge verdict={sides.verdictOn("daily")} />}
      </div>
      <div className="two">
        <DailyChart {...{ answer, currency, sides }} />
        <Grid
          label="Daily P&L"
          columns={columns}
          rows={days}
          keyOf={keyOf}
          visibleRows={10}
          empty={value.unavailable.daily ?? "There are no days."}
        />
      </div>
    </section>
  );
}

/** The currency with the most days. Of several, the last one in the alphabet: USD rather than EUR. */
function largestOf({ daily }: Panels, currencies: readonly string[]): string {
  const days = (currency: string): number => daily?.filter((day) => day.currency === currency).length ?? 0;
  return currencies.reduce((best, one) => (days(one) >= days(best) ? one : best), currencies[0] ?? "");
}

const entryOf = ({ tradingDay, currency }: Day): string => `${tradingDay} ${currency}`;
const keyOf = ({ key }: Row): string => key;

const dayColumn: GridColumn<Row> = {
  ...{ id: "day", title: "Trading day", width: 13 },
  value: ({ legacy, modern }) => (legacy ?? modern)?.tradingDay ?? null,
  cell: ({ legacy, modern }) => (legacy ?? modern)?.tradingDay,
};

const figureColumn = (side: "legacy" | "modern", field: keyof Money, title: string): GridColumn<Row> => ({
  ...{ id: `${side} ${field}`, title, width: 16, isNumber: true },
  value: (row) => row[side]?.[field] ?? null,
  cell: (row) => <Figure value={row[side]?.[field]} why="the system does not report it" />,
});

const plainColumns = (side: "legacy" | "modern"): readonly GridColumn<Row>[] => [
  dayColumn,
  figureColumn(side, "realized", "Realized"),
  figureColumn(side, "unrealized", "Unrealized"),
  figureColumn(side, "total", "Total P&L"),
];

const comparedColumns = (sides: SideBySide): readonly GridColumn<Row>[] => [
  dayColumn,
  {
    ...{ id: "verdict", title: "Verdict", width: 18 },
    value: (row) => verdictOn(row, sides) ?? null,
    cell: (row) => <VerdictBadge verdict={verdictOn(row, sides)} />,
  },
  figureColumn("legacy", "total", "Total legacy"),
  figureColumn("modern", "total", "Total modern"),
  {
    ...{ id: "difference", title: "Difference", width: 14, isNumber: true },
    value: (row) => differenceOf(totals(row)),
    cell: (row) => <Figure value={differenceOf(totals(row))} isChange />,
  },
];

const totals = ({ legacy, modern }: Row) => ({ legacy: legacy?.total, modern: modern?.total });
const verdictOn = ({ entry }: Row, sides: SideBySide) =>
  worstOf(
    (["realized", "unrealized", "total"] as const).map((field) => sides.verdictOf(`daily[].${field}`, entry)),
  );

function DailyChart({ answer, currency, sides }: PanelProps & { readonly currency: string }) {
  const { value, source } = answer;
  const { x, textOf, series } = useMemo(() => {
    const pointsOf = (panels: Panels) =>
      new Map(
        panels.chart
          ?.filter((point) => point.currency === currency)
          .map((point) => [point.tradingDay, point]),
      );
    const main = pointsOf(value);
    const other =
      sides === undefined ? undefined : pointsOf(source === "legacy" ? sides.modern : sides.legacy);
    const days = [...new Set([...main.keys(), ...(other?.keys() ?? [])])].toSorted();
    const name = source === "legacy" ? "modern" : "legacy";
    return {
      x: days.map((_, index) => index),
      textOf: (index: number): string => days[index] ?? "",
      series: [
        {
          label: `Cumulative, ${source}`,
          as: "line" as const,
          values: days.map((day) => main.get(day)?.cumulative ?? null),
        },
        ...(other === undefined
          ? []
          : [
              {
                label: `Cumulative, ${name}`,
                as: "dashes" as const,
                values: days.map((day) => other.get(day)?.cumulative ?? null),
              },
            ]),
        { label: "Day", as: "bars" as const, values: days.map((day) => main.get(day)?.total ?? null) },
      ],
    };
  }, [value, source, sides, currency]);
  if (value.chart === null) return <p className="unavailable">not available – {value.unavailable.chart}</p>;
  return <Chart label={`P&L by trading day in ${currency}`} x={x} textOf={textOf} series={series} />;
}
