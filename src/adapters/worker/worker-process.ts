/**
 * One child process from start to end. It leads a process group of its own, which is killed as a whole,
 * together with every process that it started. If this process ends in any way without closing it, the worker
 * sees the end of its stdin, and SIGTERM if there was time to send one. Two seconds later a guard, a shell
 * process that only waits for the end of this process, kills the group.
 *
 * The worker does not keep this process alive; the timer of a pending call does.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { codeOf } from "../../base/errors.ts";
import { BoundedLines } from "../../platform/bounded-lines.ts";
import type { LimitedLog } from "../../platform/limited-log.ts";
import { pieceBytes, shortened } from "./protocol.ts";
import { Throttle } from "./throttle.ts";

/**
 * The source of a log line: the worker's stderr; a line on its stdout that is not a message; the bridge's own
 * messages about the worker.
 */
export type LogSource = "stderr" | "stdout" | "bridge";

interface WorkerProcessOptions {
  readonly command: readonly string[];
  readonly cwd: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  readonly answerBytesMax: number;
  readonly log: LimitedLog<LogSource>;
}

interface WorkerProcessEvents {
  readonly line: (line: Buffer) => void;
  readonly tooLong: (head: Buffer) => void;
  readonly tooLongEnd: (head: Buffer, tail: Buffer, bytes: number) => void;
  /** The worker's stdin has room again. */
  readonly drained: () => void;
  /**
   * The last event, exactly once: the worker ended or could not be started. All its output has been
   * delivered.
   */
  readonly gone: (how: string) => void;
}

/** How long the output of an ended worker is still read if another process holds its pipes open. */
const pipesMaxMs = 300;
/** How long a worker that closed its stdin or stdout may take to end by itself. */
const closedPipeMaxMs = 200;
const stderrLineBytesMax = 8192;
/**
 * Read limits per tenth of a second: bytes of stderr; and lines on stdout that are not answers, where each
 * 500 bytes count as a further line.
 */
const stderrBytesMax = 2 ** 20;
const garbageMax = 2_000;

export class WorkerProcess {
  readonly #child: ChildProcess | undefined;
  readonly #guard: ChildProcess | undefined;
  readonly #events: WorkerProcessEvents;
  readonly #log: LimitedLog<LogSource>;
  readonly #gone: Promise<void>;
  #resolveGone: () => void = () => {};
  #garbage: Throttle | undefined;
  #how: string | undefined;
  #lastStderrLine = "";
  #killedBecause: string | undefined;

