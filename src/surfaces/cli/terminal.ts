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

/** The output and the exit code of a command that has run. Failures are thrown. */
export interface CommandResult {
  /**
   * 1 means that the command found a problem. It is read again after the text has been printed, because a
   * streamed result is known only at its end.
   */
  readonly exitCode: 0 | 1;
  /** The text for stdout, without the last line end. Pieces are requested as fast as stdout accepts them. */
  readonly text: string | Iterable<string> | AsyncIterable<string>;
  /** Every piece of the text ends with its own line end, so that a reader of a pipe receives whole lines. */
  readonly endsLines?: true;
}

/** Returns a result with one JSON document; `jsonPieces` says which of its values may be iterables. */
export const jsonResult = (document: object, holds: boolean): CommandResult => ({
  exitCode: holds ? 0 : 1,
  text: jsonPieces(document),
});

/**
 * Handles errors of stdout and stderr. Must be called once, before anything is written. A reader that closes
 * the pipe early (`| head`) is not a failure: the rest of the output is dropped, and the exit code is the
 * command's. Any other error of stdout is reported in one line, with exit code 2.
 */
export function guardStreams(streams: Streams, style: () => FailureStyle): void {
  streams.out.on("error", (cause: NodeJS.ErrnoException) => {
    if (cause.code === "EPIPE") return;
    const what = `the output cannot be written: ${cause.code ?? cause.message}`;
    const failure = new BridgeError("UNWRITABLE", {
      what,
      where: "stdout",
      fix: "write it to a disk with free space",
      cause,
    });
    process.exitCode = reportFailure(failure, streams, style());
  });
  streams.err.on("error", () => {}); // The reader of stderr has closed it.
}

/** Prints a result and sets the exit code. Stops if stdout fails, which `guardStreams` reports. */
export async function finish(result: CommandResult, { out }: Streams): Promise<void> {
  process.exitCode = result.exitCode;
  const { text } = result;
  let anything = false;
  for await (const piece of typeof text === "string" ? [text] : text) {
    anything = true;
    if (!(await written(out, piece))) return;
  }
  process.exitCode = result.exitCode;
  // Written separately: if the disk fills up during a piece, that write reports no error, but the next one
  // does.
  if (anything && result.endsLines !== true) await written(out, "\n");
}

const written = (out: NodeJS.WriteStream, piece: string): Promise<boolean> =>
  new Promise((resolve) => out.write(piece, (failure) => resolve(!failure)));

export interface FailureStyle {
  /** Print the stack trace too. */
  readonly isVerbose: boolean;
  /** Print the failure as JSON, `{ "error": { code, what, where, fix } }`. */
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

/**
 * Whether escape codes may be used. FORCE_COLOR decides if it is set; else only a terminal without NO_COLOR.
 */
export function colourful(stream: NodeJS.WriteStream): boolean {
  const { FORCE_COLOR, NO_COLOR } = process.env;
  return FORCE_COLOR ? !/^(0|false)$/.test(FORCE_COLOR) : stream.isTTY === true && !NO_COLOR;
}

type Style = "red" | "green" | "yellow" | "bold" | "dim";

/** Returns a function that styles a text if `colour` is true, and returns it unchanged otherwise. */
export const painter =
  (colour: boolean) =>
  (style: Style, text: string): string =>
    colour ? styleText(style, text, { validateStream: false }) : text;

/** Work that takes less time than this shows no progress. */
export const progressAfterMs = 2_000;

interface Progress {
  readonly report: (text: string) => void;
  /** Removes the progress line. Must be called when the work ends, even if it fails. */
  readonly done: () => Promise<void>;
}

/**
 * Shows progress on stderr after the work has taken two seconds: on a terminal in one line that is updated,
 * elsewhere as a new line every five seconds. A worker thread writes it, because the work can keep this
 * thread busy.
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
