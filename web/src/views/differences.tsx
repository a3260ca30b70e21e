/** The view `Differences`: the comparisons of both systems, from sums down to fields, trades and causes. */
import { useEffect, useMemo, useRef, useState } from "react";
import { request } from "../api.ts";
import { Explanation } from "../explanation.tsx";
import { Figure } from "../figure.tsx";
import { type GridColumn, Sheet } from "../grid.tsx";
import { comparisonsOf, type Filter } from "../live/comparisons.ts";
import { useEvent } from "../live/connection.ts";
import { samplesStore } from "../live/metrics.ts";
import { onlyOnce, useQuestion } from "../live/question.ts";
import { Fact, Facts, Panel, Table } from "../panel.tsx";
import { addressOf, routeStore } from "../route.ts";
import { useStore } from "../store.ts";
import { deskTime, msText } from "../times.ts";
import { VerdictBadge } from "../verdict.tsx";
import type { Comparison } from "../wire.ts";

const verdicts = ["diverged", "error", "not_comparable", "within_tolerance", "equal"] as const;

/** The filters and the opened comparison that the address names. */
interface Wanted extends Filter {
  readonly id: string | undefined;
}

const show = (wanted: Partial<Wanted>): void => {
  const { query } = routeStore.get();
  location.hash = addressOf("differences", { ...Object.fromEntries(query), ...wanted });
};

export function DifferencesView() {
  const { query } = useStore(routeStore);
  const [verdict, method, unit, cause, id] = ["verdict", "method", "unit", "cause", "id"].map(
    (name) => query.get(name) ?? undefined,
  );
  return (
    <section>
      <h1>Differences</h1>
      <Counts />
      <Comparisons {...{ verdict, method, unit, cause, id }} />
      {id !== undefined && <Details key={id} id={id} />}
    </section>
  );
}

/** How many comparisons of each method had each verdict, since the gateway started. */
function Counts() {
  const sample = useStore(samplesStore).at(-1);
  const methods = [...new Set([...(sample?.verdicts.keys() ?? [])].map((name) => name.split(" ")[0] ?? ""))];
  const count = (method: string, verdict: string): number =>
    sample?.verdicts.get(`${method} ${verdict}`) ?? 0;
  return (
    <Panel title="Comparisons since the gateway started">
      <Table
        label="Comparisons by method and verdict"
        head={["Method", ...verdicts.map((verdict) => verdict.replaceAll("_", " "))]}
        rows={methods.sort()}
        keyOf={(method) => method}
        empty="Nothing has been compared yet."
      >
        {(method) => (
          <>
            <th scope="row">{method}</th>
            {verdicts.map((verdict) => (
              <td key={verdict}>
                <Count count={count(method, verdict)} href={addressOf("differences", { verdict, method })} />
              </td>
            ))}
          </>
        )}
      </Table>
    </Panel>
  );
}

const Count = ({ count, href }: { readonly count: number; readonly href: string }) =>
  count === 0 ? "0" : <a href={href}>{count.toLocaleString("en-US")}</a>;

function differenceText({ fields, legacyError, modernError }: Comparison): string {
  const [first] = fields;
  if (legacyError !== null) return `legacy: ${legacyError}`;
  if (modernError !== null) return `modern: ${modernError}`;
  return first === undefined ? "" : `${first.path} ${first.entry ?? ""}: ${first.legacy} | ${first.modern}`;
}

const causesText = ({ causes, explainable }: Comparison): string =>
  causes === null ? (explainable ? "not looked for" : "–") : causes.join(", ") || "none found";

const columns: readonly GridColumn<Comparison>[] = [
  {
    ...{ id: "at", title: "Time", width: 26, value: ({ at }: Comparison) => at },
    cell: ({ at }) => deskTime(Date.parse(at), "full"),
  },
  {
    ...{ id: "verdict", title: "Verdict", width: 20, value: ({ verdict }: Comparison) => verdict },
    cell: ({ verdict }) => <VerdictBadge verdict={verdict} />,
  },
  {
    id: "unit",
    title: "Book or user",
    width: 14,
    value: ({ unit }) => unit,
    cell: ({ unit }) => unit ?? "–",
  },
  {
    id: "causes",
    title: "Cause",
    width: 18,
    value: causesText,
    cell: (row) => <span title={causesText(row)}>{causesText(row)}</span>,
  },
  { id: "method", title: "Method", width: 16, value: ({ method }) => method, cell: ({ method }) => method },
  {
    ...{ id: "answered", title: "Answered", width: 11, value: ({ answered }: Comparison) => answered },
    cell: ({ answered }) => answered,
  },
  {
    ...{ id: "legacyMs", title: "Legacy ms", width: 12, isNumber: true },
    value: ({ legacyMs }) => legacyMs?.toString() ?? null,
    cell: ({ legacyMs }) => (legacyMs === null ? "–" : msText(legacyMs)),
  },
  {
    ...{ id: "modernMs", title: "Modern ms", width: 12, isNumber: true },
    value: ({ modernMs }) => modernMs?.toString() ?? null,
    cell: ({ modernMs }) => (modernMs === null ? "–" : msText(modernMs)),
  },
  {
    ...{ id: "first", title: "First difference: legacy | modern", width: 60, value: differenceText },
    cell: (row) => <span title={differenceText(row)}>{differenceText(row)}</span>,
  },
];
const keyOf = ({ id }: Comparison): string => id;
const open = ({ id }: Comparison): void => show({ id });

