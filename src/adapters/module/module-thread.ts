/**
 * A module in a thread of its own. Its computations cannot block the caller's thread, which only copies the
 * request out and the answer in.
 *
 *   idle ──a call──► starting ──ready──► running ──exit, crash, hung──► idle
 *                       └───── cannot load, takes too long ─────────────► idle
 *
 * Each unexpected return to idle starts a pause, which doubles as long as threads end without an answer;
 * calls during the pause fail BUSY.
 *
 * A call past its deadline, or aborted, is abandoned: the thread is notified and must confirm. If it does not
 * confirm within `graceMs`, because it computes without a pause, it is ended, its other calls fail DOWN, and
 * the next call starts a new thread. A call that waits for something that never comes does not end the thread
 * until there are `unendedMax` such calls. The thread does not keep the process alive; a call under way does.
 */
import { deserialize } from "node:v8";
import type { ResourceLimits } from "node:worker_threads";
import { backOffMs } from "../../base/back-off.ts";
import { SystemFailure } from "../../domain/migration/system-failure.ts";
import { sharedMs, ThreadRpc, threadFile } from "../../platform/thread-rpc.ts";
import type { FoundMethod, SystemCall } from "../../ports/system.ts";
import { type ForeignError, foreignError, givenUpFailure, methodText } from "./foreign-error.ts";
import type { ModuleAddress } from "./loading.ts";
import type { CallFailure, ThreadData, ThreadEvent } from "./thread-messages.ts";

export interface ThreadOptions {
  /**
   * How long a thread may take to confirm that a call is abandoned, before it counts as hung. Default 1 000.
   */
  readonly graceMs: number;
  /** The number of abandoned calls still running at which the thread is replaced. Default 256. */
  readonly unendedMax: number;
  /** How long the module may take to load. Default 30 000. */
  readonly startMs: number;
  /** The first and the longest pause before a thread that ended is replaced. Default 100 and 30 000. */
  readonly restartMinMs: number;
  readonly restartMaxMs: number;
  /** The thread's environment variables. Default: a copy of this process's. */
  readonly env?: NodeJS.ProcessEnv;
  /** Limits of the thread's memory; a thread that exceeds them is ended. Default: Node's own. */
  readonly resourceLimits: ResourceLimits;
}

export const threadDefaults: ThreadOptions = Object.freeze({
  graceMs: 1_000,
  unendedMax: 256,
  startMs: 30_000,
  restartMinMs: 100,
  restartMaxMs: 30_000,
  resourceLimits: Object.freeze({}),
});

interface ModuleThreadOptions extends ThreadOptions, Omit<ThreadData, "address"> {
  readonly name: string;
  readonly inFlightMax: number;
  /**
   * Receives each line that the module prints, and a line when the thread ends unexpectedly. Undefined:
   * stderr, with the system's name in front.
   */
  readonly log: ((line: string) => void) | undefined;
  /** Makes the error of a call whose method threw. */
  readonly refused: (error: ForeignError, what: string) => Error;
}

export class ModuleThread {
  readonly #address: ModuleAddress;
  readonly #options: ModuleThreadOptions;
  #thread: Thread | undefined;
  /** One promise for each thread that is being ended; it resolves when the thread has ended. */
  readonly #ending = new Set<Promise<unknown>>();
  #methods: ReadonlySet<string> | undefined;
  #found: readonly FoundMethod[] | undefined;
  /** Unexpected ends in a row; the end of a thread that has answered is the first of a new row. */
  #endsInARow = 0;
  #notBeforeMs = Number.NEGATIVE_INFINITY;
  #isClosed = false;

  constructor(address: ModuleAddress, options: ModuleThreadOptions) {
    this.#address = address;
    this.#options = options;
  }

  /** Known once the module has been loaded. */
  get methods(): ReadonlySet<string> | undefined {
    return this.#methods;
  }

  get found(): readonly FoundMethod[] | undefined {
    return this.#found;
  }

