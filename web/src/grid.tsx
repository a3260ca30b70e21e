/**
 * A table of many rows. Only the rows near the visible part are in the document. So all rows have one height,
 * and the table scrolls in a box of its own. It can be used with the keyboard alone: arrows, Page Up and
 * Down, Home and End move between cells, Enter on a header sorts, and Enter on a cell opens its row.
 */
import {
  createSortedRowModel,
  rowSortingFeature,
  type SortingState,
  tableFeatures,
  useTable,
} from "@tanstack/react-table";
import { useVirtualizer } from "@tanstack/react-virtual";
import {
  type KeyboardEvent,
  type ReactNode,
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from "react";
import { compare, type Fraction, parseFigure } from "../../src/base/fraction.ts";

export interface GridColumn<Row> {
  readonly id: string;
  readonly title: string;
  readonly cell: (row: Row) => ReactNode;
  /**
   * Returns the sort key of a row: a text, or the exact text of a number. Null, and a text that should be a
   * number and is none, come last in both directions.
   */
  readonly value: (row: Row) => string | null;
  /** Numbers are aligned to the right and sorted by their exact value. */
  readonly isNumber?: boolean;
  /** The least width of the column in characters. */
  readonly width: number;
}

interface SharedProps<Row> {
  /** A description of the table for screen readers. */
  readonly label: string;
  /** Columns and rows must be the same objects until they change. */
  readonly columns: readonly GridColumn<Row>[];
  readonly keyOf: (row: Row) => string;
  /** Returns a class for the whole row, such as that of a verdict. */
  readonly classOf?: (row: Row) => string | undefined;
  /** The largest height of the box in rows. Default 18. */
  readonly visibleRows?: number;
  /** The text that is shown if there is no row. */
  readonly empty: string;
  readonly onOpen?: (row: Row) => void;
}

interface GridProps<Row> extends SharedProps<Row> {
  readonly rows: readonly Row[];
  /** The order at first. Default: the order of `rows`. */
  readonly sortedBy?: SortingState;
}

const features = tableFeatures({ rowSortingFeature, sortedRowModel: createSortedRowModel() });
const rowPx = 24;

/** A table whose rows are all known, and that can be sorted by each column. */
export function Grid<Row extends object>({ rows, sortedBy = [], ...shared }: GridProps<Row>) {
  const { columns, keyOf } = shared;
  const [sorting, setSorting] = useState<SortingState>(sortedBy);
  const definitions = useMemo(
    () =>
      columns.map(({ id, value, isNumber = false }) => ({
        id,
        accessorFn: (row: Row) => (isNumber ? numberOf(value(row)) : (value(row) ?? undefined)),
        sortFn: isNumber ? byNumber : byText,
        sortDescFirst: isNumber,
        sortUndefined: "last" as const,
      })),
    [columns],
  );
  const table = useTable({
    features,
    data: rows,
    columns: definitions,
    state: { sorting },
    onSortingChange: setSorting,
    getRowId: keyOf,
  });
  const sorted = table.getRowModel().rows;
  return (
    <Sheet
      {...shared}
      rows={rows}
      count={sorted.length}
      rowAt={(index) => sorted[index]?.original}
      sorting={sorting}
      onSort={(id) => table.getColumn(id)?.toggleSorting()}
    />
  );
}

interface SheetProps<Row> extends SharedProps<Row> {
  /** The rows whose texts the columns have room for. Default: none. */
  readonly rows?: readonly Row[];
  /** The number of rows, also of those that are not known yet. */
  readonly count: number;
  /** Returns a row by its place; undefined if it is not known yet. */
  readonly rowAt: (index: number) => Row | undefined;
  /** Called with the index of the last row that is shown, so that the rows up to it can be requested. */
  readonly onShown?: (last: number) => void;
  readonly sorting?: SortingState;
  readonly onSort?: (column: string) => void;
}

const noRows: readonly never[] = [];

/** The rows of a table that are in the document. A row that is not known yet shows "…". */
export function Sheet<Row extends object>(props: SheetProps<Row>) {
  const { label, columns, rows = noRows, count, rowAt, keyOf, classOf, visibleRows = 18, empty } = props;
  const { onOpen, onShown, sorting = [], onSort } = props;
  const box = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count,
    getScrollElement: () => box.current,
    estimateSize: () => rowPx,
    scrollPaddingStart: rowPx,
    overscan: 6,
  });
  const { active, onKeyDown, focus } = useCells({
    box,
    rows: count,
    columns: columns.length,
    first: onSort === undefined ? 0 : -1,
    virtual,
  });
  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => onShown?.(last), [onShown, last]);
  const template = useMemo(() => templateOf(columns, rows), [columns, rows]);
  const tabIndex = (row: number, column: number): 0 | -1 =>
    active.row === row && active.column === column ? 0 : -1;

  return (
    <div
      ref={box}
      className="grid"
      role="grid"
      aria-label={label}
      aria-rowcount={count + 1}
      aria-colcount={columns.length}
      // Without rows and sorting, it holds nothing else that the keyboard reaches.
      tabIndex={count === 0 && onSort === undefined ? 0 : undefined}
      style={{ height: (Math.min(Math.max(count, 1), visibleRows) + 1) * rowPx + 18 }}
      onKeyDown={(event) => {
        const row = rowAt(active.row);
        if (event.key === "Enter" && row !== undefined) onOpen?.(row);
        else onKeyDown(event);
      }}
    >
      <div className="grid-sheet" style={{ height: virtual.getTotalSize() + rowPx }}>
        <div role="row" aria-rowindex={1} className="grid-head" style={{ gridTemplateColumns: template }}>
          {columns.map(({ id, title, isNumber }, index) => {
            const order = sorting.find((one) => one.id === id);
            return (
              <div
                key={id}
                role="columnheader"
                aria-colindex={index + 1}
                aria-sort={onSort && (order === undefined ? "none" : order.desc ? "descending" : "ascending")}
                className={isNumber ? "number" : undefined}
              >
                {onSort === undefined ? (
                  title
                ) : (
                  <button
                    type="button"
                    tabIndex={tabIndex(-1, index)}
                    data-cell={`-1 ${index}`}
                    onFocus={() => focus(-1, index)}
                    onClick={() => onSort(id)}
                  >
                    {title}
                  </button>
                )}
              </div>
            );
          })}
        </div>
        {items.map(({ index, start }) => {
          const row = rowAt(index);
          return (
            <div
              key={row === undefined ? `place ${index}` : keyOf(row)}
              role="row"
              aria-rowindex={index + 2}
              className={`grid-row ${index % 2 === 1 ? "odd" : ""} ${(row && classOf?.(row)) ?? ""}`}
              style={{ gridTemplateColumns: template, transform: `translateY(${start}px)` }}
              onDoubleClick={() => row && onOpen?.(row)}
            >
              {columns.map(({ id, cell, isNumber }, column) => (
                <div
                  key={id}
                  role="gridcell"
                  aria-colindex={column + 1}
                  tabIndex={tabIndex(index, column)}
                  data-cell={`${index} ${column}`}
                  className={isNumber ? "number" : undefined}
                  onFocus={() => focus(index, column)}
                >
                  {row === undefined ? column === 0 && "…" : cell(row)}
                </div>
              ))}
            </div>
          );
        })}
        {count === 0 && <p className="grid-empty">{empty}</p>}
      </div>
    </div>
  );
}

