/** The view `Files and data`: folders and files, what waits for a person, and both databases. */
import { useMemo, useState } from "react";
import { post } from "../api.ts";
import { Command } from "../command.tsx";
import { Grid, type GridColumn } from "../grid.tsx";
import { type Asked, useQuestion } from "../live/question.ts";
import { Fact, Facts, Panel, State, Table, type Tone } from "../panel.tsx";
import { ageText, deskTime } from "../times.ts";
import type { DatabaseStatus, FileReview, FilesStatus, Quarantine } from "../wire.ts";
import { databaseEvents, Owed } from "./migration.tsx";

const fileEvents = { on: ["files", "plan", "resync"], everyMs: 5_000 } as const;
const quarantineEvents = { on: ["files", "database", "resync"], everyMs: 15_000 } as const;

export function FilesView() {
  const files = useQuestion<FilesStatus>("files", fileEvents);
  const database = useQuestion<DatabaseStatus>("database", databaseEvents);
  const quarantine = useQuestion<Quarantine>("quarantine", quarantineEvents);
  const again = (): void => {
    for (const asked of [files, database, quarantine]) void asked.again();
  };
  return (
    <section>
      <h1>Files and data</h1>
      <Waiting {...{ files, quarantine, again }} />
      <FilesPanel asked={files} />
      <DatabasePanel asked={database} />
    </section>
  );
}

interface WaitingProps {
  readonly files: Asked<FilesStatus>;
  readonly quarantine: Asked<Quarantine>;
  readonly again: () => void;
}

/** Shows everything that waits for a person: reviews of files, refused rows, and rows of the databases. */
function Waiting({ files, quarantine, again }: WaitingProps) {
  const reviews = files.answer?.reviews ?? [];
  const { files: refused = [], databases = [] } = quarantine.answer ?? {};
  const isKnown = files.answer !== undefined && quarantine.answer !== undefined;
  const count = reviews.length + refused.length + databases.length;
  return (
    <Panel title="Waits for a person" asked={quarantine}>
      {isKnown && count === 0 && (
        <p>
          <State tone="good">nothing waits</State>
        </p>
      )}
      {reviews.map((review) => (
        <Review key={review.id} {...{ review, again }} />
      ))}
      {refused.length > 0 && (
        <>
          <h3>Refused rows of files: {refused.length}</h3>
          <Table
            label="Refused rows of files"
            head={["File", "Line", "Code", "Why", "Row"]}
            rows={refused}
            keyOf={({ root, path, line }) => `${root} ${path} ${line}`}
            empty=""
          >
            {({ path, line, code, why, text }) => (
              <>
                <th scope="row">{path}</th>
                <td>{line}</td>
                <td>
                  <State tone="bad">{code}</State>
                </td>
                <td>{why}</td>
                <td>
                  <code>{text}</code>
                </td>
              </>
            )}
          </Table>
          <p className="soft">No figure includes a refused row. Correct it in its file.</p>
        </>
      )}
      {databases.length > 0 && (
        <>
          <h3>Rows of the databases: {databases.length}</h3>
          <Table
            label="Rows of the databases"
            head={["Key", "Code", "Why", "Legacy", "Compared with", "Decision"]}
            rows={databases}
            keyOf={({ table, key, code }) => `${table} ${key} ${code}`}
            empty=""
          >
            {(row) => (
              <>
                <th scope="row">{row.key}</th>
                <td>
                  <State tone="warn">{row.code}</State>
                </td>
                <td>{row.because}</td>
                <td>
                  <code>{row.legacy ?? "no row"}</code>
                </td>
                <td>
                  <code>{row.modern ?? "no row"}</code>
                </td>
                <td>
                  <Settle {...{ row, again }} />
                </td>
              </>
            )}
          </Table>
        </>
      )}
    </Panel>
  );
}

type DatabaseRow = Quarantine["databases"][number];

const Settle = ({
  row: { table, key },
  again,
}: {
  readonly row: DatabaseRow;
  readonly again: () => void;
}) => (
  <Command<{ readonly settled: boolean }>
    label="Accept …"
    title="Accept this row as it is?"
    send={async ({ reason }) => {
      const answer = await post<{ readonly settled: boolean }>("quarantine/settle", { table, key, reason });
      again();
      return answer;
    }}
    done={() => (
      <p>
        <State tone="good">done</State> The row is accepted.
      </p>
    )}
  >
    <p>
      <code>{key}</code> of {table}: both databases keep what they have.
    </p>
  </Command>
);

