/** The totals of a screen by currency, of all time and of its last trading day, and its open positions. */
import { Figure, type FigureKind } from "../figure.tsx";
import { VerdictBadge } from "../verdict.tsx";
import type { Dashboard, Money, Panels } from "../wire.ts";
import { differenceOf, type PanelProps } from "./side-by-side.ts";

interface CardProps {
  readonly title: string;
  readonly pick: (panels: Panels) => string | null | undefined;
  /** The path of the figure, by which `unavailable` gives the reason for a missing figure. */
  readonly path: string;
  /** The path and the list entry of the figure in comparisons. Default: `path`, without an entry. */
  readonly judgedBy?: readonly [path: string, entry: string];
  readonly as?: FigureKind;
}

export function Cards({ answer, sides }: PanelProps) {
  const { summary, unavailable } = answer.value;
  if (summary === null || summary === undefined)
    return <p className="unavailable">not available – {unavailable.summary}</p>;
  const { day } = summary;
  const others = sides === undefined ? [] : [sides.legacy, sides.modern];
  const currencies = new Set(
    [answer.value, ...others].flatMap((panels) => [
      ...Object.keys(panels.summary?.totals ?? {}),
      ...Object.keys(panels.summary?.day?.totals ?? {}),
    ]),
  );
  const card = (props: CardProps) => <Card key={props.path} {...props} answer={answer} sides={sides} />;
  const moneyCard = (currency: string, field: keyof Money, title: string) =>
    card({
      title: `${title} ${currency}`,
      path: `summary.totals.${currency}.${field}`,
      pick: (panels) => panels.summary && (panels.summary.totals[currency]?.[field] ?? null),
    });
  return (
    <div className="cards">
      {inOrder([...currencies], answer).map((currency) => (
        <dl key={currency} className="card-row">
          {moneyCard(currency, "total", "Total P&L")}
          {day !== null &&
            card({
              title: `P&L of ${day.tradingDay} ${currency}`,
              path: `summary.day.totals.${currency}.total`,
              // Days are compared in the list of days, not in the summary.
              judgedBy: ["daily[].total", `${day.tradingDay} ${currency}`],
              pick: ({ summary: one }) =>
                one?.day?.tradingDay === day.tradingDay ? (one.day.totals[currency]?.total ?? null) : null,
            })}
          {moneyCard(currency, "realized", "Realized")}
          {moneyCard(currency, "unrealized", "Unrealized")}
        </dl>
      ))}
      <dl className="card-row">
        {card({
          title: "Open positions",
          path: "summary.openPositions",
          pick: (panels) => panels.summary?.openPositions ?? null,
          as: "quantity",
        })}
      </dl>
    </div>
  );
}

/** The currency of the most positions first. */
function inOrder(currencies: readonly string[], { value }: Dashboard): readonly string[] {
  const count = (currency: string): number =>
    value.positions?.filter((position) => position.currency === currency).length ?? 0;
  return currencies.toSorted((a, b) => count(b) - count(a) || a.localeCompare(b));
}

function Card({
  title,
  pick,
  path,
  judgedBy = [path, ""],
  as = "money",
  answer,
  sides,
}: CardProps & PanelProps) {
  const { value, source, other } = answer;
  const why = reasonFor(value.unavailable, path);
  const own = pick(value);
  return (
    <div className="card">
      <dt>
        {title} {sides !== undefined && <VerdictBadge verdict={sides.verdictOf(...judgedBy)} />}
      </dt>
      <dd className="main number">
        {other !== undefined && <small>{source}</small>}
        <Figure value={own} as={as} why={why} />
        {own === null && <small>{why}</small>}
      </dd>
      {sides !== undefined && other !== undefined && (
        <>
          <dd className="number">
            <small>{other.source}</small>
            <Figure value={pick(other.value)} as={as} why={reasonFor(other.value.unavailable, path)} />
          </dd>
          <dd className="number">
            <small>modern − legacy</small>
            <Figure
              value={differenceOf({ legacy: pick(sides.legacy), modern: pick(sides.modern) })}
              as={as}
              isChange
              why="one of the two figures is not available"
            />
          </dd>
        </>
      )}
    </div>
  );
}

/** Why a figure is null: the reason of its own path, or of the panel that contains it. */
function reasonFor(unavailable: Panels["unavailable"], path: string): string | undefined {
  for (let whole = path; whole !== ""; whole = whole.replace(/\.?[^.]+$/, "")) {
    const why = unavailable[whole];
    if (why !== undefined) return why;
  }
  return undefined;
}
