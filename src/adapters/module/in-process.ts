import { SystemFailure } from "../../domain/migration/system-failure.ts";
import { Pending } from "../../platform/pending.ts";
import type { JsonValue, SystemCall } from "../../ports/system.ts";
import { foreignError, givenUpFailure, methodText, noSuchMethod, refusal } from "./foreign-error.ts";
import { type AnswerLimits, jsonAnswer, jsonCopy } from "./json-values.ts";
import type { LoadedModule } from "./loading.ts";

interface InProcessOptions extends AnswerLimits {
  readonly name: string;
  readonly inFlightMax: number;
}

/**
 * Calls a module's methods in this process and thread. A deadline ends the waiting, not the work: nothing can
 * stop a function, so a long computation blocks the event loop, and a call that never settles keeps its
 * memory. A module in a thread (`module-thread.ts`) has neither drawback.
 */
export class InProcessModule {
  readonly #options: InProcessOptions;
  readonly #load: () => Promise<LoadedModule>;
  #loading: Promise<LoadedModule> | undefined;
  #loaded: LoadedModule | undefined;
  #names: ReadonlySet<string> | undefined;
  readonly #waiting = new Set<Pending<JsonValue>>();
  #closed = false;

  /** `module` is the loaded module, or a function that loads it at the first call. */
  constructor(module: LoadedModule | (() => Promise<LoadedModule>), options: InProcessOptions) {
    this.#options = options;
    this.#load = typeof module === "function" ? module : async () => module;
    this.#loaded = typeof module === "function" ? undefined : module;
  }

  get methods(): ReadonlySet<string> | undefined {
    if (this.#loaded !== undefined) this.#names ??= new Set(this.#loaded.methods.keys());
    return this.#names;
  }

  get found(): LoadedModule["found"] | undefined {
    return this.#loaded?.found;
  }

  /** Imports the module once. If that fails, this and every later call reject with the reason. */
  async start(): Promise<void> {
    this.#loading ??= this.#load();
    try {
      this.#loaded = await this.#loading;
    } catch (failure) {
      throw new SystemFailure(
        "DOWN",
        `${this.#options.name} cannot be loaded: ${foreignError(failure).message}`,
      );
    }
  }

  call(method: string, args: readonly JsonValue[], call: SystemCall): Promise<JsonValue> {
    const { name, inFlightMax } = this.#options;
    const { deadlineMs, signal } = call;
    const givenUp = givenUpFailure(`${name}.${methodText(method)}`, call);
    if (this.#closed) return Promise.reject(new SystemFailure("DOWN", `${name} is closed`));
    if (this.#waiting.size >= inFlightMax)
      return Promise.reject(
        new SystemFailure("BUSY", `${inFlightMax} calls of ${name} are under way, which is its limit`),
      );
    if (signal?.aborted) return Promise.reject(givenUp("abort"));
    const onSettled = (): void => void this.#waiting.delete(pending);
    const pending = new Pending<JsonValue>({ deadlineMs, signal, givenUp, onSettled });
    this.#waiting.add(pending);
    void this.#run(method, args, pending);
    return pending.promise;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const pending of this.#waiting)
      pending.fail(new SystemFailure("DOWN", `${this.#options.name} was closed`));
    if (this.#loaded !== undefined) await this.#loaded.dispose();
    else this.#loading?.then(({ dispose }) => dispose()).catch(() => {});
  }

  /** Runs the method and settles `pending`; never rejects itself. */
  async #run(method: string, args: readonly JsonValue[], pending: Pending<JsonValue>): Promise<void> {
    try {
      if (this.#loaded === undefined) await this.start();
      if (pending.isSettled) return;
      const answer = await this.#answerOf(method, args);
      if (!pending.isSettled) pending.answer(jsonAnswer(answer, this.#options));
    } catch (failure) {
      pending.fail(failure);
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
