/**
 * A module in a thread of its own. Its computing cannot delay anybody here; what it costs the caller's thread is to copy the
 * request out and the answer in.
 *
 *   idle ──a call──► starting ──ready──► running ──exit, crash, hung──► idle, not before a pause that doubles each time
 *                       └───── cannot load, takes too long ────────────► the same
 *
 * A call that is given up (deadline, abort) is abandoned: the thread says that it has heard so. Where it does not within
 * `graceMs`, because it computes without a pause, it is ended, other calls fail DOWN, and the next call starts another. A call that
 * waits for something that never comes does not end the thread, until there are `unendedMax` of them.
 * The thread keeps no program alive; a call under way does.
 */
import { deserialize } from "node:v8";
import { type ResourceLimits, Worker } from "node:worker_threads";
import { backOffMs } from "../../base/back-off.ts";
import { SystemFailure } from "../../domain/migration/system-failure.ts";
import type { SystemCall } from "../../ports/system.ts";
import { type ForeignError, foreignError, methodText } from "./foreign-error.ts";
import type { ModuleAddress } from "./loading.ts";
import { type FromThread, monotonicMs, type ThreadData, type ToThread } from "./thread-messages.ts";
import { Waiting } from "./waiting.ts";

export interface ThreadOptions {
  /** How long a thread may leave unanswered that a call was given up, before it counts as hung. Default 1 000. */
  readonly graceMs: number;
  /** Calls that were given up and have not ended; at so many the thread is replaced. Default 256. */
  readonly unendedMax: number;
  /** How long the module may take to load. Default 30 000. */
  readonly startMs: number;
  /** The pause after a thread has ended: the first, and the longest. Default 100 and 30 000. */
  readonly restartMinMs: number;
  readonly restartMaxMs: number;
  /** Of the thread's memory; one that needs more is ended. Default: as Node has it. */
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

export interface ModuleThreadOptions extends ThreadOptions, Omit<ThreadData, "address"> {
  readonly name: string;
  readonly inFlightMax: number;
  /** Told each line that the module prints, and when the thread ends unasked. Undefined: stderr, after the name. */
  readonly log: ((line: string) => void) | undefined;
  /** What a call fails with where the module threw. */
  readonly refused: (error: ForeignError, what: string) => Error;
}

export class ModuleThread {
  readonly #address: ModuleAddress;
  readonly #options: ModuleThreadOptions;
  /** Calls that somebody waits for, by id. */
  readonly #calls = new Map<number, ThreadCall>();
  #callsMade = 0;
  #thread: Thread | undefined;
  /** Threads that are being ended. */
  readonly #ending = new Set<Promise<unknown>>();
  #methods: ReadonlySet<string> | undefined;
  /** Ends since the last answer; what the pause doubles by. */
  #endsInARow = 0;
  #notBeforeMs = Number.NEGATIVE_INFINITY;
  #closed = false;

  constructor(address: ModuleAddress, options: ModuleThreadOptions) {
    this.#address = address;
    this.#options = options;
  }

  /** Known once the module has been loaded. */
  get methods(): ReadonlySet<string> | undefined {
    return this.#methods;
  }

