/**
 * A desk of real processes over a real control store, for simulations and measurements. Its systems are two
 * modules that name themselves in their answers, its writes go to files, and the reports of its processes are
 * kept.
 */
import { type ChildProcess, spawn } from "node:child_process";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type OperatorSession, openOperator } from "../../../src/app/control/session.ts";
import { type Config, loadConfig } from "../../../src/config/index.ts";
import { runSql } from "../../../src/testing/sqlite-files.ts";
import { until } from "../../../src/testing/until.ts";
import { bundled } from "../../bundled.ts";
import type { DeskProcessOptions } from "./desk-process.ts";

const program = bundled("test/simulation/desk/desk-process");
/** The cache of compiled sources; compiling is half the cost of starting a process. */
const cache = fileURLToPath(new URL("../../../node_modules/.cache/desk", import.meta.url));

export interface Read {
  readonly began: number;
  readonly ended: number;
  readonly epoch: number;
  readonly source: string;
  readonly stale: boolean;
  readonly fellBack: string | null;
  /** The name that the answering system has put into its answer. */
  readonly by: string;
  /** The accepted writes that the answering system had not received. */
  readonly missing: number;
}
export interface Write {
  readonly began: number;
  readonly at: number;
  readonly epoch: number;
  readonly side: string;
  readonly id: string;
}
export interface Refusal {
  readonly began: number;
  readonly at: number;
  readonly code: string;
}
export interface Event {
  readonly at: number;
  readonly kind: string;
  readonly what: string;
}

/** The monotonic clock that the processes use as well. */
export const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;

export class DeskProcess {
  readonly name: string;
  readonly reads: Read[] = [];
  readonly writes: Write[] = [];
  readonly refused: Refusal[] = [];
  readonly events: Event[] = [];
  /** Failures that must not occur: a read without an answer, a line on standard error. */
  readonly faults: string[] = [];
  readonly closed: Promise<number | null>;
  readonly #child: ChildProcess;
  #isReady = false;
  #hasEnded = false;
  #onReady: () => void = () => {};

  constructor(name: string, options: DeskProcessOptions) {
    this.name = name;
    const how = ["--disable-warning=ExperimentalWarning", program, JSON.stringify(options)];
    this.#child = spawn(process.execPath, how, {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, NODE_COMPILE_CACHE: cache },
    });
    const { stdin, stdout, stderr } = this.#child;
    if (stdin === null || stdout === null || stderr === null)
      throw new Error("the process has no input or output");
    stdin.on("error", () => {});
    createInterface({ input: stdout }).on("line", (line) => this.#onReport(JSON.parse(line)));
    createInterface({ input: stderr }).on("line", (line) => void this.faults.push(line));
    this.closed = new Promise((resolve) =>
      this.#child.on("close", (code) => {
        this.#hasEnded = true;
        this.#onReady();
        resolve(code);
      }),
    );
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Resolves when the process serves; rejects if it ends before. */
  async ready(): Promise<this> {
    if (!this.#isReady && !this.#hasEnded)
      await new Promise<void>((resolve) => {
        this.#onReady = resolve;
      });
    if (!this.#isReady) throw new Error(`${this.name} has ended: ${this.faults.join("\n")}`);
    return this;
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.closed;
  }

  stop(): void {
    this.#child.kill("SIGSTOP");
  }

  resume(): void {
    this.#child.kill("SIGCONT");
  }

  setClock(offMs: number): void {
    this.#child.stdin?.write(`clock ${offMs}\n`);
  }

  /** Ends the process in an orderly way. */
  async end(): Promise<number | null> {
    this.#child.stdin?.end();
    return this.closed;
  }

  #onReport([kind, ...rest]: readonly [string, ...unknown[]]): void {
    const at = (index: number): never => rest[index] as never;
    if (kind === "read") {
      const [began, ended, epoch, source] = [at(0), at(1), at(2), at(3)];
      this.reads.push({
        began,
        ended,
        epoch,
        source,
        stale: at(4),
        fellBack: at(5),
        by: at(6),
        missing: at(7),
      });
    } else if (kind === "write")
      this.writes.push({ began: at(0), at: at(1), epoch: at(2), side: at(3), id: at(4) });
    else if (kind === "refused") this.refused.push({ began: at(0), at: at(1), code: at(2) });
    else if (kind === "event") this.events.push({ at: at(0), kind: at(1), what: at(2) });
    else if (kind === "failed") this.faults.push(`a read failed: ${rest[2]}`);
    else if (kind === "ready") {
      this.#isReady = true;
      this.#onReady();
    }
  }
}

export interface DeskOptions {
  /** Default: `sqlite:./state/control.db`. */
  readonly control?: string;
  readonly phase?: string;
  readonly percentage?: number;
  readonly triggers?: object;
  readonly timing?: object;
  /** The time between two calls of a process. Default 5. */
  readonly everyMs?: number;
  /** Default: a new folder for temporary files. */
  readonly folder?: string;
}

const deskTiming = { heartbeat_ms: 200, poll_ms: 200, stale_ms: 1_000, lease_ms: 3_000 };
const flags = { use_new_calculator: true, use_new_storage: true, use_new_reports: true };
export const by = { actor: "amy", reason: "a test" };