/** One press of the button explains at most this many comparisons, one by one; each may take some seconds. */
const explainedPerPress = 20;

/** Looks, one by one, for the causes of the newest comparisons of a list that have not been explained yet. */
function LookForCauses({ rows, done }: { readonly rows: readonly Comparison[]; readonly done: () => void }) {
  const [left, setLeft] = useState(0);
  const isShown = useRef(true);
  useEffect(() => {
    isShown.current = true;
    return () => {
      isShown.current = false;
    };
  }, []);
  const look = async (): Promise<void> => {
    const wanted = rows.filter((row) => row.explainable && row.causes === null).slice(0, explainedPerPress);
    for (const [index, { id }] of wanted.entries()) {
      if (!isShown.current) return;
      setLeft(wanted.length - index);
      // A comparison that cannot be explained stays without a cause; opening it shows why.
      await request(`comparisons/${encodeURIComponent(id)}/explanation`).catch(() => {});
    }
    setLeft(0);
    if (isShown.current) done();
  };
  return (
    <button type="button" disabled={left > 0} onClick={() => void look()}>
      {left > 0 ? `Looking for causes, ${left} left …` : "Look for causes of the newest"}
    </button>
  );
}

function Comparisons({ verdict, method, unit, cause, id }: Wanted) {
  /** Grows when the list is asked for again. */
  const [attempt, setAttempt] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new attempt must ask for the list again
  const list = useMemo(
    () => comparisonsOf({ verdict, method, unit, cause }),
    [verdict, method, unit, cause, attempt],
  );
  useEffect(() => list.want(0), [list]);
  const { rows, count, isComplete, isAsked, failure, causes } = useStore(list.store);
  const [newer, setNewer] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new list has all comparisons until now
  useEffect(() => setNewer(0), [list]);
  useEvent("comparison", (event) => {
    if ((verdict ?? event.verdict) === event.verdict && (method ?? event.method) === event.method)
      setNewer((before) => before + 1);
  });
  const again = (): void => setAttempt(attempt + 1);
  return (
    <Panel
      title="Comparisons"
      actions={
        <>
          <small role="status">
            {isAsked ? "loading …" : `${isComplete ? "" : "at least "}${count.toLocaleString("en-US")} found`}
            {newer > 0 &&
              unit === undefined &&
              cause === undefined &&
              `, and ${newer} newer ${newer === 1 ? "one differs" : "ones differ"}`}
          </small>
          <button type="button" onClick={again}>
            Show the newest
          </button>
          <LookForCauses rows={rows} done={again} />
        </>
      }
    >
      <form className="filter" onSubmit={(event) => event.preventDefault()}>
        <label>
          Verdict
          <select value={verdict ?? ""} onChange={(event) => show({ verdict: event.target.value, id: "" })}>
            <option value="">all</option>
            {verdicts.map((name) => (
              <option key={name} value={name}>
                {name.replaceAll("_", " ")}
              </option>
            ))}
          </select>
        </label>
        <Typed label="Method" name="method" value={method} />
        <Typed label="Book or user" name="unit" value={unit} />
        <label>
          Cause
          <select value={cause ?? ""} onChange={(event) => show({ cause: event.target.value, id: "" })}>
            <option value="">all</option>
            {[...new Set([...causes.map(({ code }) => code), ...(cause === undefined ? [] : [cause])])].map(
              (code) => (
                <option key={code} value={code}>
                  {code === "unexplained" ? "none found" : code}
                </option>
              ),
            )}
          </select>
        </label>
      </form>
      {failure !== undefined && (
        <p role="alert" className="refusal">
          not available – {failure.message}
        </p>
      )}
      <Sheet
        label="Comparisons, newest first"
        {...{ columns, count, keyOf }}
        rowAt={(index) => rows[index]}
        onShown={list.want}
        classOf={(row) => (row.id === id ? "chosen" : undefined)}
        visibleRows={id === undefined ? 18 : 8}
        onOpen={open}
        empty={isAsked ? "…" : "No comparison was found."}
      />
      <p className="soft">
        Enter or a double click opens a comparison. A comparison has a cause here once somebody has opened it,
        or has looked for causes of the newest, since the gateway started.
      </p>
    </Panel>
  );
}