  /** Starts the thread if there is none, and waits until the module is loaded; rejects with the SystemFailure that says why not. */
  async start(): Promise<void> {
    if (this.#closed) throw this.#down("is closed");
    const thread = this.#started();
    thread.keepAlive(true);
    try {
      await thread.ready;
    } finally {
      if (this.#calls.size === 0) thread.keepAlive(false);
    }
  }

  call(method: string, args: readonly unknown[], call: SystemCall): Promise<unknown> {
    const { name, inFlightMax } = this.#options;
    const what = `${name}.${methodText(method)}`;
    if (this.#closed) return Promise.reject(this.#down("is closed"));
    if (this.#calls.size >= inFlightMax)
      return Promise.reject(new SystemFailure("BUSY", `${name}: ${inFlightMax} calls are under way`));
    if (call.signal?.aborted)
      return Promise.reject(new SystemFailure("TIMEOUT", `${what}: nobody waits for the answer any longer`));
    const nowMs = monotonicMs();
    if (this.#thread === undefined && nowMs < this.#notBeforeMs)
      return Promise.reject(new SystemFailure("BUSY", `${name} starts again in ${Math.ceil(this.#notBeforeMs - nowMs)} ms`));
    let thread: Thread;
    try {
      thread = this.#started();
    } catch (failure) {
      return Promise.reject(this.#down(`cannot have a thread: ${foreignError(failure).message}`));
    }
    const id = ++this.#callsMade;
    const waiting = new Waiting<unknown>(what, call, (givenUp) => {
      this.#calls.delete(id);
      if (this.#calls.size === 0) thread.keepAlive(false);
      if (givenUp) thread.abandon(id);
    });
    this.#calls.set(id, { what, waiting });
    thread.keepAlive(true);
    try {
      thread.send({ kind: "call", id, method, args, untilMs: nowMs + call.deadlineMs });
    } catch (failure) {
      waiting.fail(new SystemFailure("REFUSED", `${what}: the request cannot be copied: ${foreignError(failure).message}`));
    }
    return waiting.promise;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#thread?.end("was closed");
    await Promise.all(this.#ending);
  }

  #started(): Thread {
    this.#thread ??= new Thread(this.#address, this.#options, {
      ready: (methods) => {
        this.#methods = new Set(methods);
      },
      settled: (message) => this.#settle(message),
      ended: (thread, why) => this.#ended(thread, why),
    });
    return this.#thread;
  }

  #settle(message: FromThread & { kind: "answer" | "failed" }): void {
    this.#endsInARow = 0;
    const call = this.#calls.get(message.id);
    if (call === undefined) return;
    const { what, waiting } = call;
    if (message.kind === "answer") waiting.answer(deserialize(message.bytes));
    else if (message.failure === "REFUSED") waiting.fail(this.#options.refused(message, what));
    else waiting.fail(new SystemFailure(message.failure, `${what}: ${message.message}`));
  }

  #ended(thread: Thread, why: string): void {
    if (this.#thread === thread) this.#thread = undefined;
    const end = thread.terminated.finally(() => this.#ending.delete(end));
    this.#ending.add(end);
    if (!this.#closed) {
      const { restartMinMs, restartMaxMs } = this.#options;
      this.#endsInARow += 1;
      this.#notBeforeMs = monotonicMs() + backOffMs({ firstMs: restartMinMs, lastMs: restartMaxMs }, this.#endsInARow);
      logOf(this.#options)(`the thread ended: it ${why}`);
    }
    // Whoever calls again in between finds no thread.
    for (const { waiting } of [...this.#calls.values()]) waiting.fail(this.#down(why));
  }

  #down(why: string): SystemFailure {
    return new SystemFailure("DOWN", `${this.#options.name} ${why}`);
  }
}

interface ThreadCall {
  /** System and method, for messages. */
  readonly what: string;
  readonly waiting: Waiting<unknown>;
}

interface ThreadEvents {
  readonly ready: (methods: readonly string[]) => void;
  readonly settled: (message: FromThread & { kind: "answer" | "failed" }) => void;
  /** Once, for whatever reason it ends. */
  readonly ended: (thread: Thread, why: string) => void;
}

/** One thread from its start to its end. */
class Thread {
  readonly #worker: Worker;
  readonly ready: Promise<void>;
  /** When it has ended; set as soon as it is known that it will. */
  terminated: Promise<unknown> = Promise.resolve();
  readonly #options: ModuleThreadOptions;
  readonly #events: ThreadEvents;
  readonly #isReady: () => void;
  readonly #isNot: (failure: SystemFailure) => void;
  /** Until the module is loaded, what is to be sent waits here, where it can be taken back. */
  #held: ToThread[] | undefined = [];
  /** Abandoned calls of which the thread has not said that it has heard. */
  readonly #unheard = new Set<number>();
  #patience: NodeJS.Timeout | undefined;
  #over = false;

  constructor(address: ModuleAddress, options: ModuleThreadOptions, events: ThreadEvents) {
    this.#options = options;
    this.#events = events;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.ready = promise;
    this.#isReady = resolve;
    this.#isNot = reject;
    promise.catch(() => {});
    const { answers, exactNumbers, answerBytesMax, resourceLimits, name, startMs } = options;
    const workerData: ThreadData = { address, answers, exactNumbers, answerBytesMax };
    this.#worker = new Worker(threadMain, {
      workerData,
      name: `pnl-bridge ${name}`,
      resourceLimits,
      // What the module prints comes as messages; this keeps the rest, if any, off this program's own output.
      stdout: true,
      stderr: true,
      // A program given on the command line has a flag that a thread refuses.
      ...(process.execArgv.some((flag) => flag.startsWith("--input-type")) && { execArgv: [] }),
    });
    this.#worker.on("message", (message: FromThread) => this.#hear(message));
    this.#worker.on("messageerror", () => this.end("sent what cannot be read"));
    this.#worker.on("error", (failure) => this.end(`crashed: ${foreignError(failure).message}`));
    this.#worker.on("exit", (code) => this.end(`exited with code ${code}`));
    this.#worker.unref();
    this.#wait(startMs, `did not load within ${startMs} ms`);
  }

  /** Whether the program goes on while the thread does. Being ended, it keeps the program until it is, since somebody may wait. */
  keepAlive(keeps: boolean): void {
    if (this.#over) return;
    if (keeps) this.#worker.ref();
    else this.#worker.unref();
  }

  /** Throws where the message cannot be copied. */
  send(message: ToThread): void {
    if (this.#held === undefined) this.#worker.postMessage(message);
    else this.#held.push(message.kind === "call" ? { ...message, args: structuredClone(message.args) } : message);
  }

  abandon(id: number): void {
    if (this.#over) return;
    if (this.#held !== undefined) {
      this.#held = this.#held.filter((message) => message.id !== id);
      return;
    }
    this.send({ kind: "abandon", id });
    this.#unheard.add(id);
    if (this.#patience !== undefined) return;
    const { graceMs } = this.#options;
    this.#wait(graceMs, `computed without a pause for ${graceMs} ms after a call's deadline`);
  }

  end(why: string): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#patience);
    this.terminated = this.#worker.terminate();
    this.#isNot(new SystemFailure("DOWN", `${this.#options.name} ${why}`));
    this.#events.ended(this, why);
  }

  #wait(ms: number, thenWhy: string): void {
    this.#patience = setTimeout(() => this.end(thenWhy), ms);
    this.#patience.unref();
  }

  #impatientNoMore(): void {
    clearTimeout(this.#patience);
    this.#patience = undefined;
  }

  #hear(message: FromThread): void {
    if (this.#over) return;
    switch (message.kind) {
      case "ready":
        this.#loaded(message.methods);
        break;
      case "unfit":
        this.end(`cannot be loaded: ${message.why}`);
        break;
      case "log":
        logOf(this.#options)(message.line);
        break;
      case "abandoned":
        this.#heard(message.id);
        if (message.unended >= this.#options.unendedMax) this.end(`has ${message.unended} calls that never end`);
        break;
      default:
        this.#events.settled(message);
    }
  }

  #heard(id: number): void {
    this.#unheard.delete(id);
    if (this.#unheard.size > 0) this.#patience?.refresh();
    else this.#impatientNoMore();
  }

  #loaded(methods: readonly string[]): void {
    this.#impatientNoMore();
    this.#events.ready(methods);
    this.#isReady();
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const message of held) this.#worker.postMessage(message);
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
      // Nobody is left to tell.
    }
  };

const threadMain = new URL(import.meta.url.endsWith(".ts") ? "./thread-main.ts" : "./thread-main.js", import.meta.url);
