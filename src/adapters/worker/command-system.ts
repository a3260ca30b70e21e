/**
 * A system in another language: a child process that speaks the worker protocol (protocol.ts).
 *
 *   stopped ──first call──► starting ──initialize──► up ──died, hung, closed a pipe──► ending ──► stopped
 *                              └───────refused, too slow, another version────────────────┘
 *
 * A call waits in the bridge until the worker is up and has room for it; then it is sent. At its deadline it
 * fails TIMEOUT, sent or not. If a sent call still has no answer `graceMs` after its deadline, the worker
 * counts as hung; if it answers other calls meanwhile, it counts as hung only after `overdueMaxMs`. A hung
 * worker is killed, and its other calls fail DOWN. No call is ever sent twice, since it may have taken
 * effect.
 *
 * After the first failure of a worker that had been up, the next call starts it again at once. After every
 * further failure, and after a failed start, a pause comes first, which doubles with each failure until the
 * worker has been up for `steadyMs`. Calls during the pause fail BUSY. Only calls and `start` start a worker.
 *
 * All limits are in `commandDefaults`.
 */
import { backOffMs } from "../../base/back-off.ts";
import { BridgeError } from "../../base/errors.ts";
import { SystemFailure } from "../../domain/migration/system-failure.ts";
import { childEnvironment } from "../../platform/child-environment.ts";
import { LimitedLog } from "../../platform/limited-log.ts";
import { Pending, type PendingOptions } from "../../platform/pending.ts";
import type { BridgedSystem, FoundMethod, JsonValue, SystemCall } from "../../ports/system.ts";
import {
  callLine,
  idOfPieces,
  initializeId,
  initializeLine,
  readIntroduction,
  readMessage,
  shortened,
  type WorkerMessage,
} from "./protocol.ts";
import { type LogSource, WorkerProcess } from "./worker-process.ts";

export interface CommandOptions extends Partial<CommandLimits> {
  readonly name: string;
  /** Program and arguments, run without a shell. */
  readonly command: readonly string[];
  /** Default: the working folder of this process. */
  readonly cwd?: string;
  /**
   * Names of environment variables of this process that the worker gets in addition to the base
   * (`child-environment.ts`). Default: none.
   */
  readonly inheritEnv?: readonly string[];
  /** Further variables, which take precedence. */
  readonly env?: Readonly<Record<string, string>>;
  /** Tells the worker to change nothing. Default false. */
  readonly readOnly?: boolean;
  /** The methods that the worker offers. Default: all public methods of its object. */
  readonly methods?: readonly string[];
  /** The name by which the bridge introduces itself. Default `pnl-bridge`. */
  readonly client?: string;
  /**
   * Receives the worker's stderr and the lines on its stdout that are not messages, line by line and without
   * control characters, and the bridge's messages about the worker. Default: no log.
   */
  readonly log?: (line: string, from: LogSource) => void;
}

interface CommandLimits {
  /** A longer answer is discarded while it arrives, and the call fails TOO_LARGE. */
  readonly answerBytesMax: number;
  readonly requestBytesMax: number;
  /**
   * The maximum number of calls under way, including those that wait and those still unanswered after their
   * deadline. Further calls fail BUSY.
   */
  readonly inFlightMax: number;
  /**
   * The maximum number of sent calls without an answer. A worker that announces its `concurrency` gets no
   * more than that.
   */
  readonly sentMax: number;
  /** The maximum total of bytes of requests that the worker has not read yet. Further calls fail BUSY. */
  readonly waitingBytesMax: number;
  /** Time limit from the start of the process to its answer to `initialize`. */
  readonly startMs: number;
  /** How long after a call's deadline the worker may stay silent before it is killed. */
  readonly graceMs: number;
  /** How long after its deadline a call may stay unanswered if the worker answers others. */
  readonly overdueMaxMs: number;
  /** On closing, the time from the end of stdin to SIGTERM, and again from SIGTERM to SIGKILL. */
  readonly closeMs: number;
  /**
   * The pause after a first failed start; each further failure doubles it, up to `pauseMaxMs`. A worker that
   * was up is restarted without a pause after its first failure.
   */
  readonly pauseMs: number;
  readonly pauseMaxMs: number;
  /** Once a worker has been up for this time, earlier failures no longer count. */
  readonly steadyMs: number;
  /** A longer deadline is reduced to this. */
  readonly deadlineMaxMs: number;
  readonly logLinesPerSecondMax: number;
  readonly logLineLengthMax: number;
}

