/** The P&L of a book from the system that the plan gives this person, and beside it the other system's. */
import { useMemo } from "react";
import { Age, MarkAge } from "../ages.tsx";
import { refresh, type Screen, screenStore } from "../live/screen.ts";
import { Cards } from "../pnl/cards.tsx";
import { History } from "../pnl/history.tsx";
import { Positions } from "../pnl/positions.tsx";
import { type PanelProps, sidesOf } from "../pnl/side-by-side.ts";
import { Trades } from "../pnl/trades.tsx";
import { addressOf } from "../route.ts";
import { sessionStore } from "../session.ts";
import { Fact, Source } from "../source.tsx";
import { useStore } from "../store.ts";
import { deskTime } from "../times.ts";
import { VerdictBadge } from "../verdict.tsx";

export function PnlView() {
  const screen = useStore(screenStore);
  const { answer, failure, book } = screen;
  const { source, value, other } = answer ?? {};
  // A new age of the same figures makes a new answer. The panels are drawn anew only for other figures.
  const sides = useMemo(
    () => (source === undefined || value === undefined ? undefined : sidesOf({ source, value, other })),
    [source, value, other],
  );
  return (
    <article className={answer?.stale === true || failure !== undefined ? "pnl stale" : "pnl"}>
      <div className="title">
        <h1>P&amp;L</h1>
        {answer !== undefined && <Source source={answer.source} fellBack={answer.fellBack} />}
        <Choice screen={screen} />
      </div>
      {failure !== undefined && (
        <p role="alert" className="refusal">
          {answer === undefined ? "not available" : "The figures below may be old"} – {failure.message}{" "}
          <button type="button" onClick={() => void refresh()}>
            Ask again
          </button>
        </p>
      )}
      {answer === undefined ? (
        failure === undefined && <p className="soft">Asking for the figures …</p>
      ) : (
        <>
          <Facts {...{ answer, sides }} />
          <Cards {...{ answer, sides }} />
          <Positions {...{ answer, sides }} />
          <History {...{ answer, sides }} />
          <Trades {...{ answer, sides, book }} />
        </>
      )}
    </article>
  );
}

/** Chooses the book, and whether both systems are shown. The address contains both choices. */
function Choice({ screen }: { readonly screen: Screen }) {
  const session = useStore(sessionStore);
  const { answer, book, isCompared } = screen;
  const mayCompare = session.state === "signed-in" && session.session.mayCompare;
  const books = new Set(
    [...(answer?.value.positions ?? []), ...(answer?.value.trades ?? [])].flatMap((row) => row.book ?? []),
  );
  const go = (next: string | undefined, compares: boolean): void => {
    location.hash = addressOf("pnl", { book: next, compare: compares ? undefined : "no" });
  };
  return (
    <form
      className="choice"
      onSubmit={(event) => {
        event.preventDefault();
        const given = new FormData(event.currentTarget).get("book");
        go(String(given).trim() || undefined, isCompared || !mayCompare);
      }}
    >
      <label>
        Book{" "}
        <input key={book} name="book" list="books" defaultValue={book} placeholder="all books" size={12} />
      </label>
      <datalist id="books">
        {[...books].toSorted().map((one) => (
          <option key={one} value={one} />
        ))}
      </datalist>
      <button type="submit">Show</button>
      {mayCompare && (
        <label>
          <input type="checkbox" checked={isCompared} onChange={() => go(book, !isCompared)} /> Both systems
        </label>
      )}
    </form>
  );
}

/** The ages, the as-of time and the plan of the figures, and a warning for each fault that they have. */
function Facts({ answer, sides }: PanelProps) {
  const { source, fellBack, staleWhy, stale, asOf, answeredAt, epoch, generation, dayRule, zone } = answer;
  return (
    <>
      <dl className="facts line">
        <Fact name="Mark age, oldest">
          <MarkAge answer={answer} />
        </Fact>
        <Fact name="Answer age">
          <Age since={answeredAt} />
        </Fact>
        <Fact name="As of">
          <span title={asOf}>{deskTime(Date.parse(asOf), "full")}</span>
        </Fact>
        <Fact name="Epoch">{epoch}</Fact>
        <Fact name="Cache generation">{generation}</Fact>
        <Fact name="Trading day">
          {dayRule}, {zone}
        </Fact>
        {sides !== undefined && (
          <Fact name="Both systems">
            <VerdictBadge verdict={sides.verdict} />
          </Fact>
        )}
      </dl>
      {stale && (
        <p role="status" className="warning">
          <span className="badge stale">
            STALE <Age since={answeredAt} />
          </span>{" "}
          {source} – {staleWhy}
        </p>
      )}
      {fellBack !== undefined && (
        <p role="status" className="warning">
          <span className="badge legacy">LEGACY (fallback)</span> Legacy answers because modern did not:{" "}
          {fellBack}
        </p>
      )}
      {answer.allBooks !== undefined && <p className="warning">{answer.allBooks}</p>}
      {sides !== undefined && sides.more > 0 && (
        <p className="warning">{sides.more} further figures differ that the gateway does not list.</p>
      )}
    </>
  );
}
