/** The P&L of a book from the system that the plan gives this person. */
import { useMemo } from "react";
import { Chart } from "../chart.tsx";
import { Figure } from "../figure.tsx";
import { Grid, type GridColumn } from "../grid.tsx";
import { screenStore } from "../live/screen.ts";
import { useStore } from "../store.ts";
import type { ChartPoint, Position } from "../wire.ts";

const columns: readonly GridColumn<Position>[] = [
  { id: "symbol", title: "Symbol", width: 28, value: ({ symbol }) => symbol, cell: ({ symbol }) => symbol },
  {
    ...{ id: "quantity", title: "Quantity", width: 12, isNumber: true },
    value: ({ quantity }) => quantity,
    cell: ({ quantity }) => <Figure value={quantity} as="exact" />,
  },
  {
    ...{ id: "total", title: "Total P&L", width: 16, isNumber: true },
    value: ({ total }) => total,
    cell: ({ total }) => <Figure value={total} />,
  },
];
const keyOf = ({ book, symbol }: Position): string => `${book} ${symbol}`;
const none: readonly never[] = [];

export function PnlView() {
  const { answer, failure } = useStore(screenStore);
  const { positions, chart, unavailable } = answer?.value ?? {};
  return (
    <section>
      <h1>P&amp;L</h1>
      {failure !== undefined && <p role="alert">not available – {failure.message}</p>}
      <Grid
        label="Positions"
        columns={columns}
        rows={positions ?? none}
        keyOf={keyOf}
        empty={unavailable?.positions ?? "There are no positions."}
      />
      {chart && chart.length > 0 && <DailyChart points={chart} />}
    </section>
  );
}

function DailyChart({ points }: { readonly points: readonly ChartPoint[] }) {
  const { x, textOf, series } = useMemo(
    () => ({
      x: points.map((_, index) => index),
      textOf: (index: number) => points[index]?.tradingDay ?? "",
      series: [
        { label: "Cumulative", as: "line" as const, values: points.map(({ cumulative }) => cumulative) },
        { label: "Day", as: "bars" as const, values: points.map(({ total }) => total) },
      ],
    }),
    [points],
  );
  return <Chart label="P&L by trading day" x={x} textOf={textOf} series={series} />;
}
