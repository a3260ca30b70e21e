/** The trades of a screen, newest first. Older ones are loaded on request. */
import { useMemo, useState } from "react";
import { ApiError, request } from "../api.ts";
import { Figure } from "../figure.tsx";
import { Grid, type GridColumn } from "../grid.tsx";
import { VerdictBadge } from "../verdict.tsx";
import type { Dashboard, Trade } from "../wire.ts";
import type { PanelProps } from "./side-by-side.ts";

interface NumberedTrade extends Trade {
  /** Two trades may be alike, so the place in the list is the key. */
  readonly key: string;
}

const olderMax = 10_000;

export function Trades({ answer, sides, book }: PanelProps & { readonly book: string | undefined }) {
  const { value } = answer;
  const [older, setOlder] = useState<Dashboard>();
  const [failure, setFailure] = useState<string>();
  // Trades of another system or plan do not belong to this screen.
  const isUsable = older?.source === answer.source && older.epoch === answer.epoch;
  const shown = isUsable ? older : answer;
  const trades = useMemo(
    () => (shown.value.trades ?? []).map((trade, index) => ({ ...trade, key: String(index) })),
    [shown],
  );
  const load = async (): Promise<void> => {
    setFailure(undefined);
    try {
      setOlder(await request<Dashboard>("dashboard", { query: { view: "trades", book, limit: olderMax } }));
    } catch (problem) {
      setFailure(problem instanceof ApiError ? problem.message : String(problem));
    }
  };
  const isCut = shown.truncatedAt !== undefined && trades.length >= shown.truncatedAt;
  return (
    <section className="panel" aria-label="Trades">
      <div className="panel-head">
        <h2>Trades</h2>
        <span className="soft">
          {isCut ? `the newest ${trades.length.toLocaleString("en-US")}` : `${trades.length} rows`}
        </span>
        {isUsable ? (
          <button type="button" onClick={() => setOlder(undefined)}>
            Show the newest again
          </button>
        ) : (
          isCut && (
            <button type="button" onClick={() => void load()}>
              Load up to {olderMax.toLocaleString("en-US")}
            </button>
          )
        )}
        {failure !== undefined && <span role="alert">The older trades could not be loaded: {failure}</span>}
        {sides !== undefined && <VerdictBadge verdict={sides.verdictOn("trades")} />}
      </div>
      {value.trades === null ? (
        <p className="unavailable">not available – {value.unavailable.trades}</p>
      ) : (
        <Grid
          label="Trades"
          columns={columns}
          rows={trades}
          keyOf={keyOf}
          visibleRows={10}
          empty="There are no trades."
        />
      )}
    </section>
  );
}

const keyOf = ({ key }: NumberedTrade): string => key;

const columns: readonly GridColumn<NumberedTrade>[] = [
  { id: "symbol", title: "Symbol", width: 30, value: ({ symbol }) => symbol, cell: ({ symbol }) => symbol },
  {
    ...{ id: "time", title: "Time (America/Chicago)", width: 27 },
    value: ({ time }) => time,
    cell: ({ time }) => wallTime(time),
  },
  {
    id: "book",
    title: "Book",
    width: 10,
    value: ({ book }) => book ?? null,
    cell: ({ book }) => book ?? "–",
  },
  { id: "side", title: "Side", width: 8, value: ({ side }) => side, cell: ({ side }) => sideWord(side) },
  {
    ...{ id: "quantity", title: "Quantity", width: 12, isNumber: true },
    value: ({ quantity }) => quantity,
    cell: ({ quantity }) => <Figure value={quantity} as="quantity" />,
  },
  {
    ...{ id: "price", title: "Price", width: 16, isNumber: true },
    value: ({ price }) => price,
    cell: ({ price }) => <Figure value={price} as="price" />,
  },
  { id: "id", title: "Trade", width: 16, value: ({ id }) => id, cell: ({ id }) => id ?? "–" },
];

const sideWord = (side: string): string => (side === "B" ? "Buy" : side === "S" ? "Sell" : side);

/** The time of a trade as its text gives it: the desk's day and clock, then the offset, if any. */
function wallTime(time: string | null): string {
  if (time === null) return "not known";
  const [, day, clock, offset = ""] = /^(\S+)T([\d:.]+)(.*)$/.exec(time) ?? [];
  return day === undefined ? time : `${day} ${clock}${offset === "" ? "" : ` ${offset}`}`;
}
