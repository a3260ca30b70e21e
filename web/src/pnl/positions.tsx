/** The positions of a screen; with both systems, the figures of each stand beside the other's. */
import { useMemo, useState } from "react";
import { Age } from "../ages.tsx";
import { Figure, type FigureKind } from "../figure.tsx";
import { Grid, type GridColumn } from "../grid.tsx";
import { VerdictBadge } from "../verdict.tsx";
import type { Position } from "../wire.ts";
import {
  differenceOf,
  type PairedRow,
  type PanelProps,
  pairedRows,
  type SideBySide,
  worstOf,
} from "./side-by-side.ts";

type Row = PairedRow<Position>;
type Field = "quantity" | "averagePrice" | "realized" | "unrealized" | "total";

const entryOf = ({ book, symbol }: Position): string => (book === undefined ? symbol : `${book} ${symbol}`);
const either = ({ legacy, modern }: Row): Position | undefined => legacy ?? modern;
const compared = ["quantity", "averagePrice", "realized", "unrealized"] as const;

export function Positions({ answer, sides }: PanelProps) {
  const { value, source } = answer;
  const [search, setSearch] = useState("");
  const [isOnlyDiffering, setOnlyDiffering] = useState(false);
  const rows = useMemo(() => {
    const panels = sides ?? { [source]: value };
    const all = pairedRows(panels.legacy?.positions, panels.modern?.positions, entryOf);
    const wanted = search.trim().toLowerCase();
    return all.filter(
      (row) =>
        (wanted === "" || row.entry.toLowerCase().includes(wanted)) &&
        (sides === undefined || !isOnlyDiffering || verdictOn(row, sides) !== "equal"),
    );
  }, [sides, source, value, search, isOnlyDiffering]);
  const isCut = answer.truncatedAt !== undefined && answer.truncatedAt === value.positions?.length;
  const hasBooks = rows.some((row) => either(row)?.book !== undefined);
  const columns = useMemo(
    () => [...named(hasBooks), ...(sides === undefined ? plainColumns(source) : comparedColumns(sides))],
    [hasBooks, sides, source],
  );
  if (value.positions === null && sides === undefined)
    return (
      <section className="panel" aria-label="Positions">
        <h2>Positions</h2>
        <p className="unavailable">not available – {value.unavailable.positions}</p>
      </section>
    );
  return (
    <section className="panel" aria-label="Positions">
      <div className="panel-head">
        <h2>Positions</h2>
        <span className="soft">
          {rows.length} rows{isCut && ", more are not shown"}
        </span>
        <label>
          Find <input type="search" value={search} onChange={(event) => setSearch(event.target.value)} />
        </label>
        {sides !== undefined && (
          <label>
            <input
              type="checkbox"
              checked={isOnlyDiffering}
              onChange={(event) => setOnlyDiffering(event.target.checked)}
            />{" "}
            Only rows that differ
          </label>
        )}
        {sides !== undefined && <VerdictBadge verdict={sides.verdictOn("positions")} />}
      </div>
      <Grid
        label="Positions"
        columns={columns}
        rows={rows}
        keyOf={keyOf}
        visibleRows={14}
        empty={value.unavailable.positions ?? "There are no positions."}
      />
    </section>
  );
}

const keyOf = ({ key }: Row): string => key;

const verdictOn = ({ entry }: Row, sides: SideBySide) =>
  worstOf(compared.map((field) => sides.verdictOf(`positions[].${field}`, entry)));

const named = (hasBooks: boolean): readonly GridColumn<Row>[] => [
  {
    ...{ id: "symbol", title: "Symbol", width: 30 },
    value: (row) => either(row)?.symbol ?? "",
    cell: (row) => either(row)?.symbol,
  },
  ...(hasBooks ? [textColumn("book", "Book", 10)] : []),
  textColumn("currency", "Currency", 9),
];

const textColumn = (id: "book" | "currency", title: string, width: number): GridColumn<Row> => ({
  ...{ id, title, width },
  value: (row) => either(row)?.[id] ?? null,
  cell: (row) => either(row)?.[id] ?? "–",
});

const kinds = {
  quantity: "quantity",
  averagePrice: "price",
  realized: "money",
  unrealized: "money",
  total: "money",
} as const satisfies Readonly<Record<Field, FigureKind>>;

/** A column with one system's figures. */
const figureColumn = (
  side: "legacy" | "modern",
  field: Field,
  { title, width }: { readonly title: string; readonly width: number },
): GridColumn<Row> => ({
  ...{ id: `${side} ${field}`, title, width, isNumber: true },
  value: (row) => row[side]?.[field] ?? null,
  cell: (row) => <Figure value={row[side]?.[field]} as={kinds[field]} why="the system does not report it" />,
});

const plainColumns = (side: "legacy" | "modern"): readonly GridColumn<Row>[] => [
  figureColumn(side, "quantity", { title: "Quantity", width: 11 }),
  figureColumn(side, "averagePrice", { title: "Average price", width: 16 }),
  {
    ...{ id: "mark", title: "Mark", width: 16, isNumber: true },
    value: (row) => row[side]?.mark ?? null,
    cell: (row) =>
      row[side]?.mark ? (
        <Figure value={row[side].mark} as="price" />
      ) : (
        <span className="soft">not known</span>
      ),
  },
  {
    ...{ id: "markAge", title: "Mark age", width: 12, isNumber: true },
    // Sorts by age: the distance to a time in the far future is smaller for a younger mark.
    value: (row) => (row[side]?.markAt ? String(farFutureMs - Date.parse(row[side].markAt)) : null),
    cell: (row) =>
      row[side]?.markAt ? (
        <span title={row[side].markAt}>
          <Age since={row[side].markAt} />
        </span>
      ) : (
        <span className="soft">not known</span>
      ),
  },
  figureColumn(side, "realized", { title: "Realized", width: 17 }),
  figureColumn(side, "unrealized", { title: "Unrealized", width: 17 }),
  figureColumn(side, "total", { title: "Total P&L", width: 17 }),
];
const farFutureMs = Date.parse("2200-01-01T00:00:00Z");

const comparedColumns = (sides: SideBySide): readonly GridColumn<Row>[] => [
  {
    ...{ id: "verdict", title: "Verdict", width: 18 },
    value: (row) => verdictOn(row, sides) ?? null,
    cell: (row) => <VerdictBadge verdict={verdictOn(row, sides)} />,
  },
  ...(["quantity", "realized", "unrealized", "total"] as const).flatMap((field) => {
    const { title, width } = comparedTitles[field];
    return [
      figureColumn("legacy", field, { title: `${title} legacy`, width }),
      figureColumn("modern", field, { title: `${title} modern`, width }),
      {
        ...{ id: `${field} difference`, title: "Difference", width: 12, isNumber: true },
        value: (row: Row) => differenceOf(pairOf(row, field)),
        cell: (row: Row) => <Figure value={differenceOf(pairOf(row, field))} as={kinds[field]} isChange />,
      },
    ];
  }),
];
const comparedTitles = {
  quantity: { title: "Quantity", width: 16 },
  realized: { title: "Realized", width: 16 },
  unrealized: { title: "Unrealized", width: 18 },
  total: { title: "Total", width: 14 },
} as const;

const pairOf = ({ legacy, modern }: Row, field: Field) => ({
  legacy: legacy?.[field],
  modern: modern?.[field],
});
