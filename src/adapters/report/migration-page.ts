import type { Affected, Deed, MigrationMetrics, MigrationReport } from "../../ports/migration-report.ts";
import { escapeHtml, htmlPage, scroll, section } from "./html.ts";
import { affectedWords, errorWords, memoryWords, msWords, percent, slowestFirst } from "./metric-words.ts";
import { count, money } from "./text.ts";

/** The largest number of entries of a list; the report in JSON has all of them. */
const entriesMax = 500;

/**
 * Renders the report of a migration as one self-contained HTML page for a steering committee. Its content
 * policy forbids all requests and all scripts, and every text from outside is escaped.
 */
export function migrationPage(report: MigrationReport): string {
  const { legacy, modern, phase, at, version, remarks, metrics } = report;
  return htmlPage(
    `Migration: ${legacy} to ${modern}`,
    `<header>
<p class="soft">Report of the migration, pnl-bridge ${escapeHtml(version)}, made at ${escapeHtml(at)}</p>
<h1>${escapeHtml(legacy)} <small>(legacy)</small> to ${escapeHtml(modern)} <small>(modern)</small>:
${escapeHtml(phase)}</h1>
<p>${escapeHtml(bottomLine(report))}</p>
${remarks.map((remark) => `<p class="warning">${escapeHtml(remark)}</p>`).join("")}</header>
<main>
<div class="top">${now(report)}${back(report)}</div>
${[
  checklist(report),
  list("Open risks", report.risks, "Nothing is quarantined, owed, parked or apart."),
  ...(metrics === null ? [] : [impact(metrics), times(metrics), others(metrics)]),
  evidence(report),
  deeds("Moves", report.moves),
  deeds("Sign-offs, drills and recorded results", report.signed),
  waivers(report),
  causes(report),
].join("")}</main>`,
  );
}

/** The answer to the first question of a reader: how far the migration is, and what keeps it there. */
function bottomLine({ target, gates, profile }: MigrationReport): string {
  if (target === null) return "The migration is in its last phase.";
  const shut = gates.filter(({ open }) => !open);
  const trial = profile === "trial" ? " Only the gates of the profile trial are judged." : "";
  const next = `The next phase is ${target}. `;
  if (shut.length === 0) return `${next}All of its ${count(gates.length)} gates let it pass.${trial}`;
  const closed = shut.filter(({ state }) => state === "closed").length;
  const unsure = shut.length - closed;
  return (
    `${next}Of its ${count(gates.length)} gates, the evidence closes ${count(closed)}, and ` +
    `${count(unsure)} more cannot open yet because evidence is missing.${trial}`
  );
}

function now({ phase, epoch, answers, profile }: MigrationReport): string {
  return section(
    "Now",
    facts([
      ["Phase", `${phase}, epoch ${epoch}`],
      ["Who answers", answers],
      ["Profile of the gates", profile],
    ]),
  );
}

function back({ back: { possible, why, command } }: MigrationReport): string {
  const state = mark(possible ? "equal" : "diverged", possible ? "✓ possible" : "✗ not possible");
  const way = possible ? `<p>Run <code>${escapeHtml(command)}</code></p>` : "";
  return section("How to go back to legacy now", `<p>${state}: ${escapeHtml(why)}</p>${way}`);
}

const looks = {
  open: ["equal", "✓ open"],
  closed: ["diverged", "✗ closed"],
  inconclusive: ["not_comparable", "? not proved yet"],
  waived: ["not_comparable", "! waived"],
} as const;

function checklist({ target, gates }: MigrationReport): string {
  if (target === null) return "";
  const rows = gates.map(({ name, title, state, open, why, meaning }) => {
    const [look, words] = looks[open && state !== "open" ? "waived" : state];
    const proves = meaning === null ? title : meaning.proves;
    const lacks = meaning?.lacks ? `<p class="soft">It does not prove: ${prose(meaning.lacks)}</p>` : "";
    const way = open || meaning === null ? "" : `<p>To open it: ${prose(meaning.otherwise)}</p>`;
    return `<tr><th scope="row">${escapeHtml(name)}</th><td>${mark(look, words)}</td>
<td class="wide">${escapeHtml(why)}${way}</td><td class="wide">${prose(proves)}${lacks}</td></tr>`;
  });
  return section(
    `Checklist before ${target}`,
    scroll("Checklist", table(["Gate", "State", "What was found", "What it proves"], rows)),
  );
}

function impact({ impact: found }: MigrationMetrics): string {
  const users = (who: Affected): string => affectedWords(who, "user");
  const reasons = Object.entries(found.fellBack).map(([reason, who]) => `${reason}: ${users(who)}`);
  return section(
    "User impact",
    `<p class="soft">Users and books, never calls: a screen may ask hundreds of times an hour.</p>${facts([
      ["Modern answered", users(found.seen)],
      ["Saw a wrong figure", `${users(found.wrong)} of ${affectedWords(found.wrongBooks, "book")}`],
      ["For how long", `${count(found.wrongMinutes)} minutes until it was corrected or last seen`],
      ["Money", `largest ${amount(found.largest)}; sum over books and days ${amount(found.money)}`],
      ["Legacy answered instead", reasons.join("; ") || "never"],
      ["Saw a stale answer", `${users(found.stale)} marked as stale, ${users(found.unmarked)} not marked`],
      [
        "Not compared",
        found.unobserved === null
          ? "modern has answered nothing"
          : `${percent(found.unobserved)} of its answers`,
      ],
    ])}`,
  );
}