export class Desk implements AsyncDisposable {
  readonly folder: string;
  readonly processes: DeskProcess[] = [];
  readonly #options: DeskOptions;
  readonly #sessions: OperatorSession[] = [];

  constructor(options: DeskOptions = {}) {
    this.#options = options;
    this.folder = options.folder ?? mkdtempSync(join(tmpdir(), "pnl-bridge-desk-"));
    mkdirSync(join(this.folder, "state"), { recursive: true });
    const module = (side: string): string => `import { statSync } from "node:fs";
      import { setTimeout as sleep } from "node:timers/promises";
      const size = (name) => statSync(new URL(name, import.meta.url), { throwIfNoEntry: false })?.size ?? 0;
      export default { totals: async () => {
        const missing = ${side === "modern" ? "0" : `(size("./to-legacy") - size("./carried")) / 24`};
        await sleep(1 + Math.random() * 3);
        return { totals: {}, by: "${side}", missing };
      } };`;
    for (const side of ["legacy", "modern"]) writeFileSync(join(this.folder, `${side}.mjs`), module(side));
  }

  get state(): string {
    return join(this.folder, "state");
  }

  get controlFile(): string {
    return join(this.state, "control.db");
  }

  /** Writes the configuration file of a process and returns its path. */
  configFile(name: string): string {
    const {
      control = "sqlite:./state/control.db",
      phase = "shadow_mode",
      percentage = 0,
      triggers = {},
      timing,
    } = this.#options;
    const path = join(this.folder, `${name}.yaml`);
    const config = {
      migration: {
        phase,
        feature_flags: flags,
        traffic_routing: { new_system_percentage: percentage },
        triggers,
      },
      systems: {
        legacy: { kind: "module", path: "./legacy.mjs" },
        modern: { kind: "module", path: "./modern.mjs" },
      },
      gates: { profile: "trial" },
      stores: { control },
      control: { instance: name, ...deskTiming, ...timing },
    };
    writeFileSync(path, JSON.stringify(config));
    return path;
  }

  /** Begins a process; its `ready` resolves when it serves. */
  begin(name: string, options: Partial<DeskProcessOptions> = {}): DeskProcess {
    const process = new DeskProcess(name, {
      config: this.configFile(name),
      everyMs: this.#options.everyMs ?? 5,
      writes: false,
      clockOffMs: 0,
      ...options,
    });
    this.processes.push(process);
    return process;
  }

  async start(
    names: readonly string[],
    options: Partial<DeskProcessOptions> = {},
  ): Promise<readonly DeskProcess[]> {
    return Promise.all(names.map((name) => this.begin(name, options).ready()));
  }

  config(): Promise<Config> {
    return loadConfig(this.configFile("operator"));
  }

  /** Opens a session as a command does. */
  async operator(): Promise<OperatorSession> {
    const session = await openOperator({ config: await this.config(), folder: this.folder });
    this.#sessions.push(session);
    return session;
  }

  sql(statement: string): void {
    runSql(this.controlFile, statement);
  }

  /** Advances to a phase, with the approvals that it needs, as soon as its gates are open. */
  async advanceTo(phase: string, { operator }: OperatorSession): Promise<void> {
    await until(async () => {
      const { effective } = await operator.overview();
      if (effective.plan.phase === phase) return true;
      await operator.signOff("approved", { actor: "bob", note: "looked at it" });
      await operator.move({ kind: "advance" }, by).catch(ignoreConflict);
      return false;
    });
  }

  /** The writes that modern has and legacy lacks. */
  get owed(): number {
    const sizeOf = (name: string): number =>
      statSync(join(this.folder, name), { throwIfNoEntry: false })?.size ?? 0;
    return (sizeOf("to-legacy") - sizeOf("carried")) / 24;
  }

  /** Carries some or all of modern's writes over to legacy. Returns their number. */
  carry(writesMax = Number.POSITIVE_INFINITY): number {
    const [from, to] = [join(this.folder, "to-legacy"), join(this.folder, "carried")];
    if (!existsSync(from)) return 0;
    const done = statSync(to, { throwIfNoEntry: false })?.size ?? 0;
    const bytes = readFileSync(from)
      .subarray(done)
      .subarray(0, 24 * Math.min(writesMax, 1_000_000));
    if (bytes.length > 0) {
      appendFileSync(join(this.folder, "legacy-ledger"), bytes);
      appendFileSync(to, bytes);
    }
    return bytes.length / 24;
  }

  ledger(side: "legacy" | "modern"): readonly string[] {
    const path = join(this.folder, `${side}-ledger`);
    if (!existsSync(path)) return [];
    return readFileSync(path, "utf8")
      .split("\n")
      .slice(0, -1)
      .map((line) => line.trim());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.processes.map((process) => process.kill()));
    await Promise.allSettled(this.#sessions.map((session) => session.close()));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function ignoreConflict(failure: unknown): undefined {
  if ((failure as { readonly code?: string }).code !== "CONFLICT") throw failure;
}
