import { BridgeError } from "../../base/errors.ts";

/** The calls in progress of a store. `close` waits for them, and every later call is refused. */
export class OpenCalls {
  readonly #name: string;
  readonly #running = new Set<Promise<unknown>>();
  #closed: Promise<void> | undefined;

  constructor(name: string) {
    this.#name = name;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed !== undefined) throw new BridgeError("INTERNAL", { what: `${this.#name} is closed` });
    const running = work();
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }

  /** Runs `end` once, after the calls in progress. Later calls return the same promise. */
  close(end: () => Promise<void>): Promise<void> {
    this.#closed ??= Promise.allSettled(this.#running).then(end);
    return this.#closed;
  }
}