const commandDefaults: CommandLimits = Object.freeze({
  answerBytesMax: 32 * 2 ** 20,
  requestBytesMax: 32 * 2 ** 20,
  inFlightMax: 256,
  sentMax: 64,
  waitingBytesMax: 64 * 2 ** 20,
  startMs: 30_000,
  graceMs: 500,
  overdueMaxMs: 10_000,
  closeMs: 500,
  pauseMs: 200,
  pauseMaxMs: 10_000,
  steadyMs: 10_000,
  deadlineMaxMs: 3_600_000,
  logLinesPerSecondMax: 100,
  logLineLengthMax: 2_000,
});

/** Counts of events since the system was created. */
interface CommandCounters {
  /** Processes started, the first one included. */
  readonly starts: number;
  /** Workers that were killed because they hung, or did not answer `initialize` as they should. */
  readonly kills: number;
  /** Answers that arrived after their call was given up. */
  readonly late: number;
  /** Answers to calls that were never made or are already answered. */
  readonly unknown: number;
  /** Lines on stdout that are not messages. */
  readonly garbage: number;
  /** Lines on stdout that were too long. */
  readonly tooLong: number;
}

const methodLengthMax = 100;
const noTail = Buffer.alloc(0);
type MessageToUs = Exclude<WorkerMessage, { readonly kind: "garbage" }>;

type Phase = "stopped" | "starting" | "up" | "ending";

export class CommandSystem implements BridgedSystem {
  readonly name: string;
  readonly kind = "command";
  readonly #options: CommandOptions;
  readonly #limits: CommandLimits;
  readonly #log: LimitedLog<LogSource>;
  #phase: Phase = "stopped";
  #process: WorkerProcess | undefined;
  #methods: ReadonlySet<string> | undefined;
  #found: readonly FoundMethod[] | undefined;
  #sentMax: number;
  #nextId = initializeId + 1;
  readonly #waiting = new Set<Call>();
  readonly #sent = new Map<number, Call>();
  #waitingBytes = 0;
  #starters: Starter[] = [];
  #startTimer: NodeJS.Timeout | undefined;
  #upSinceMs = 0;
  #lastAnswerMs = 0;
  #failures = 0;
  #notBeforeMs = 0;
  #lastFailure = "";
  #closing: Promise<void> | undefined;
  readonly #counters = { starts: 0, kills: 0, late: 0, unknown: 0, garbage: 0, tooLong: 0 };

