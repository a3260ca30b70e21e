import { Argument, Option } from "commander";
import type { VariantsDocument } from "../../../app/symbols/commands.ts";
import { plain } from "../../../base/plain-text.ts";
import * as option from "../options.ts";
import type { CommandSpec } from "../spec.ts";
import { type CommandResult, colourful, jsonResult, painter, type Streams } from "../terminal.ts";

export const commands: readonly CommandSpec[] = [
  {
    name: "symbols variants",
    about: "Prints the names of one symbol in every dialect",
    example: 'symbols variants "VBYN25P3 110.250 Comdty" --legacy',
    options: [
      option.from(),
      new Option("--legacy", "also print the answer of each of the desk's old translators"),
      option.asOf(),
      option.calendar(),
      option.json(),
    ],
    argument: new Argument("<symbol>", "a symbol; put one with spaces in quotes"),
    run,
  },
];

interface SymbolsVariantsOptions {
  readonly symbol: string;
  readonly from: string;
  readonly legacy?: boolean;
  readonly asOf?: string;
  readonly calendar?: string;
  readonly json?: boolean;
}

async function run(options: SymbolsVariantsOptions, { out }: Streams): Promise<CommandResult> {
  const { dialectOption, openSymbols, variantsOf } = await import("../../../app/symbols/commands.ts");
  const from = dialectOption("--from", options.from, "auto");
  const found = variantsOf(await openSymbols(options), options.symbol, from, options.legacy === true);
  if (options.json) return jsonResult(found, found.ok);
  const paint = painter(colourful(out));
  if (found.ok) return { exitCode: 0, text: tableOf(found, paint) };
  const { code, why, nearest, candidates = [] } = found.error;
  const hints = [
    ...candidates.map((name) => `it may be ${name}`),
    ...nearest.map((text) => `did you mean ${text}?`),
  ];
  return {
    exitCode: 1,
    text: [`${plain(options.symbol)}  ✗  ${paint("red", code)}: ${plain(why)}`, ...hints.map(plain)].join(
      "\n",
    ),
  };
}

function tableOf(found: VariantsDocument, paint: ReturnType<typeof painter>): string {
  const { name: _, ...facts } = found.instrument;
  return [
    `${paint("bold", found.canonical)}  (read as ${found.detected})`,
    ...found.notes.map(({ code, why }) => `  ${paint("yellow", code)} ${plain(why)}`),
    "",
    ...aligned(Object.entries(facts).map(([key, value]) => [key, String(value ?? "not known")])),
    "",
    ...aligned(
      Object.entries(found.variants).map(([dialect, variant]) => [
        dialect,
        "text" in variant ? variant.text : paint("dim", `${variant.error.code}: ${variant.error.why}`),
      ]),
    ),
    ...(found.legacy === undefined
      ? []
      : [
          "",
          "answers of the desk's old translators",
          ...aligned(
            found.legacy.map(({ view, said, known }) => [
              view,
              known ? (said ?? paint("red", "nothing")) : paint("dim", "not known"),
            ]),
          ),
        ]),
  ].join("\n");
}

function aligned(rows: readonly (readonly [string, string])[] | readonly string[][]): string[] {
  const width = Math.max(...rows.map(([key = ""]) => key.length));
  return rows.map(([key = "", value = ""]) => `  ${key.padEnd(width)}  ${value}`);
}