  constructor(options: WorkerProcessOptions, events: WorkerProcessEvents) {
    this.#events = events;
    this.#log = options.log;
    this.#gone = new Promise((resolve) => {
      this.#resolveGone = resolve;
    });
    const [program = "", ...args] = options.command;
    let child: ChildProcess;
    try {
      const { cwd, env } = options;
      child = spawn(program, args, {
        ...(cwd === undefined ? {} : { cwd }),
        env,
        detached: hasGroups,
        windowsHide: true,
      });
    } catch (error) {
      queueMicrotask(() => this.#end(`it cannot be started: ${reasonOf(error)}`));
      return;
    }
    this.#child = child;
    child.on("error", (error) => {
      if (child.pid === undefined) this.#end(`it cannot be started: ${reasonOf(error)}`);
    });
    child.on("exit", (code, signal) => this.#exited(child, code, signal));
    this.#listen(child, options.answerBytesMax);
    for (const handle of [child, child.stdin, child.stdout, child.stderr]) unref(handle);
    if (child.pid === undefined) return;
    this.#guard = guardOf(child.pid);
    live.add(child.pid);
    killAllAtExit();
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Bytes written to its stdin that it has not read yet. */
  get unread(): number {
    return this.#child?.stdin?.writableLength ?? 0;
  }

  /** Whether the worker is alive, as far as known, and its stdin has room. */
  get takesMore(): boolean {
    return this.#isRunning && this.#child?.stdin?.writableNeedDrain === false;
  }

  get #isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  write(line: string): void {
    this.#child?.stdin?.write(line);
  }

  /**
   * Counts a line that was not an answer, so that a flood of them slows the worker down and not the bridge.
   */
  countUselessLine(bytes: number): void {
    this.#garbage?.spend(1 + bytes / 500);
  }

  /** Kills the worker and every process of its group at once; the event `gone` follows. */
  kill(because: string): void {
    this.#killedBecause ??= because;
    this.#signal("SIGKILL");
  }

  /**
   * Ends the worker: closes its stdin, then sends SIGTERM, then SIGKILL. Each step follows if the worker has
   * not ended `graceMs` after the previous one. Resolves when it has ended.
   */
  async end(graceMs: number): Promise<void> {
    this.#child?.stdin?.end();
    if (await this.#goneWithin(graceMs)) return;
    this.#signal("SIGTERM");
    if (await this.#goneWithin(graceMs)) return;
    this.#signal("SIGKILL");
    // It takes longer only if the kernel cannot end the process.
    await this.#goneWithin(2_000);
  }

  async #goneWithin(ms: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
    });
    await Promise.race([this.#gone, late]);
    clearTimeout(timer);
    return this.#how !== undefined;
  }

  #listen({ stdin, stdout, stderr }: ChildProcess, answerBytesMax: number): void {
    const { line, tooLong, tooLongEnd, drained } = this.#events;
    const lines = new BoundedLines({
      bytesMax: answerBytesMax,
      pieceBytes,
      onLine: line,
      onTooLong: tooLong,
      onTooLongEnd: tooLongEnd,
    });
    this.#garbage = new Throttle(stdout, garbageMax);
    const errorsRead = new Throttle(stderr, stderrBytesMax);
    stdout?.on("data", (chunk: Buffer) => lines.push(chunk));
    stdout?.on("end", () => this.#pipeClosed("stdout"));
    stdin?.on("drain", drained);
    stdin?.on("error", () => this.#pipeClosed("stdin"));
    stdout?.on("error", () => {});
    stderr?.on("error", () => {});
    const say = (text: Buffer, cut = ""): void => {
      const words = text.toString().trimEnd();
      if (words === "") return;
      this.#lastStderrLine = words;
      this.#log.write(`${words}${cut}`, "stderr");
    };
    const errors = new BoundedLines({
      bytesMax: stderrLineBytesMax,
      pieceBytes: stderrLineBytesMax / 4,
      onLine: (text) => say(text),
      onTooLong: (head) => say(head, "…"),
      onTooLongEnd: () => {},
    });
    stderr?.on("data", (chunk: Buffer) => {
      errorsRead.spend(chunk.length);
      if (this.#log.isFull()) {
        errors.rest();
        this.#log.leaveOut(chunk.length);
      } else errors.push(chunk);
    });
    stderr?.on("end", () => say(errors.rest()));
  }

  /**
   * Gives a worker that closed a pipe a moment to end by itself; otherwise kills it, since it can never
   * answer again.
   */
  #pipeClosed(which: "stdin" | "stdout"): void {
    if (!this.#isRunning) return;
    setTimeout(() => {
      if (this.#isRunning) this.kill(`it closed its ${which}`);
    }, closedPipeMaxMs).unref();
  }

  #exited(child: ChildProcess, code: number | null, signal: NodeJS.Signals | null): void {
    // Kills the processes that the worker started and left behind.
    this.#signal("SIGKILL");
    const words =
      this.#killedBecause ??
      (signal === null ? `it ended with exit code ${code}` : `it was ended by ${signal}`);
    const end = () => this.#end(words);
    const tooLate = setTimeout(() => {
      child.stdout?.destroy();
      child.stderr?.destroy();
      end();
    }, pipesMaxMs);
    child.once("close", () => {
      clearTimeout(tooLate);
      end();
    });
  }

  #end(words: string): void {
    if (this.#how !== undefined) return;
    const last =
      this.#lastStderrLine === "" || this.#killedBecause !== undefined
        ? ""
        : `; its last line on stderr: ${shortened(this.#lastStderrLine, 200)}`;
    this.#how = `${words}${last}`;
    if (this.#child?.pid !== undefined) live.delete(this.#child.pid);
    this.#guard?.stdin?.end("done\n");
    this.#log.flush();
    this.#resolveGone();
    this.#events.gone(this.#how);
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.#child?.pid !== undefined && this.#how === undefined) signalGroup(this.#child.pid, signal);
  }
}

const hasGroups = process.platform !== "win32";

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(hasGroups ? -pid : pid, signal);
  } catch {
    // The group has already ended.
  }
}

/** Waits for a line or the end of its stdin. The end without a line means that this process has died. */
const guardScript = `read -r told || :
if [ "$told" = done ]; then exit 0; fi
tenths=0
while [ $tenths -lt 20 ] && kill -s 0 -- "-$1"; do
  sleep 0.1 || sleep 1
  tenths=$((tenths + 1))
done
kill -s KILL -- "-$1"`;

function guardOf(pid: number): ChildProcess | undefined {
  if (!hasGroups) return undefined;
  try {
    const guard = spawn("/bin/sh", ["-c", guardScript, "pnl-bridge-guard", String(pid)], {
      env: { PATH: "/usr/bin:/bin" },
      cwd: "/",
      detached: true,
      stdio: ["pipe", "ignore", "ignore"],
    });
    // Without a guard, a worker that ignores both the end of its stdin and SIGTERM may outlive this process.
    guard.on("error", () => {});
    guard.stdin.on("error", () => {});
    guard.unref();
    unref(guard.stdin);
    return guard;
  } catch {
    return undefined;
  }
}

/** Live process groups, which get SIGTERM when this process exits. */
const live = new Set<number>();
let hooked = false;

function killAllAtExit(): void {
  if (hooked) return;
  hooked = true;
  process.once("exit", () => {
    for (const pid of live) signalGroup(pid, "SIGTERM");
  });
}

/** Unrefs a pipe of a child, which is a socket although its type does not show that. */
function unref(handle: object | null): void {
  if (handle !== null && "unref" in handle && typeof handle.unref === "function") handle.unref();
}

function reasonOf(error: unknown): string {
  const code = codeOf(error);
  const path = error instanceof Error && "path" in error ? shortened(String(error.path), 200) : "";
  if (code === "ENOENT") return `there is no program ${path}, or no such working directory`;
  if (code === "EACCES") return `${path} may not be run`;
  return code === "" ? shortened(String(error)) : code;
}