interface Decided {
  readonly outcome: "done" | "waits";
}
type ShownReview = FilesStatus["reviews"][number];
const decisions = [
  { decision: "apply", label: "Apply …" },
  { decision: "ignore", label: "Ignore …" },
] as const;
/** The effect of each decision. */
const effects: Readonly<Record<ShownReview["kind"], Readonly<Record<"apply" | "ignore", string>>>> = {
  republished: { apply: "The file counts as it is now.", ignore: "The applied rows stay as they are." },
  similar_row: {
    apply: "Both rows count; of two fees, the later one counts.",
    ignore: "The later row never counts; of two fees, the first one counts.",
  },
  root: { apply: "The files of the new folder are read.", ignore: "The new folder stays refused." },
  legacy_rows: {
    apply: "A person has changed the rows in legacy.",
    ignore: "The rows stay in legacy, and db reconcile continues to show them.",
  },
};

function Review({ review, again }: { readonly review: ShownReview; readonly again: () => void }) {
  const { id, kind, path, added, removed, changed, since, decision } = review;
  const [isOpen, setOpen] = useState(false);
  return (
    <article className="review" aria-label={`Review ${id}`}>
      <p>
        <State tone="warn">review {id}</State> <strong>{path}</strong> ({kind}): {added} added, {removed}{" "}
        removed, {changed} changed, since {deskTime(Date.parse(since))}
        {decision !== undefined && `; the decision to ${decision} is not carried out yet`}
      </p>
      <div className="actions">
        <button type="button" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
          {isOpen ? "Hide the rows" : "Show the rows"}
        </button>
        {decisions.map(({ decision: wanted, label }) => (
          <Command<Decided>
            key={wanted}
            label={label}
            title={`${label.replace(" …", "")} review ${id}: ${path}?`}
            send={async ({ reason }) => {
              const answer = await post<Decided>(`files/reviews/${id}`, { decision: wanted, reason });
              again();
              return answer;
            }}
            done={({ outcome }) => (
              <p>
                <State tone={outcome === "done" ? "good" : "warn"}>{outcome}</State>{" "}
                {outcome === "done" ? "The decision is carried out." : "The watcher carries it out later."}
              </p>
            )}
          >
            <p>{effects[kind][wanted]}</p>
            <ReviewRows id={id} />
          </Command>
        ))}
      </div>
      {isOpen && <ReviewRows id={id} />}
    </article>
  );
}

function ReviewRows({ id }: { readonly id: number }) {
  const { answer, failure } = useQuestion<FileReview>(`files/reviews/${id}`);
  if (failure !== undefined) return <p role="alert">not available – {failure.message}</p>;
  if (answer === undefined) return <p>The rows are being loaded …</p>;
  return (
    <ul className="plain">
      {answer.rows.map(({ text }) => (
        <li key={text}>{text}</li>
      ))}
    </ul>
  );
}

const fileTones: Readonly<Record<FilesStatus["files"][number]["state"], Tone>> = {
  applied: "good",
  growing: "good",
  empty: "off",
  waiting: "warn",
  republished: "warn",
  refused: "bad",
  gone: "off",
};
const sinkTones: Readonly<Record<FilesStatus["sinks"]["legacy"]["state"], Tone>> = {
  ok: "good",
  calculates: "good",
  behind: "warn",
  failing: "bad",
  off: "off",
};

type FileRow = FilesStatus["files"][number];
const noteOf = ({ waiting, refused, revocable }: FileRow): string =>
  refused !== undefined
    ? `${refused.code}: ${refused.why}; ${refused.fix}`
    : waiting !== undefined
      ? `${waiting.why}, for ${ageText(waiting.sinceMs)}`
      : revocable !== undefined
        ? `line ${revocable.line} has no newline yet`
        : "";
const count = (id: "rowsApplied" | "rowsElsewhere" | "rowsRefused", title: string): GridColumn<FileRow> => ({
  ...{ id, title, width: 12, isNumber: true },
  value: (row) => String(row[id]),
  cell: (row) => row[id],
});
const fileColumns: readonly GridColumn<FileRow>[] = [
  { id: "path", title: "File", width: 34, value: ({ path }) => path, cell: ({ path }) => path },
  {
    ...{ id: "state", title: "State", width: 16, value: ({ state }: FileRow) => state },
    cell: ({ state }) => <State tone={fileTones[state]}>{state}</State>,
  },
  count("rowsApplied", "Applied"),
  count("rowsElsewhere", "Elsewhere"),
  count("rowsRefused", "Refused"),
  {
    id: "note",
    title: "Note",
    width: 44,
    value: noteOf,
    cell: (row) => <span title={noteOf(row)}>{noteOf(row)}</span>,
  },
];
const keyOf = ({ root, path }: FileRow): string => `${root}/${path}`;
const newestFirst = [{ id: "path", desc: true }];

