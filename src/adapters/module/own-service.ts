import { SystemFailure } from "../../domain/migration/system-failure.ts";
import type { JsonValue } from "../../ports/system.ts";
import { foreignError, methodText, noSuchMethod, refusal } from "./foreign-error.ts";
import type { LoadedModule } from "./loading.ts";

/**
 * Calls a service of this program, in this thread. Such a service is known to change no request, to answer
 * with JSON that it does not share, and to settle. Therefore nothing is copied or timed, and a call costs
 * little more than the method itself. The caller watches the deadline.
 */
export class OwnService {
  readonly #name: string;
  readonly #methods: LoadedModule["methods"];
  readonly methods: ReadonlySet<string>;
  #closed = false;

  readonly found: LoadedModule["found"];

  constructor(
    { methods, found }: Pick<LoadedModule, "methods" | "found">,
    { name }: { readonly name: string },
  ) {
    this.#name = name;
    this.#methods = methods;
    this.found = found;
    this.methods = new Set(methods.keys());
  }

  async start(): Promise<void> {}

  async call(method: string, args: readonly JsonValue[]): Promise<unknown> {
    if (this.#closed) throw new SystemFailure("DOWN", `${this.#name} is closed`);
    const run = this.#methods.get(method);
    if (run === undefined) throw refusal(noSuchMethod, `${this.#name}.${methodText(method)}`);
    try {
      return await run(...args);
    } catch (thrown) {
      const blamesRequest = (thrown as { readonly blamesRequest?: boolean } | null)?.blamesRequest === true;
      throw refusal(foreignError(thrown), `${this.#name}.${method}`, blamesRequest ? { blamesRequest } : {});
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
  }
}