  /**
   * Starts the thread if none runs, and waits until the module is loaded. Rejects with a SystemFailure that
   * names the reason if it cannot be loaded.
   */
  async start(): Promise<void> {
    if (this.#isClosed) throw this.#down("is closed");
    const { rpc, ready } = this.#started();
    rpc.keepAlive(true);
    try {
      await ready;
    } finally {
      if (rpc.open === 0) rpc.keepAlive(false);
    }
  }

  async call(method: string, args: readonly unknown[], call: SystemCall): Promise<unknown> {
    const { name, inFlightMax } = this.#options;
    const what = `${name}.${methodText(method)}`;
    if (this.#isClosed) throw this.#down("is closed");
    if (this.#thread !== undefined && this.#thread.rpc.open >= inFlightMax)
      throw new SystemFailure("BUSY", `${inFlightMax} calls of ${name} are under way, which is its limit`);
    if (call.signal?.aborted) throw givenUpFailure(what, call)("abort");
    const leftMs = this.#notBeforeMs - sharedMs();
    if (this.#thread === undefined && leftMs > 0)
      throw new SystemFailure("BUSY", `${name} can start again in ${Math.ceil(leftMs)} ms`);
    let thread: Thread;
    try {
      thread = this.#started();
    } catch (failure) {
      throw this.#down(`cannot start a thread: ${foreignError(failure).message}`);
    }
    const { deadlineMs, signal } = call;
    return deserialize(
      await thread.rpc.call(method, args, { deadlineMs, signal, givenUp: givenUpFailure(what, call) }),
    );
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#thread?.end("was closed");
    await Promise.all(this.#ending);
  }

  #started(): Thread {
    this.#thread ??= new Thread(this.#address, this.#options, {
      ready: (found) => {
        this.#found = found;
        this.#methods = new Set(found.flatMap(({ name, leftOut }) => (leftOut === undefined ? [name] : [])));
      },
      ended: (thread, why) => this.#ended(thread, why),
    });
    return this.#thread;
  }

  /**
   * Runs before the thread's calls fail, so that a caller that retries at once does not get the ended thread.
   */
  #ended(thread: Thread, why: string): SystemFailure {
    if (this.#thread === thread) this.#thread = undefined;
    const end = thread.rpc.exited().finally(() => this.#ending.delete(end));
    this.#ending.add(end);
    if (!this.#isClosed) {
      const { restartMinMs, restartMaxMs } = this.#options;
      this.#endsInARow = thread.rpc.hasAnswered ? 1 : this.#endsInARow + 1;
      this.#notBeforeMs =
        sharedMs() + backOffMs({ firstMs: restartMinMs, lastMs: restartMaxMs }, this.#endsInARow);
      logOf(this.#options)(`the thread ended: it ${why}`);
    }
    return this.#down(why);
  }

  #down(why: string): SystemFailure {
    return new SystemFailure("DOWN", `${this.#options.name} ${why}`);
  }
}

interface ThreadEvents {
  readonly ready: (found: readonly FoundMethod[]) => void;
  /** Called once when the thread ends, for any reason; returns the failure of its open calls. */
  readonly ended: (thread: Thread, why: string) => SystemFailure;
}

/** One thread from its start to its end. */
class Thread {
  readonly rpc: ThreadRpc<Uint8Array, CallFailure, ThreadEvent>;
  readonly ready: Promise<void>;
  readonly #options: ModuleThreadOptions;
  readonly #events: ThreadEvents;
  readonly #loading = Promise.withResolvers<void>();
  /** Abandoned calls that the thread has not confirmed. */
  readonly #unconfirmed = new Set<number>();
  #endTimer: NodeJS.Timeout | undefined;

  constructor(address: ModuleAddress, options: ModuleThreadOptions, events: ThreadEvents) {
    this.#options = options;
    this.#events = events;
    this.ready = this.#loading.promise;
    this.ready.catch(() => {});
    const { answers, exactNumbers, answerBytesMax, resourceLimits, name, startMs, refused, graceMs, env } =
      options;
    const whatOf = (method: string): string => `${name}.${methodText(method)}`;
    const workerData: ThreadData = { address, answers, exactNumbers, answerBytesMax };
    this.rpc = new ThreadRpc({
      file: threadFile("thread-main", import.meta.url),
      worker: {
        workerData,
        name: `pnl-bridge ${name}`,
        resourceLimits,
        ...(env !== undefined && { env }),
        // The module's output arrives as messages; these options keep any other output of the thread away
        // from this program's own.
        stdout: true,
        stderr: true,
        // A program given on the command line runs with a flag that threads do not accept.
        ...(process.execArgv.some((flag) => flag.startsWith("--input-type")) && { execArgv: [] }),
      },
      isHeld: true,
      notCopied: (failure, method) =>
        new SystemFailure(
          "REFUSED",
          `${whatOf(method)}: the request cannot be copied: ${foreignError(failure).message}`,
        ),
      failureOf: ({ failure, ...error }, method) =>
        failure === "REFUSED"
          ? refused(error, whatOf(method))
          : new SystemFailure(failure, `${whatOf(method)}: ${error.message}`),
      onEvent: (event) => this.#onEvent(event),
      onAbandoned: (id) => {
        this.#unconfirmed.add(id);
        if (this.#endTimer === undefined)
          this.#endAfter(graceMs, `computed without a pause for ${graceMs} ms after a call's deadline`);
      },
      onEnd: (why, cause) => {
        clearTimeout(this.#endTimer);
        const failure = this.#events.ended(
          this,
          cause === undefined ? why : `${why}: ${foreignError(cause).message}`,
        );
        this.#loading.reject(failure);
        return failure;
      },
    });
    this.#endAfter(startMs, `did not load within ${startMs} ms`);
  }

  end(why: string): void {
    void this.rpc.end(why);
  }

  #endAfter(ms: number, why: string): void {
    this.#endTimer = setTimeout(() => this.end(why), ms).unref();
  }

  #stopWaiting(): void {
    clearTimeout(this.#endTimer);
    this.#endTimer = undefined;
  }

  #onEvent(event: ThreadEvent): void {
    switch (event.kind) {
      case "ready":
        this.#stopWaiting();
        this.#events.ready(event.found);
        this.#loading.resolve();
        this.rpc.release();
        break;
      case "unfit":
        this.end(`cannot be loaded: ${event.why}`);
        break;
      case "log":
        logOf(this.#options)(event.line);
        break;
      case "abandoned":
        this.#unconfirmed.delete(event.id);
        if (this.#unconfirmed.size > 0) this.#endTimer?.refresh();
        else this.#stopWaiting();
        if (event.unended >= this.#options.unendedMax) this.end(`has ${event.unended} calls that never end`);
    }
  }
}

/** Never throws: a log that fails is no reason for a call to fail. */
const logOf =
  ({ log, name }: ModuleThreadOptions) =>
  (line: string): void => {
    try {
      if (log !== undefined) log(line);
      else process.stderr.write(`${name}: ${line}\n`);
    } catch {
      // There is no other place to report it.
    }
  };
