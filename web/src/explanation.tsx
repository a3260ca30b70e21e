/** The causes of a comparison's differences, proved or not, and the trades that show the differences. */
import { Figure } from "./figure.tsx";
import { onlyOnce, useQuestion } from "./live/question.ts";
import { Fact, Facts, State, Table, type Tone } from "./panel.tsx";
import type { ComparisonExplanation } from "./wire.ts";

type Group = ComparisonExplanation["others"][number];
type Cause = Group["causes"][number];

const levels: Readonly<Record<Cause["level"], readonly [tone: Tone, word: string]>> = {
  proved: ["good", "proved"],
  fits: ["warn", "fits"],
  reduces: ["warn", "explains a part"],
};

/** The largest number of tried causes that are shown; those that leave the fewest rows come first. */
const triedMax = 8;

export function Explanation({ id }: { readonly id: string }) {
  const path = `comparisons/${encodeURIComponent(id)}/explanation`;
  const { answer, failure } = useQuestion<ComparisonExplanation>(path, onlyOnce);
  if (failure !== undefined) return <p role="alert">not available – {failure.message}</p>;
  if (answer === undefined) return <p role="status">The gateway looks for causes …</p>;
  return (
    <>
      <ExplainedGroup group={answer} />
      {answer.others.map((group) => (
        <ExplainedGroup key={group.id} group={group} />
      ))}
    </>
  );
}

interface GroupProps {
  readonly group: Omit<Group, "first"> & { readonly first: Group["first"] | null };
}

/** The causes of one group of instruments whose figures depend on each other. */
function ExplainedGroup({ group }: GroupProps) {
  const { component, first, difference, causes, unexplained, alternatives, tried, witness, budget } = group;
  const names = component.lanes
    .map(({ book, symbol }) => [book, symbol].filter(Boolean).join(" "))
    .join(", ");
  return (
    <>
      <Facts>
        <Fact name="Instruments">{names || "–"}</Fact>
        {first !== null && (
          <Fact name="First difference">
            {first.field}
            {first.tradingDay !== undefined && ` of ${first.tradingDay}`}
          </Fact>
        )}
        <Fact name="Modern − legacy">
          <Figure value={difference} isChange />
        </Fact>
        <Fact name="Unexplained" tone={unexplained === "0" ? "good" : "warn"}>
          {unexplained === "0" ? "nothing" : (unexplained ?? "not known")}
        </Fact>
        {alternatives.length > 0 && (
          <Fact name="Other causes that give the same figures">
            {alternatives.map((codes) => codes.join(" + ")).join(", or ")}
          </Fact>
        )}
        {causes.length === 0 && tried.length > 0 && (
          <Fact name="Tried, and not the cause">
            {tried
              .slice(0, triedMax)
              .map(({ code, rowsLeft }) => `${code} (rows that still differ: ${rowsLeft})`)
              .join(", ")}
          </Fact>
        )}
      </Facts>
      <Table
        label="Causes"
        head={["Cause", "Level", "Side", "Amount", "Rows reproduced", "Rule"]}
        rows={causes}
        keyOf={({ code, rule }) => `${code} ${rule}`}
        empty={budget.exhausted ? "No cause was found within the budget." : "No known cause fits."}
      >
        {({ code, level, side, amount, rowsReproduced, rowsTotal, rule }) => (
          <>
            <th scope="row">
              <strong>{code}</strong>
            </th>
            <td>
              <State tone={levels[level][0]}>{levels[level][1]}</State>
            </td>
            <td>{side} departs from the reference</td>
            <td>
              <Figure value={amount} isChange />
            </td>
            <td>
              {rowsReproduced} of {rowsTotal}
            </td>
            <td>{rule}</td>
          </>
        )}
      </Table>
      {witness !== null && (
        <>
          <h3>The trades that show the difference{witness.minimal && "; none can be left out"}</h3>
          <Table
            label="Trades that show the difference"
            head={["Trade", "Book", "Symbol", "Side", "Quantity", "Price", "Time", "From"]}
            rows={witness.trades}
            keyOf={({ file, line }) => `${file} ${line}`}
            empty="No trade is needed."
          >
            {(trade) => (
              <>
                <th scope="row">{trade.id}</th>
                <td>{trade.book ?? "–"}</td>
                <td>{trade.symbol}</td>
                <td>{trade.side}</td>
                <td>
                  <Figure value={trade.quantity} as="quantity" />
                </td>
                <td>
                  <Figure value={trade.price} as="price" />
                </td>
                <td>{trade.time}</td>
                <td>
                  {trade.file}, line {trade.line}
                  {trade.refused !== undefined && ` (${trade.refused})`}
                </td>
              </>
            )}
          </Table>
        </>
      )}
    </>
  );
}
