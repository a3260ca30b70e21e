/** The parts that the operators' views are made of. */
import type { ReactNode } from "react";
import type { Asked } from "./live/question.ts";
import { deskTime } from "./times.ts";

interface PanelProps {
  readonly title: string;
  /**
   * The question whose answer the panel shows. The time of the answer stands beside the title, a failure
   * below it.
   */
  readonly asked?: Asked<unknown>;
  /** Commands and links, at the right of the title. */
  readonly actions?: ReactNode;
  readonly children?: ReactNode;
}

export const Panel = ({ title, asked, actions, children }: PanelProps) => (
  <section className="box" aria-label={title}>
    <div className="box-head">
      <h2>{title}</h2>
      {asked?.atMs !== undefined && <small>as of {deskTime(asked.atMs)}</small>}
      {actions !== undefined && <div className="actions">{actions}</div>}
    </div>
    {asked?.failure !== undefined && (
      <p role="alert" className="refusal">
        not available – {asked.failure.message}
        {asked.failure.fix !== undefined && <> ({asked.failure.fix})</>}
      </p>
    )}
    {children}
  </section>
);

/** A list of names and values. */
export const Facts = ({ children }: { readonly children: ReactNode }) => (
  <dl className="fact-list">{children}</dl>
);

interface FactProps {
  readonly name: string;
  /** Selects the sign before the value; absent for a value that is neither good nor bad. */
  readonly tone?: Tone;
  readonly children: ReactNode;
}

export const Fact = ({ name, tone, children }: FactProps) => (
  <div>
    <dt className="fact-name">{name}</dt>
    <dd className="fact-value">{tone === undefined ? children : <State tone={tone}>{children}</State>}</dd>
  </div>
);

export type Tone = "good" | "warn" | "bad" | "off";
const signs: Readonly<Record<Tone, string>> = { good: "✓", warn: "!", bad: "✗", off: "–" };

/** A state as sign and word, so that it can be read without colors. */
export const State = ({ tone, children }: { readonly tone: Tone; readonly children: ReactNode }) => (
  <span className={`state ${tone}`}>
    <span aria-hidden="true">{signs[tone]}</span> {children}
  </span>
);

interface TableProps<Row> {
  readonly label: string;
  readonly head: readonly string[];
  readonly rows: readonly Row[];
  readonly keyOf: (row: Row, index: number) => string;
  /** The cells of a row, as `th` and `td`. */
  readonly children: (row: Row) => ReactNode;
  /** The text that is shown if there is no row. */
  readonly empty: string;
}

/** A table of few rows, which scrolls sideways in a box of its own. */
export const Table = <Row,>({ label, head, rows, keyOf, children, empty }: TableProps<Row>) =>
  rows.length === 0 ? (
    <p className="soft">{empty}</p>
  ) : (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by the keyboard
    <section className="table-box" tabIndex={0} aria-label={label}>
      <table>
        <thead>
          <tr>
            {head.map((title) => (
              <th key={title} scope="col">
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, index) => (
            <tr key={keyOf(row, index)}>{children(row)}</tr>
          ))}
        </tbody>
      </table>
    </section>
  );