interface TypedProps {
  readonly label: string;
  readonly name: "method" | "unit";
  readonly value: string | undefined;
}

/** A filter that a person types. It takes effect when the person presses Enter or leaves the field. */
function Typed({ label, name, value = "" }: TypedProps) {
  const take = (text: string): void => {
    if (text !== value) show({ [name]: text, id: "" });
  };
  return (
    <label>
      {label}
      <input
        key={value}
        defaultValue={value}
        onBlur={(event) => take(event.target.value.trim())}
        onKeyDown={(event) => event.key === "Enter" && take(event.currentTarget.value.trim())}
      />
    </label>
  );
}

/** Scrolls to a part of the view when it appears. */
const scrolledTo = (part: HTMLElement | null): void => part?.scrollIntoView({ block: "start" });

/** One comparison: what was asked, the fields that differ, and why. */
function Details({ id }: { readonly id: string }) {
  const asked = useQuestion<Comparison>(`comparisons/${encodeURIComponent(id)}`, onlyOnce);
  const { answer, failure } = asked;
  const close = (
    <button type="button" onClick={() => show({ id: "" })}>
      Close
    </button>
  );
  if (answer === undefined)
    return (
      <Panel title={`Comparison ${id}`} actions={close} {...(failure !== undefined && { asked })}>
        {failure === undefined && <p>The comparison is being loaded …</p>}
      </Panel>
    );
  const { at, method, unit, epoch, answered, verdict, legacyMs, modernMs, legacyError, modernError } = answer;
  const { fields, more, excluded, explainable, why } = answer;
  return (
    <Panel title={`Comparison ${id}`} actions={close}>
      <div ref={scrolledTo} className="opened" />
      <Facts>
        <Fact name="Verdict">
          <VerdictBadge verdict={verdict} />
        </Fact>
        <Fact name="Time">{deskTime(Date.parse(at), "full")}</Fact>
        <Fact name="Method">{method}</Fact>
        <Fact name="Book or user">{unit ?? "–"}</Fact>
        <Fact name="Answered">
          {answered}, epoch {epoch}
        </Fact>
        <Took side="Legacy" ms={legacyMs} error={legacyError} />
        <Took side="Modern" ms={modernMs} error={modernError} />
      </Facts>
      <h3>
        Fields that differ{more > 0 && `, and ${more} more`}
        {excluded > 0 && `; ${excluded} values are excluded`}
      </h3>
      <Table
        label="Fields that differ"
        head={["Field", "Entry", "Verdict", "Legacy", "Modern", "Modern − legacy"]}
        rows={fields}
        keyOf={({ path, entry }) => `${path} ${entry}`}
        empty="No field differs."
      >
        {({ path, entry, verdict: of, legacy, modern, difference }) => (
          <>
            <th scope="row">{path}</th>
            <td>{entry ?? "–"}</td>
            <td>
              <VerdictBadge verdict={of} />
            </td>
            <td>
              <Value text={legacy} />
            </td>
            <td>
              <Value text={modern} />
            </td>
            <td>{difference === null ? "–" : <Figure value={difference} isChange />}</td>
          </>
        )}
      </Table>
      <h3>Why</h3>
      {explainable ? <Explanation id={id} /> : <p className="soft">Not explained: {why}.</p>}
    </Panel>
  );
}

interface TookProps {
  readonly side: string;
  readonly ms: number | null;
  readonly error: string | null;
}

const Took = ({ side, ms, error }: TookProps) =>
  error === null ? (
    <Fact name={`${side} took`}>{ms === null ? "–" : `${msText(ms)} ms`}</Fact>
  ) : (
    <Fact name={`${side} failed`} tone="bad">
      {error}
    </Fact>
  );

/** A value of one side: a number as exact text, or any other value as it was. */
const Value = ({ text }: { readonly text: string | null }) =>
  text === null ? (
    <span className="soft">no value</span>
  ) : /^-?\d+(\.\d+)?(\/\d+)?$/.test(text) ? (
    <Figure value={text} as="price" />
  ) : (
    <code title={text}>{text}</code>
  );