/** The column widths. Numbers and the first column have room for their longest text, up to a limit. */
function templateOf<Row>(columns: readonly GridColumn<Row>[], rows: readonly Row[]): string {
  const widths = columns.map(({ width, value, isNumber = false }, index) => {
    if (!isNumber && index > 0) return `${width}ch`;
    let longest = 0;
    for (const row of rows) {
      const text = value(row) ?? "";
      longest = Math.max(longest, isNumber ? digitsOf(text) : text.length);
    }
    return `${Math.max(width, Math.min(longest + 3, 44))}ch`;
  });
  // The rest of the width stays free, so that the figures of a row stand close to its name.
  return [...widths, "1fr"].join(" ");
}

/** The length of a number with thousands separators and two decimals. */
function digitsOf(text: string): number {
  const [numerator = "", denominator = ""] = text.split("/");
  const whole = (numerator.split(".")[0]?.length ?? 0) - Math.max(0, denominator.length - 1);
  return whole + Math.floor(whole / 3) + 3;
}

interface Cells extends Pick<Place, "first"> {
  readonly box: React.RefObject<HTMLDivElement | null>;
  readonly rows: number;
  readonly columns: number;
  readonly virtual: { scrollToIndex(index: number): void };
}

/** The one cell that the Tab key reaches, and how keys move it. Row -1 is the head. */
function useCells({ box, rows, columns, first, virtual }: Cells) {
  const [active, setActive] = useState({ row: rows > 0 ? 0 : -1, column: 0 });
  /** Whether the active cell gets the focus once it is in the document. */
  const moves = useRef(false);
  const row = Math.max(first, Math.min(active.row, rows - 1));
  const current = row === active.row ? active : { ...active, row };
  useLayoutEffect(() => {
    if (!moves.current) return;
    const cell = box.current?.querySelector<HTMLElement>(`[data-cell="${current.row} ${current.column}"]`);
    if (cell === null || cell === undefined) return;
    moves.current = false;
    cell.focus({ preventScroll: current.row >= 0 });
  });
  const onKeyDown = (event: KeyboardEvent): void => {
    const step = steps[event.key];
    if (step === undefined || event.altKey || event.metaKey) return;
    event.preventDefault();
    const next = step({ ...current, rows, columns, first, isAll: event.ctrlKey });
    moves.current = true;
    if (next.row >= 0) virtual.scrollToIndex(next.row);
    setActive(next);
  };
  const focus = (toRow: number, column: number): void => {
    if (toRow !== active.row || column !== active.column) setActive({ row: toRow, column });
  };
  return { active: current, onKeyDown, focus };
}

