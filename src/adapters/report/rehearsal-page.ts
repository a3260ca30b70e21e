/** A rehearsal as one self-contained page for people who decide about the migration. */
import { escapeHtml, htmlPage, scroll, section } from "./html.ts";

interface PageGate {
  readonly name: string;
  readonly state: string;
  readonly why: string;
  readonly simulated?: boolean;
}

export interface RehearsalPage {
  readonly title: string;
  readonly outcome: string;
  readonly ok: boolean;
  readonly timeline: readonly {
    readonly when: string;
    readonly what: string;
    readonly gates: readonly PageGate[];
  }[];
  /** The gates that are not open on the last day. */
  readonly waiting: readonly PageGate[];
  readonly assumed: readonly string[];
}

/** Renders the page, without a script; its content policy forbids all requests. */
export function renderRehearsalPage(page: RehearsalPage): string {
  const { title, outcome, ok, timeline, waiting, assumed } = page;
  const rows = timeline.flatMap(({ when, what, gates }) => [
    `<tr><th scope="row" class="nowrap">${escapeHtml(when)}</th><td class="wide">${escapeHtml(what)}</td></tr>`,
    ...gates.map(
      (gate) =>
        `<tr><td>${markOf(gate)} ${escapeHtml(gate.name)}</td><td class="wide">${whyOf(gate)}</td></tr>`,
    ),
  ]);
  const missing = waiting.map(
    (gate) =>
      `<tr><th scope="row">${markOf(gate)} ${escapeHtml(gate.name)}</th><td class="wide">${whyOf(gate)}</td></tr>`,
  );
  return htmlPage(
    title,
    `<header>
<h1>${escapeHtml(title)}</h1>
<p><span class="mark ${ok ? "equal" : "diverged"}">${ok ? "✓" : "✗"} ${escapeHtml(outcome)}</span></p>
</header>
<main>
${missing.length === 0 ? "" : section("What is missing", scroll("What is missing", tableOf(missing)))}
${section("Timeline", scroll("Timeline", tableOf(rows)))}
${section("Assumed, not measured", `<ul>${assumed.map((line) => `<li>${escapeHtml(line)}</li>`).join("")}</ul>`)}
</main>`,
  );
}

const tableOf = (rows: readonly string[]): string => `<table><tbody>
${rows.join("\n")}
</tbody></table>`;

const looks: Readonly<Record<string, string>> = { open: "equal", closed: "diverged" };

const markOf = ({ state }: PageGate): string =>
  `<span class="mark ${looks[state] ?? "not_comparable"}">${escapeHtml(state)}</span>`;

const whyOf = ({ why, simulated }: PageGate): string =>
  `${escapeHtml(why)}${simulated === true ? " <small>(simulated)</small>" : ""}`;
