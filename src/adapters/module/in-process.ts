import { SystemFailure } from "../../domain/migration/system-failure.ts";
import type { JsonValue, SystemCall } from "../../ports/system.ts";
import { foreignError, methodText, noSuchMethod, refusal } from "./foreign-error.ts";
import { type AnswerLimits, jsonAnswer, jsonCopy } from "./json-values.ts";
import type { LoadedModule } from "./loading.ts";
import { Waiting } from "./waiting.ts";

export interface InProcessOptions extends AnswerLimits {
  readonly name: string;
  readonly inFlightMax: number;
}

/**
 * Calls a module's methods in this process and thread. A deadline ends the waiting, not the work: nothing can stop a function, so
 * one that computes delays everybody, and one that never settles holds its memory. The thread (`module-thread.ts`) has neither
 * fault.
 */
export class InProcessModule {
  readonly #options: InProcessOptions;
  readonly #load: () => Promise<LoadedModule>;
  #loading: Promise<LoadedModule> | undefined;
  #loaded: LoadedModule | undefined;
  #names: ReadonlySet<string> | undefined;
  readonly #waiting = new Set<Waiting<JsonValue>>();
  #closed = false;

  /** `module` is the service itself, or how to get it when it is first needed. */
  constructor(module: LoadedModule | (() => Promise<LoadedModule>), options: InProcessOptions) {
    this.#options = options;
    this.#load = typeof module === "function" ? module : async () => module;
    this.#loaded = typeof module === "function" ? undefined : module;
  }

  get methods(): ReadonlySet<string> | undefined {
    if (this.#loaded !== undefined) this.#names ??= new Set(this.#loaded.methods.keys());
    return this.#names;
  }

  /** Imports the module, if nobody has. Rejects with the reason; then each call fails with it. */
  async start(): Promise<void> {
    this.#loading ??= this.#load();
    try {
      this.#loaded = await this.#loading;
    } catch (failure) {
      throw new SystemFailure("DOWN", `${this.#options.name} cannot be loaded: ${foreignError(failure).message}`);
    }
  }

  call(method: string, args: readonly JsonValue[], call: SystemCall): Promise<JsonValue> {
    const { name, inFlightMax } = this.#options;
    if (this.#closed) return Promise.reject(new SystemFailure("DOWN", `${name} is closed`));
    if (this.#waiting.size >= inFlightMax)
      return Promise.reject(new SystemFailure("BUSY", `${name}: ${inFlightMax} calls are under way`));
    if (call.signal?.aborted)
      return Promise.reject(
        new SystemFailure("TIMEOUT", `${name}.${methodText(method)}: nobody waits for the answer any longer`),
      );
    const waiting = new Waiting<JsonValue>(`${name}.${methodText(method)}`, call, () => this.#waiting.delete(waiting));
    this.#waiting.add(waiting);
    void this.#run(method, args, waiting);
    return waiting.promise;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const waiting of this.#waiting) waiting.fail(new SystemFailure("DOWN", `${this.#options.name} was closed`));
    if (this.#loaded !== undefined) await this.#loaded.dispose();
    else this.#loading?.then(({ dispose }) => dispose()).catch(() => {});
  }

  /** Never rejects: the waiting is told. */
  async #run(method: string, args: readonly JsonValue[], waiting: Waiting<JsonValue>): Promise<void> {
    try {
      if (this.#loaded === undefined) await this.start();
      if (waiting.settled) return;
      const answer = await this.#answerOf(method, args);
      if (!waiting.settled) waiting.answer(jsonAnswer(answer, this.#options));
    } catch (failure) {
      waiting.fail(failure);
    }
  }

  async #answerOf(method: string, args: readonly JsonValue[]): Promise<unknown> {
    const run = this.#loaded?.methods.get(method);
    if (run === undefined) throw refusal(noSuchMethod, `${this.#options.name}.${methodText(method)}`);
    try {
      return await run(...args.map(jsonCopy));
    } catch (thrown) {
      throw refusal(foreignError(thrown), `${this.#options.name}.${method}`);
    }
  }
}