interface Place {
  readonly row: number;
  readonly column: number;
  readonly rows: number;
  readonly columns: number;
  /** The first row that can be reached: -1 is a head that sorts. */
  readonly first: -1 | 0;
  /** Whether the control key extends the step to the whole table. */
  readonly isAll: boolean;
}

const pageRows = 15;
const steps: Readonly<Record<string, (place: Place) => { readonly row: number; readonly column: number }>> = {
  ArrowUp: ({ row, column, first }) => ({ row: Math.max(first, row - 1), column }),
  ArrowDown: ({ row, column, rows }) => ({ row: Math.min(rows - 1, row + 1), column }),
  ArrowLeft: ({ row, column }) => ({ row, column: Math.max(0, column - 1) }),
  ArrowRight: ({ row, column, columns }) => ({ row, column: Math.min(columns - 1, column + 1) }),
  PageUp: ({ row, column, rows }) => ({ row: Math.max(Math.min(0, rows - 1), row - pageRows), column }),
  PageDown: ({ row, column, rows }) => ({ row: Math.min(rows - 1, row + pageRows), column }),
  Home: ({ row, rows, isAll }) => ({ row: isAll ? Math.min(0, rows - 1) : row, column: 0 }),
  End: ({ row, rows, columns, isAll }) => ({ row: isAll ? rows - 1 : row, column: columns - 1 }),
};

interface Sortable {
  getValue<Value>(column: string): Value;
}

const byNumber = (a: Sortable, b: Sortable, column: string): number =>
  compare(a.getValue<Fraction>(column), b.getValue<Fraction>(column));

const byText = (a: Sortable, b: Sortable, column: string): number =>
  a.getValue<string>(column).localeCompare(b.getValue<string>(column));

/** Parsed numbers by their text: a table sorts the same texts again with each change. */
const parsed = new Map<string, Fraction | undefined>();

function numberOf(text: string | null): Fraction | undefined {
  if (text === null) return undefined;
  if (!parsed.has(text)) {
    if (parsed.size > 100_000) parsed.clear();
    parsed.set(text, parseFigure(text));
  }
  return parsed.get(text);
}
