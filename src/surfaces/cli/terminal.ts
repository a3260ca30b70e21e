import { styleText } from "node:util";
import { BridgeError } from "../../domain/errors.ts";

export interface Streams {
  readonly out: NodeJS.WriteStream;
  readonly err: NodeJS.WriteStream;
}

/** What a command has to say, and whether what was asked about holds. */
export interface CommandResult {
  readonly exitCode: 0 | 1;
  /** For stdout. */
  readonly text: string;
}

/** The result as one JSON document. */
export const jsonResult = (document: unknown, holds: boolean): CommandResult => ({
  exitCode: holds ? 0 : 1,
  text: JSON.stringify(document),
});

/** Prints a result and sets the exit code. A reader that goes away early (`| head`) is no failure. */
export async function finish({ exitCode, text }: CommandResult, { out }: Streams): Promise<void> {
  process.exitCode = exitCode;
  out.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
  await new Promise<void>((resolve) => out.write(`${text}\n`, () => resolve()));
}

/** One line on stderr: code, what, where, how to mend. Returns the exit code. */
export function reportFailure(error: unknown, { err }: Streams, verbose: boolean): 2 {
  const known =
    error instanceof BridgeError
      ? error
      : new BridgeError("INTERNAL", {
          what: error instanceof Error ? error.message : String(error),
          mend: "run again with --verbose and report it",
          cause: error,
        });
  err.write(`${known.line}\n`);
  if (verbose) err.write(`${(error as Error)?.stack ?? error}\n`);
  return 2;
}

/** Whether escape codes may be used: on a terminal, unless NO_COLOR says otherwise. */
export const colourful = (stream: NodeJS.WriteStream): boolean => stream.isTTY === true && !process.env.NO_COLOR;

/** Says what is going on, on one line of a terminal, once the work has taken two seconds. */
export function progressOn(stream: NodeJS.WriteStream): { readonly report: (text: string) => void; readonly done: () => void } {
  const startedMs = performance.now();
  let shownMs = 0;
  const terminal = stream.isTTY === true;
  return {
    report: (text) => {
      const nowMs = performance.now();
      if (nowMs - startedMs < 2_000 || nowMs - shownMs < (terminal ? 100 : 5_000)) return;
      shownMs = nowMs;
      stream.write(terminal ? `\r\x1b[K${styleText("dim", text, { stream })}` : `${text}\n`);
    },
    done: () => {
      if (terminal && shownMs > 0) stream.write("\r\x1b[K");
    },
  };
}

export const terminalWidth = (stream: NodeJS.WriteStream): number => Math.max(80, stream.columns ?? 120);