function FilesPanel({ asked }: { readonly asked: Asked<FilesStatus> }) {
  const rows = useMemo(() => asked.answer?.files ?? [], [asked.answer]);
  const { roots = [], sinks } = asked.answer ?? {};
  return (
    <Panel title="Files" asked={asked}>
      <Facts>
        {roots.map(({ path, ok, mode, since, error }) => (
          <Fact key={path} name="Folder" tone={ok ? "good" : "bad"}>
            {path}: {ok ? `watched by ${mode}` : `lost since ${deskTime(Date.parse(since))}: ${error?.why}`}
          </Fact>
        ))}
        {sinks !== undefined && (
          <>
            <Sink side="legacy" sink={sinks.legacy} />
            <Sink side="modern" sink={sinks.modern} />
          </>
        )}
      </Facts>
      {asked.answer !== undefined && (
        <Grid
          label="Files"
          {...{ columns: fileColumns, rows, keyOf }}
          sortedBy={newestFirst}
          visibleRows={12}
          empty="There is no file in the watched folders."
        />
      )}
    </Panel>
  );
}

interface SinkProps {
  readonly side: "legacy" | "modern";
  readonly sink: FilesStatus["sinks"]["legacy"];
}

const Sink = ({ side, sink: { rows, state, why, oldestUnappliedMs } }: SinkProps) => (
  <Fact name={`Rows in ${side}`} tone={sinkTones[state]}>
    {state === "off" ? "gets no rows in this phase" : `${rows} (${state})`}
    {oldestUnappliedMs > 0 && `; the oldest missing change has waited for ${ageText(oldestUnappliedMs)}`}
    {why !== undefined && `: ${why}`}
  </Fact>
);

function DatabasePanel({ asked }: { readonly asked: Asked<DatabaseStatus> }) {
  const { answer } = asked;
  if (answer === undefined) return <Panel title="Both databases" asked={asked} />;
  const {
    authority,
    shouldBe,
    step,
    owed,
    modernAway,
    olderCopy,
    lastReconcile,
    canGoBack,
    backfill,
    parked,
    unstorable,
  } = answer;
  return (
    <Panel title="Both databases" asked={asked}>
      <Facts>
        <Fact name="Authority" tone={authority === shouldBe ? "good" : "warn"}>
          {authority}
          {authority !== shouldBe && `; the plan names ${shouldBe}, writes are refused until it has moved`}
          {step !== "" && ` (${step})`}
        </Fact>
        {modernAway !== null && (
          <Fact name="Modern" tone="bad">
            does not answer: {modernAway}
          </Fact>
        )}
        {olderCopy !== null && (
          <Fact name="Restored" tone="bad">
            {olderCopy.why}
          </Fact>
        )}
        <Owed name="Relay: owed to legacy" owed={owed.toLegacy} />
        <Owed name="Relay: owed to modern" owed={owed.toModern} />
        <Reconciled last={lastReconcile} />
        {backfill !== null && backfill.total > 0 && (
          <Fact name="Backfill">
            {backfill.done} of {backfill.total} rows
          </Fact>
        )}
        {unstorable > 0 && <Fact name="Trades that legacy cannot hold">{unstorable}</Fact>}
        <Fact name="Can go back" tone={canGoBack.now ? "good" : "bad"}>
          {canGoBack.why}
        </Fact>
      </Facts>
      {parked.length > 0 && (
        <Table
          label="Parked writes"
          head={["Parked write", "Code", "Why", "Since", "Writes"]}
          rows={parked}
          keyOf={({ aggregate }) => aggregate}
          empty=""
        >
          {({ aggregate, code, why, sinceMs, groups }) => (
            <>
              <th scope="row">{aggregate}</th>
              <td>
                <State tone="bad">{code}</State>
              </td>
              <td>{why}</td>
              <td>{ageText(sinceMs)} ago</td>
              <td>{groups}</td>
            </>
          )}
        </Table>
      )}
    </Panel>
  );
}

const Reconciled = ({ last }: { readonly last: DatabaseStatus["lastReconcile"] }) => (
  <Fact name="Last reconciliation" tone={last === null ? "off" : last.ok ? "good" : "bad"}>
    {last === null ? (
      <>
        never: run <code>pnl-bridge db reconcile</code>
      </>
    ) : (
      <>
        {last.ok ? "equal" : `${last.breaks} figures differ, ${last.notComparable} cannot be compared`},{" "}
        {deskTime(Date.parse(last.at), "full")}
      </>
    )}
  </Fact>
);