function times({ calculationTime }: MigrationMetrics): string {
  if (calculationTime.length === 0)
    return section("Calculation time", "<p>No pair of calls is measured yet.</p>");
  const rows = slowestFirst(calculationTime)
    .slice(0, entriesMax)
    .map(({ method, pairs, slower, p50Ms, p99Ms }) => {
      const cells = [p50Ms.legacy, p50Ms.modern, p99Ms.legacy, p99Ms.modern].map(msWords);
      return `<tr><th scope="row">${escapeHtml(method)}</th>${[...cells, count(pairs), count(slower)]
        .map((text) => `<td class="number">${text}</td>`)
        .join("")}</tr>`;
    });
  const heads = [
    "Method",
    "Legacy, median",
    "Modern, median",
    "Legacy, p99",
    "Modern, p99",
    "Pairs",
    "Slower",
  ];
  return section(
    "Calculation time",
    `<p class="soft">Of pairs of calls with the same request, one a minute. Slower: modern took more than 1.1
times as long.</p>${scroll("Calculation time", table(heads, rows), "fit")}`,
  );
}

function others({ memory, accuracy, errors }: MigrationMetrics): string {
  const rows = accuracy.map(({ source, trials, events, upper }) =>
    row(sources[source], [
      count(trials),
      count(events),
      trials === 0 ? "nothing" : `at most ${percent(upper)}`,
    ]),
  );
  return (
    section(
      "Accuracy",
      scroll("Accuracy", table(["Source", "Instrument-days", "Unexplained", "Proved"], rows), "fit"),
    ) +
    section(
      "Memory and errors",
      facts([
        ["Memory", memoryWords(memory)],
        ["Errors", errorWords(errors)],
      ]),
    )
  );
}

const sources = {
  replay: "replayed history",
  live: "legacy answered, modern in its shadow",
  served: "modern answered",
} as const;

function evidence({ evidence: found }: MigrationReport): string {
  if (found === null) return "";
  const { key, attempt, looks: times, build, otherKeys, days, firstDay, lastDay } = found;
  const span = firstDay === null || lastDay === null ? "" : `, from ${firstDay} to ${lastDay}`;
  return section(
    "Evidence",
    facts([
      ["Trading days", `${count(days)}${span}`],
      ["Key of both systems and the rules", `${key}, attempt ${attempt}, judged ${count(times)} times`],
      ["Build of pnl-bridge", build],
      ["Other keys, which do not count", count(otherKeys)],
    ]),
  );
}

function deeds(title: string, all: readonly Deed[]): string {
  if (all.length === 0) return section(title, "<p>None.</p>");
  const hidden = all.length - entriesMax;
  const rows = all
    .slice(-entriesMax)
    .map(({ at, actor, what, reason }) => row(at.slice(0, 16).replace("T", " "), [actor, what, reason]));
  return section(
    title,
    (hidden > 0 ? `<p class="soft">The last ${entriesMax} of ${count(all.length)}.</p>` : "") +
      scroll(title, table(["Time (UTC)", "Who", "What", "Why"], rows)),
  );
}

function waivers({ waivers: all }: MigrationReport): string {
  const rows = all.map(({ gate, actors, reason, until }) =>
    row(gate, [actors.join(", "), actors.length > 1 ? `until ${until}` : "needs a second person", reason]),
  );
  return rows.length === 0
    ? ""
    : section("Waivers", scroll("Waivers", table(["Gate", "By", "Holds", "Why"], rows)));
}

function causes({ causes: all }: MigrationReport): string {
  const rows = all.map(({ code, limit, owner, until, reason }) =>
    row(code, [limit === null ? "no limit" : money(limit), owner, until, reason]),
  );
  return rows.length === 0
    ? ""
    : section(
        "Accepted causes of differences",
        scroll("Accepted causes", table(["Cause", "Up to", "Owner", "Until", "Why"], rows)),
      );
}

const list = (title: string, entries: readonly string[], none: string): string =>
  section(
    title,
    entries.length === 0
      ? `<p>${none}</p>`
      : `<ul>${entries.map((entry) => `<li>${escapeHtml(entry)}</li>`).join("")}</ul>`,
  );

const facts = (pairs: readonly (readonly [name: string, text: string])[]): string =>
  `<dl class="counts facts">${pairs
    .map(([name, text]) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(text)}</dd>`)
    .join("")}</dl>`;

const row = (head: string, cells: readonly string[]): string =>
  `<tr><th scope="row">${escapeHtml(head)}</th>${cells
    .map((text) => `<td class="wide">${escapeHtml(text)}</td>`)
    .join("")}</tr>`;

const table = (heads: readonly string[], rows: readonly string[]): string =>
  `<table><thead><tr>${heads.map((name) => `<th scope="col">${name}</th>`).join("")}</tr></thead><tbody>
${rows.join("\n")}
</tbody></table>`;

const mark = (look: string, text: string): string => `<span class="mark ${look}">${escapeHtml(text)}</span>`;

/** A text whose parts between backquotes are code. */
const prose = (text: string): string =>
  escapeHtml(text).replaceAll(/`([^`]+)`/g, '<code class="inline">$1</code>');

const amount = (value: number): string => money(String(value));