  /** Starts nothing yet. Throws BAD_CONFIG for an empty command. */
  constructor(options: CommandOptions) {
    if ((options.command[0] ?? "") === "")
      throw new BridgeError("BAD_CONFIG", {
        what: `the command of system ${options.name} is empty`,
        fix:
          "name a program and its arguments, such as " +
          '["python3", "pnl_bridge_worker.py", "desk.pnl:Service"]',
      });
    this.name = options.name;
    this.#options = options;
    this.#limits = limitsOf(options);
    this.#sentMax = this.#limits.sentMax;
    this.#log = new LimitedLog<LogSource>(options.log ?? (() => {}), "bridge", {
      linesPerSecondMax: this.#limits.logLinesPerSecondMax,
      lineLengthMax: this.#limits.logLineLengthMax,
    });
  }

  /**
   * The methods that the worker announced at its last start; undefined before its first start, or if it does
   * not announce any.
   */
  get methods(): ReadonlySet<string> | undefined {
    return this.#methods;
  }

  get found(): readonly FoundMethod[] | undefined {
    return this.#found;
  }

  /** The running worker's process id. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  get counters(): CommandCounters {
    return { ...this.#counters };
  }

  /**
   * Starts the worker if it is not up, so that `methods` is known and the first call does not wait for the
   * start. Rejects with the failure that a call would have.
   */
  start(): Promise<void> {
    const refusal = this.#closing === undefined ? this.#pauseRefusal() : closed(this.name);
    if (refusal !== undefined) return Promise.reject(refusal);
    if (this.#phase === "up") return Promise.resolve();
    const started = new Promise<void>((resolve, reject) => {
      this.#starters.push({ resolve, reject });
      this.#advance();
    });
    // The worker does not keep this process alive; a caller that waits for the start does.
    const waits = setInterval(() => {}, 1_000);
    return started.finally(() => clearInterval(waits));
  }

  invoke(method: string, request: JsonValue, { deadlineMs, signal }: SystemCall): Promise<JsonValue> {
    const text = this.#admit(method, request, deadlineMs, signal);
    if (text instanceof SystemFailure) return Promise.reject(text);
    const call: Call = new Call(method, text, {
      id: this.#nextId++,
      deadlineMs: Math.min(deadlineMs, this.#limits.deadlineMaxMs),
      signal,
      givenUp: (why) => this.#givenUp(call, why),
    });
    this.#waiting.add(call);
    this.#waitingBytes += call.bytes;
    this.#advance();
    return call.promise;
  }

  close(): Promise<void> {
    if (this.#closing !== undefined) return this.#closing;
    const process = this.#process;
    const ended = process === undefined ? Promise.resolve() : process.end(this.#limits.closeMs);
    this.#closing = ended;
    clearTimeout(this.#startTimer);
    this.#phase = process === undefined ? "stopped" : "ending";
    this.#failSent(() => closed(this.name));
    this.#failWaiting(() => closed(this.name));
    return ended;
  }

  // --- calls ---

  /** The request as text, or the failure of a call that cannot begin. */
  #admit(
    method: string,
    request: JsonValue,
    deadlineMs: number,
    signal: AbortSignal | undefined,
  ): string | SystemFailure {
    const { name } = this;
    const shown = shortened(method, methodLengthMax);
    const { inFlightMax, requestBytesMax, waitingBytesMax } = this.#limits;
    if (this.#closing !== undefined) return closed(name);
    if (signal?.aborted) return aborted(shown, signal);
    if (!(deadlineMs > 0)) return new SystemFailure("TIMEOUT", `${shown} was called with no time left`);
    if (this.#methods?.has(method) === false || method.length > methodLengthMax)
      return new SystemFailure("REFUSED", `${name} has no method ${shown}`, { code: "UNKNOWN_METHOD" });
    if (this.#waiting.size + this.#sent.size >= inFlightMax)
      return new SystemFailure("BUSY", `${inFlightMax} calls of ${name} are under way, which is its limit`);
    const pause = this.#pauseRefusal();
    if (pause !== undefined) return pause;
    let text: string | undefined;
    try {
      text = JSON.stringify(request);
    } catch (cause) {
      return new SystemFailure("REFUSED", `the request of ${shown} cannot be written as JSON`, {
        code: "BAD_REQUEST",
        cause,
      });
    }
    if (text === undefined)
      return new SystemFailure("REFUSED", `the request of ${shown} is not a JSON value`, {
        code: "BAD_REQUEST",
      });
    const bytes = Buffer.byteLength(text);
    if (bytes > requestBytesMax)
      return new SystemFailure(
        "TOO_LARGE",
        `the request of ${shown} has ${bytes} bytes, and ${requestBytesMax} are the limit`,
      );
    if (this.#waitingBytes + (this.#process?.unread ?? 0) + bytes > waitingBytesMax)
      return new SystemFailure(
        "BUSY",
        `${name} has too many requests to read: with this one, more than ${waitingBytesMax} bytes`,
      );
    return text;
  }

  #pauseRefusal(): SystemFailure | undefined {
    const leftMs = this.#notBeforeMs - performance.now();
    if (this.#phase !== "stopped" || leftMs <= 0) return undefined;
    return new SystemFailure(
      "BUSY",
      `${this.name} is started again in ${Math.ceil(leftMs)} ms at the earliest: ${this.#lastFailure}`,
    );
  }

  /** Advances the waiting calls: starts the worker, or sends it as many calls as it has room for. */
  #advance(): void {
    if (this.#closing !== undefined || (this.#waiting.size === 0 && this.#starters.length === 0)) return;
    if (this.#phase === "stopped") this.#startProcess();
    if (this.#phase !== "up") return;
    for (const call of this.#waiting) {
      if (this.#sent.size >= this.#sentMax || this.#process?.takesMore !== true) return;
      this.#removeWaiting(call);
      this.#send(call);
    }
  }

  #send(call: Call): void {
    const leftMs = Math.max(1, Math.ceil(call.deadlineMs - (performance.now() - call.startedMs)));
    this.#sent.set(call.id, call);
    // Counted from now: until now the call waited in the bridge, and the worker could not answer it.
    call.overdueFromMs = performance.now() + call.deadlineMs;
    this.#checkLater(call, call.deadlineMs + this.#limits.graceMs);
    this.#process?.write(callLine(call.id, call.method, leftMs, call.takeText()));
  }

  #removeWaiting(call: Call): void {
    if (this.#waiting.delete(call)) this.#waitingBytes -= call.bytes;
  }

  /** A call that is sent keeps its slot until its answer arrives, even after it is given up. */
  #givenUp(call: Call, why: "deadline" | "abort"): SystemFailure {
    this.#removeWaiting(call);
    if (why === "abort") return aborted(call.shown, call.signal);
    const where = this.#phase === "up" ? ", waiting behind others" : ", waiting for its worker to start";
    const late = `${call.shown} did not answer within ${call.deadlineMs} ms`;
    return new SystemFailure("TIMEOUT", this.#sent.has(call.id) ? late : `${late}${where}`);
  }

  /** Removes a sent call whose answer has arrived, in full or too large to keep. */
  #takeSent(id: number): Call | undefined {
    const call = this.#sent.get(id);
    if (call === undefined) return undefined;
    this.#lastAnswerMs = performance.now();
    clearTimeout(call.killTimer);
    this.#sent.delete(id);
    return call;
  }

  #failSent(failure: (call: Call) => SystemFailure): void {
    for (const call of this.#sent.values()) {
      clearTimeout(call.killTimer);
      call.fail(failure(call));
    }
    this.#sent.clear();
  }

  #failWaiting(failure: () => SystemFailure): void {
    for (const call of this.#waiting) call.fail(failure());
    this.#waiting.clear();
    this.#waitingBytes = 0;
    for (const { reject } of this.#starters.splice(0)) reject(failure());
  }

  // --- the process ---

  #startProcess(): void {
    const { command, cwd, inheritEnv, env, methods, readOnly = false, client = "pnl-bridge" } = this.#options;
    const { answerBytesMax, startMs } = this.#limits;
    this.#phase = "starting";
    this.#counters.starts += 1;
    const process = new WorkerProcess(
      { command, cwd, env: { ...childEnvironment(inheritEnv), ...env }, answerBytesMax, log: this.#log },
      {
        line: (line) => this.#line(process, line),
        tooLong: (head) => this.#tooLong(process, head),
        tooLongEnd: (head, tail, bytes) => this.#tooLongEnd(process, head, tail, bytes),
        drained: () => this.#advance(),
        gone: (how) => this.#gone(process, how),
      },
    );
    this.#process = process;
    this.#startTimer = setTimeout(
      () => this.#kill(`it did not answer initialize within ${startMs} ms`),
      startMs,
    );
    this.#startTimer.unref();
    process.write(initializeLine({ readOnly, client, answerBytesMax, methods }));
  }

  #line(process: WorkerProcess, line: Buffer): void {
    // The calls of a worker that is ending have already failed.
    if (process !== this.#process || this.#phase === "ending" || line.length === 0) return;
    if (!this.#read(process, line)) process.countUselessLine(line.length);
  }

  /** Handles a line; false if it was not an answer to an open call. */
  #read(process: WorkerProcess, line: Buffer): boolean {
    const message = readMessage(line);
    if (message.kind === "garbage") return this.#garbage(line, message.why);
    if (message.id === initializeId && this.#phase === "starting") return this.#introduced(process, message);
    return this.#answered(message);
  }

  #answered(message: MessageToUs): boolean {
    const call = this.#takeSent(message.id);
    if (call === undefined) {
      this.#counters.unknown += 1;
      return false;
    }
    if (call.isSettled) this.#counters.late += 1;
    if (message.kind === "answer") call.answer(message.result);
    else if (message.kind === "failure") call.fail(message.failure);
    else
      call.fail(new SystemFailure("GARBLED", `the answer of ${call.shown} cannot be read: ${message.why}`));
    this.#advance();
    return true;
  }

  #introduced(process: WorkerProcess, message: MessageToUs): true {
    const said =
      message.kind === "answer"
        ? readIntroduction(message.result)
        : message.kind === "failure"
          ? `it refused to start: ${message.failure.message}`
          : `its answer to initialize cannot be read: ${message.why}`;
    if (typeof said === "string") {
      this.#kill(said);
      return true;
    }
    clearTimeout(this.#startTimer);
    this.#phase = "up";
    this.#upSinceMs = performance.now();
    this.#methods = said.methods;
    this.#found = said.found;
    this.#sentMax = Math.min(this.#limits.sentMax, said.concurrency ?? this.#limits.sentMax);
    const name = said.name === "" ? "without a name" : `as ${said.name}`;
    const methods = said.methods === undefined ? "" : `, with ${said.methods.size} methods`;
    this.#log.write(`${this.name}: worker ${process.pid} is up ${name}${methods}`, "bridge");
    for (const { resolve } of this.#starters.splice(0)) resolve();
    this.#advance();
    return true;
  }

  #garbage(line: Buffer, why: string): false {
    this.#counters.garbage += 1;
    // In a flood, most lines are only counted.
    const text = this.#log.isFull() ? "" : line.subarray(0, 4 * this.#limits.logLineLengthMax).toString();
    this.#log.write(text, "stdout");
    if (this.#counters.garbage === 1)
      this.#log.write(
        `${this.name}: a line on the worker's stdout is not a message: ${why}; ` +
          "the worker must print to stderr",
        "bridge",
      );
    return false;
  }

  #tooLong(process: WorkerProcess, head: Buffer): void {
    if (process !== this.#process || this.#phase === "ending") return;
    this.#counters.tooLong += 1;
    const id = idOfPieces(head, noTail);
    // The call keeps its slot until the end of the line arrives, so that a worker that writes without end
    // counts as hung.
    if (id !== undefined) this.#failTooLarge(this.#sent.get(id));
  }

  #tooLongEnd(process: WorkerProcess, head: Buffer, tail: Buffer, bytes: number): void {
    if (process !== this.#process || this.#phase === "ending") return;
    const id = idOfPieces(head, tail);
    this.#log.write(`${this.name}: a line of ${bytes} bytes on the worker's stdout was discarded`, "bridge");
    if (id === undefined) return;
    this.#failTooLarge(this.#takeSent(id));
    this.#advance();
  }

  #failTooLarge(call: Call | undefined): void {
    const limit = this.#limits.answerBytesMax;
    call?.fail(new SystemFailure("TOO_LARGE", `the answer of ${call.shown} has more than ${limit} bytes`));
  }

  #checkLater(call: Call, afterMs: number): void {
    // If this process's event loop was blocked, the answer may already be in the pipe: read it before judging
    // the worker.
    call.killTimer = setTimeout(() => setImmediate(() => this.#checkOverdue(call)), afterMs);
    call.killTimer.unref();
  }

  #checkOverdue(call: Call): void {
    if (this.#sent.get(call.id) !== call) return;
    const { graceMs, overdueMaxMs } = this.#limits;
    const nowMs = performance.now();
    const overdueMs = nowMs - call.overdueFromMs;
    if (nowMs - this.#lastAnswerMs < graceMs && overdueMs < overdueMaxMs) this.#checkLater(call, graceMs);
    else
      this.#kill(
        `it hung: ${call.shown} was not answered within ${call.deadlineMs} + ${Math.floor(overdueMs)} ms`,
      );
  }

  #kill(because: string): void {
    if (this.#phase !== "starting" && this.#phase !== "up") return;
    this.#counters.kills += 1;
    this.#log.write(`${this.name}: worker ${this.#process?.pid} is killed: ${because}`, "bridge");
    this.#down(because);
    this.#process?.kill(because);
  }

  /**
   * Fails the sent calls of a worker that will not answer any more, and sets the pause before the next start.
   */
  #down(how: string): void {
    const wasUp = this.#phase === "up";
    if (!wasUp && this.#phase !== "starting") return;
    clearTimeout(this.#startTimer);
    this.#phase = "ending";
    const nowMs = performance.now();
    if (wasUp && nowMs - this.#upSinceMs >= this.#limits.steadyMs) this.#failures = 0;
    this.#failures += 1;
    this.#lastFailure = how;
    const { pauseMs, pauseMaxMs } = this.#limits;
    const isFirst = wasUp && this.#failures === 1;
    this.#notBeforeMs = isFirst
      ? nowMs
      : nowMs + backOffMs({ firstMs: pauseMs, lastMs: pauseMaxMs }, this.#failures);
    this.#failSent(({ shown }) => new SystemFailure("DOWN", `${this.name} stopped during ${shown}: ${how}`));
    if (!wasUp) this.#failWaiting(() => new SystemFailure("DOWN", `${this.name} did not start: ${how}`));
  }

  #gone(process: WorkerProcess, how: string): void {
    if (process !== this.#process) return;
    this.#log.write(`${this.name}: worker ${process.pid ?? "(none)"} has stopped: ${how}`, "bridge");
    this.#down(how);
    this.#process = undefined;
    this.#phase = "stopped";
    const pause = this.#pauseRefusal();
    if (pause !== undefined) this.#failWaiting(() => pause);
    this.#advance();
  }
}

interface Starter {
  readonly resolve: () => void;
  readonly reject: (failure: SystemFailure) => void;
}

interface CallOptions extends PendingOptions {
  readonly id: number;
}

class Call extends Pending<JsonValue> {
  readonly id: number;
  readonly method: string;
  readonly bytes: number;
  readonly deadlineMs: number;
  readonly signal: AbortSignal | undefined;
  readonly startedMs = performance.now();
  /** The method's name as shown in messages. */
  readonly shown: string;
  /** Monotonic time at which the worker should have answered. */
  overdueFromMs = 0;
  killTimer: NodeJS.Timeout | undefined;
  #text: string;

  constructor(method: string, text: string, options: CallOptions) {
    super(options);
    this.id = options.id;
    this.method = method;
    this.shown = shortened(method, methodLengthMax);
    this.#text = text;
    this.bytes = Buffer.byteLength(text);
    this.deadlineMs = options.deadlineMs;
    this.signal = options.signal;
  }

  /** Returns the request and releases it here, so that its text is not kept while the worker has it. */
  takeText(): string {
    const text = this.#text;
    this.#text = "";
    return text;
  }
}

const closed = (name: string): SystemFailure => new SystemFailure("DOWN", `${name} has been closed`);

const aborted = (shown: string, signal: AbortSignal | undefined): SystemFailure =>
  new SystemFailure("TIMEOUT", `the caller aborted the call of ${shown}`, { cause: signal?.reason });

function limitsOf(options: CommandOptions): CommandLimits {
  const given = Object.entries(options).filter(
    ([name, value]) => name in commandDefaults && value !== undefined,
  );
  const limits: CommandLimits = { ...commandDefaults, ...Object.fromEntries(given) };
  // A timer accepts at most 2^31 - 1 ms.
  return Object.freeze({ ...limits, deadlineMaxMs: Math.min(limits.deadlineMaxMs, 2 ** 30) });
}
