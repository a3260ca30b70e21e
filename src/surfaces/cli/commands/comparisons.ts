import { Option } from "commander";
import type { comparisons } from "../../../app/control/comparisons.ts";
import { plain } from "../../../base/plain-text.ts";
import { agrees, type Verdict, verdicts } from "../../../domain/migration/verdict.ts";
import * as option from "../options.ts";
import type { CommandSpec } from "../spec.ts";
import { type CommandResult, colourful, jsonResult, painter, type Streams } from "../terminal.ts";

export const commands: readonly CommandSpec[] = [
  {
    name: "comparisons",
    about: "Lists the stored comparisons of calls, newest first, with the fields that differ",
    example: "comparisons --verdict diverged --limit 20",
    options: [
      new Option("--verdict <verdict>", "only comparisons with this verdict").choices(verdicts),
      new Option("--method <name>", "only comparisons of this method"),
      new Option(
        "--limit <number>",
        "the largest number of comparisons, up to 1000 (default: 100)",
      ).argParser(Number),
      option.fleetConfig(),
      option.store(),
      option.json(),
    ],
    run,
  },
];

interface Options {
  readonly verdict?: Verdict;
  readonly method?: string;
  readonly limit?: number;
  readonly config?: string;
  readonly store?: string;
  readonly json?: boolean;
}

type Found = Awaited<ReturnType<typeof comparisons>>[number];

async function run(options: Options, { out }: Streams): Promise<CommandResult> {
  const { comparisons } = await import("../../../app/control/comparisons.ts");
  const found = await comparisons(options);
  if (options.json) return jsonResult({ comparisons: found }, true);
  const paint = painter(colourful(out));
  return {
    exitCode: 0,
    text: found.length === 0 ? "no comparison matches" : found.map((one) => textOf(one, paint)).join("\n"),
  };
}

/** Returns a line for the comparison, then a line for each side that failed and each field that differs. */
function textOf(found: Found, paint: ReturnType<typeof painter>): string {
  const { at, verdict, method, unit, answered, epoch, id, fields, more, excluded } = found;
  const errors = Object.entries({ legacy: found.legacyError, modern: found.modernError }).filter(
    ([, error]) => error !== null,
  );
  const of = unit === null ? "" : ` for ${plain(unit)}`;
  return [
    `${at}  ${paint(agrees(verdict) ? "green" : "red", verdict)}  ` +
      `${plain(method)}${of}, ${answered} answered, epoch ${epoch}, id ${id}`,
    ...errors.map(([side, error]) => `  ${side} failed: ${plain(String(error))}`),
    ...fields.map(fieldText),
    ...(more === 0 ? [] : [`  unequal fields not listed: ${more}`]),
    ...(excluded === 0 ? [] : [`  values left out by an exclusion: ${excluded}`]),
  ].join("\n");
}

function fieldText({ path, entry, legacy, modern, difference }: Found["fields"][number]): string {
  const where = `${path === "" ? "the whole answer" : path}${entry === null ? "" : ` (${entry})`}`;
  const by = difference === null ? "" : `, difference ${difference}`;
  return plain(`  ${where}: legacy ${legacy ?? "nothing"}, modern ${modern ?? "nothing"}${by}`);
}
