import { Argument, Option } from "commander";
import type { Translation } from "../../../app/symbols/commands.ts";
import { BridgeError } from "../../../base/errors.ts";
import { plain } from "../../../base/plain-text.ts";
import * as option from "../options.ts";
import type { CommandSpec } from "../spec.ts";
import { type CommandResult, colourful, painter, type Streams } from "../terminal.ts";

export const commands: readonly CommandSpec[] = [
  {
    name: "symbols translate",
    about: "Translates symbols from one dialect into another; reads arguments, a file or stdin",
    example: "symbols translate --to bloomberg XCMEOPADPS20250721N0VY3/110.25",
    options: [
      option.from(),
      new Option("--to <dialect>", "the dialect of the output").default("canonical"),
      new Option("--file <file>", "a file with one symbol per line; - is stdin"),
      option.asOf(),
      option.calendar(),
      option.json(),
    ],
    argument: new Argument("[symbol...]", "symbols; put a symbol with spaces in quotes"),
    run,
  },
];

interface SymbolsTranslateOptions {
  readonly symbol: readonly string[];
  readonly from: string;
  readonly to: string;
  readonly file?: string;
  readonly asOf?: string;
  readonly calendar?: string;
  readonly json?: boolean;
}

/** Translates while it reads, so that a pipe of any length is answered line by line. */
async function run(options: SymbolsTranslateOptions, { out }: Streams): Promise<CommandResult> {
  const { dialectOption, openSymbols, symbolLines } = await import("../../../app/symbols/commands.ts");
  const from = dialectOption("--from", options.from, "auto");
  const to = dialectOption("--to", options.to);
  const inputs = inputsOf(options, symbolLines);
  const { symbols } = await openSymbols(options);
  let exitCode: 0 | 1 = 0;
  const translations = async function* (): AsyncGenerator<Translation> {
    for await (const symbol of inputs) {
      const translation = symbols.translate(symbol, from, to);
      if (!translation.ok) exitCode = 1;
      yield translation;
    }
  };
  const text = options.json ? jsonLines(translations()) : tableLines(translations(), painter(colourful(out)));
  return {
    get exitCode() {
      return exitCode;
    },
    text,
    ...(options.json ? {} : { endsLines: true as const }),
  };
}

function inputsOf(
  { symbol, file }: SymbolsTranslateOptions,
  symbolLines: (file: string) => AsyncIterable<string>,
): Iterable<string> | AsyncIterable<string> {
  if (symbol.length > 0 && file !== undefined)
    throw new BridgeError("BAD_USAGE", {
      what: "symbols are given both as arguments and by --file",
      fix: "use one of them",
    });
  if (symbol.length > 0) return symbol;
  if (file !== undefined) return symbolLines(file);
  if (process.stdin.isTTY === true)
    throw new BridgeError("BAD_USAGE", {
      what: "there are no symbols to translate",
      fix: "give them as arguments, with --file, or through a pipe",
    });
  return symbolLines("-");
}

/** Yields one JSON document: an array with one translation per line. */
async function* jsonLines(translations: AsyncIterable<Translation>): AsyncGenerator<string> {
  let separator = "[";
  for await (const translation of translations) {
    yield `${separator}${JSON.stringify(translation)}`;
    separator = ",\n";
  }
  yield separator === "[" ? "[]" : "]";
}

async function* tableLines(
  translations: AsyncIterable<Translation>,
  paint: ReturnType<typeof painter>,
): AsyncGenerator<string> {
  for await (const translation of translations) yield `${lineOf(translation, paint)}\n`;
}

/**
 * Returns `input  →  output` and the notes; for a refused symbol the reason and the symbols that may be
 * meant.
 */
function lineOf(translation: Translation, paint: ReturnType<typeof painter>): string {
  const input = plain(translation.input);
  if (translation.ok) {
    const notes = translation.notes
      .map(({ code, why }) => `\n     ${paint("yellow", code)} ${plain(why)}`)
      .join("");
    return `${input}  →  ${paint("bold", translation.output)}${notes}`;
  }
  const { code, why, nearest, candidates = [] } = translation.error;
  const hints = [
    ...(candidates.length === 0 ? [] : [`it may be ${candidates.join(" or ")}`]),
    ...(nearest.length === 0 ? [] : [`did you mean ${nearest.join(" or ")}?`]),
  ];
  return `${input}  ${paint("red", "✗")}  ${paint("red", code)}: ${plain([why, ...hints].join("; "))}`;
}
