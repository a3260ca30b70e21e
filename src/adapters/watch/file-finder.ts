import { BridgeError, messageOf } from "../../base/errors.ts";
import { ThreadRpc, threadFile } from "../../platform/thread-rpc.ts";
import type { FileFinder, FileSlice, RootLook } from "../../ports/watched-files.ts";
import type { FinderAnswer, FinderCall } from "./finder-thread.ts";
import type { ScanOptions } from "./folder-scan.ts";

interface FileFinderOptions extends ScanOptions {
  /** Called soon after a file may have changed, so that the caller can look at once. */
  readonly onHint: () => void;
  /**
   * The time after which an unanswered look makes the roots count as lost, and an unanswered read makes its
   * file count as locked. Default: 60 000.
   */
  readonly deadlineMs?: number;
}

/**
 * Opens a finder whose scans and reads run in a separate thread, so that a slow drive does not delay the
 * caller.
 */
export const openFileFinder = (options: FileFinderOptions): FileFinder => new ThreadFinder(options);

class ThreadFinder implements FileFinder {
  readonly #options: FileFinderOptions;
  #rpc: ThreadRpc<FinderAnswer, never, "hint"> | undefined;
  #isClosed = false;
  #received = 0;
  #hasLooked = false;
  #pollReasons: FileFinder["pollReasons"];

  constructor(options: FileFinderOptions) {
    this.#options = options;
    this.#pollReasons = options.roots.map(() => undefined);
  }

  get modes(): FileFinder["modes"] {
    const isPolled = this.#options.mode === "poll" || !this.#hasLooked;
    return this.#pollReasons.map((reason) => (isPolled || reason !== undefined ? "poll" : "events"));
  }

  get pollReasons(): FileFinder["pollReasons"] {
    return this.#pollReasons;
  }

  async look(scope: "recent" | "all"): Promise<readonly RootLook[]> {
    const answer = await this.#call({ look: scope, received: this.#received });
    if ("looks" in answer) {
      this.#received = answer.number;
      this.#hasLooked = true;
      this.#pollReasons = answer.pollReasons;
      return answer.looks;
    }
    const { code, why } = failed(answer);
    return this.#options.roots.map(() => ({ ok: false, code, why }));
  }

  async read(given: Parameters<FileFinder["read"]>[0]): Promise<FileSlice> {
    const answer = await this.#call(given);
    return "kind" in answer ? answer : { kind: "locked", ...failed(answer) };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const rpc = this.#rpc;
    const end = rpc?.end("was closed");
    // The thread may be blocked in a call to a dead drive, which cannot be interrupted.
    if (rpc?.unanswered === 0) await end;
  }

  async #call(call: FinderCall): Promise<FinderAnswer | { readonly failure: unknown }> {
    const { deadlineMs = 60_000 } = this.#options;
    const givenUp = (): BridgeError =>
      new BridgeError("SYSTEM_DOWN", { what: `the watched folders did not answer within ${deadlineMs} ms` });
    try {
      if (this.#isClosed) throw closed();
      return await this.#thread().call("look" in call ? "look" : "read", call, { deadlineMs, givenUp });
    } catch (failure) {
      if (this.#isClosed) throw failure;
      return { failure };
    }
  }

  /** Returns the thread; starts a new one if the last one crashed. A new thread reports every file again. */
  #thread(): ThreadRpc<FinderAnswer, never, "hint"> {
    const { roots, include, mode } = this.#options;
    this.#rpc ??= new ThreadRpc({
      file: threadFile("finder-thread", import.meta.url),
      worker: { workerData: { roots, include, mode }, execArgv: [], name: "file finder" },
      isHeld: false,
      notCopied: (failure) => failure,
      failureOf: (failure) => failure,
      onEvent: () => {
        if (!this.#isClosed) this.#options.onHint();
      },
      onAbandoned: () => {},
      onEnd: (why, cause) => {
        this.#rpc = undefined;
        if (this.#isClosed) return closed();
        const reason = cause === undefined ? why : `${why}: ${messageOf(cause)}`;
        return new BridgeError("INTERNAL", { what: `the thread that finds files ${reason}`, cause });
      },
    });
    return this.#rpc;
  }
}

const closed = (): BridgeError => new BridgeError("CLOSED", { what: "the file finder is closed" });

const failed = (answer: object): { readonly code: string; readonly why: string } => {
  const failure = "failure" in answer ? answer.failure : undefined;
  return { code: failure instanceof BridgeError ? failure.code : "INTERNAL", why: messageOf(failure) };
};
