import { extname } from "node:path";
import { styleText } from "node:util";
import { Worker } from "node:worker_threads";
import { BridgeError, errorOf, messageOf } from "../../base/errors.ts";
import { jsonPieces } from "../../base/json-pieces.ts";
import { jsonText, plain } from "../../base/plain-text.ts";

export interface Streams {
  readonly out: NodeJS.WriteStream;
  readonly err: NodeJS.WriteStream;
}

/** What a command has to say, and whether what was asked about holds. */
export interface CommandResult {
  /** Read again when the text has been printed: what streams knows it only then. */
  readonly exitCode: 0 | 1;
  /** For stdout, without the last line end. Pieces are asked for as fast as stdout takes them. */
  readonly text: string | Iterable<string> | AsyncIterable<string>;
  /** The text ends its own lines, so that a reader of a pipe has each one whole as it comes. */
  readonly endsLines?: true;
}

/** The result as one JSON document; see `jsonPieces` for what may be an iterable in it. */
export const jsonResult = (document: object, holds: boolean): CommandResult => ({
  exitCode: holds ? 0 : 1,
  text: jsonPieces(document),
});

/**
 * To be called once, before anything is written. A reader that goes away early (`| head`) is no failure: what it would have
 * been given is dropped, and the exit code is the command's. A stdout that fails is one: exit code 2, one line.
 */
export function guardStreams(streams: Streams, style: () => FailureStyle): void {
  streams.out.on("error", (cause: NodeJS.ErrnoException) => {
    if (cause.code === "EPIPE") return;
    const what = `cannot write the output: ${cause.code ?? cause.message}`;
    const failure = new BridgeError("UNWRITABLE", {
      what,
      where: "stdout",
      fix: "send it to where there is room",
      cause,
    });
    process.exitCode = reportFailure(failure, streams, style());
  });
  streams.err.on("error", () => {}); // Nobody is left to be told.
}

/** Prints a result and sets the exit code. A stdout that fails ends it; `guardStreams` has said so then. */
export async function finish(result: CommandResult, { out }: Streams): Promise<void> {
  process.exitCode = result.exitCode;
  const { text } = result;
  let anything = false;
  for await (const piece of typeof text === "string" ? [text] : text) {
    anything = true;
    if (!(await written(out, piece))) return;
  }
  process.exitCode = result.exitCode;
  // By itself: a disk that filled up within the piece before took a part of it without a word, and refuses this.
  if (anything && result.endsLines !== true) await written(out, "\n");
}

const written = (out: NodeJS.WriteStream, piece: string): Promise<boolean> =>
  new Promise((resolve) => out.write(piece, (failure) => resolve(!failure)));

export interface FailureStyle {
  /** Adds the stack trace. */
  readonly isVerbose: boolean;
  /** Writes the line as JSON, `{ "error": { code, what, where, fix } }`. */
  readonly isJson: boolean;
}

/** Writes a failure to stderr in one line: code, what, where, how to fix it. Returns the exit code. */
export function reportFailure(error: unknown, { err }: Streams, { isVerbose, isJson }: FailureStyle): 2 {
  const known =
    error instanceof BridgeError
      ? error
      : new BridgeError("INTERNAL", {
          what: messageOf(error),
          fix: "run again with --verbose and report it",
          cause: error,
        });
  err.write(`${isJson ? jsonText({ error: known.document }) : known.line}\n`);
  if (isVerbose)
    err.write(`${(errorOf(error).stack ?? messageOf(error)).split("\n").map(plain).join("\n")}\n`);
  return 2;
}

/** Whether escape codes may be used: as FORCE_COLOR says, else on a terminal, unless NO_COLOR is set. */
export function colourful(stream: NodeJS.WriteStream): boolean {
  const { FORCE_COLOR, NO_COLOR } = process.env;
  return FORCE_COLOR ? !/^(0|false)$/.test(FORCE_COLOR) : stream.isTTY === true && !NO_COLOR;
}

type Style = "red" | "green" | "yellow" | "bold" | "dim";

/** Puts a style around a text, or leaves it as it is. */
export const painter =
  (colour: boolean) =>
  (style: Style, text: string): string =>
    colour ? styleText(style, text, { validateStream: false }) : text;

/** Shorter work shows no progress. */
export const progressAfterMs = 2_000;

interface Progress {
  readonly report: (text: string) => void;
  /** Removes what is shown. To be called when the work ends, also when it fails. */
  readonly done: () => Promise<void>;
}

/**
 * Shows on stderr what is going on, once the work has taken two seconds: on a terminal in one line that is updated, elsewhere a
 * line every five seconds. A thread writes it, since much of the work keeps this one busy.
 */
export function progressOn(stream: NodeJS.WriteStream): Progress {
  const startedMs = performance.now();
  const isTerminal = stream.isTTY === true;
  const file = new URL(`./progress-thread${extname(import.meta.url)}`, import.meta.url);
  const thread = new Worker(file, { workerData: { isTerminal, isColoured: colourful(stream) } });
  thread.unref();
  return {
    report: (text) => thread.postMessage(plain(text)),
    done: async () => {
      await thread.terminate();
      if (isTerminal && performance.now() - startedMs > progressAfterMs) stream.write("\r\x1b[K");
    },
  };
}

export const terminalWidth = (stream: NodeJS.WriteStream): number => Math.max(80, stream.columns ?? 120);
