import { Argument } from "commander";
import { plain } from "../../../base/plain-text.ts";
import { findingCount } from "../../../domain/market/finding-codes.ts";
import * as option from "../options.ts";
import type { CommandSpec } from "../spec.ts";
import { type CommandResult, colourful, jsonResult, painter, type Streams } from "../terminal.ts";

export const commands: readonly CommandSpec[] = [
  {
    name: "symbols check",
    about: "Checks a desk's expiration calendar against the exchange's rules and holidays",
    example: "symbols check ExpirationCalendar.csv",
    options: [option.json()],
    argument: new Argument("<file>", "the calendar, a CSV file"),
    run,
  },
];

/** Severities in the order in which they are printed; contradictions of the rules come first. */
const severities: readonly string[] = ["differs", "unchecked", "ambiguous", "form"];

/** The most findings of one code that are printed. */
const linesMax = 12;

async function run(
  options: { readonly file: string; readonly json?: boolean },
  { out }: Streams,
): Promise<CommandResult> {
  const { calendarFindingCodes, checkCalendarFile } = await import("../../../app/symbols/commands.ts");
  const checked = await checkCalendarFile(options.file);
  if (options.json) return jsonResult(checked, checked.ok);
  const paint = painter(colourful(out));
  const { findings, quarantine, rows, agreeing, ok } = checked;
  const gravest = findings.toSorted(
    (a, b) => severities.indexOf(a.severity) - severities.indexOf(b.severity),
  );
  const byCode = Map.groupBy(gravest, ({ code }) => code);
  const groups = [...byCode].map(([code, group]) => {
    const severity = group[0]?.severity ?? "";
    const style = severity === "differs" ? "red" : "yellow";
    const lines = group.map(
      ({ line, symbol, column, stands, why }) =>
        `  line ${line} ${plain(symbol)}, ${column}: ${stands === "" ? "(empty)" : plain(stands)} – ${plain(why)}`,
    );
    const more = lines.length > linesMax ? [`  … and ${lines.length - linesMax} more; --json lists all`] : [];
    return [
      `${paint(style, code)} × ${group.length} (${severity}): ${calendarFindingCodes[code]}`,
      ...lines.slice(0, linesMax),
      ...more,
    ].join("\n");
  });
  const refused = quarantine.map(
    ({ line, code, why }) => `${paint("red", code)} line ${line}: ${plain(why)}`,
  );
  const summary = paint(
    ok ? "green" : "red",
    `${rows} ${rows === 1 ? "row" : "rows"}: ${agreeing} agree in every column, ` +
      `${rows - agreeing} have findings, ${findingCount(quarantine)} could not be read`,
  );
  return { exitCode: ok ? 0 : 1, text: [...groups, ...refused, summary].join("\n") };
}
