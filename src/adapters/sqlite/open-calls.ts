import { BridgeError } from "../../base/errors.ts";

/** The calls under way of a store that may be closed: what was called before close is still done, what comes after it is refused. */
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

  /** Ends once, however often it is called. */
  close(end: () => Promise<void>): Promise<void> {
    this.#closed ??= Promise.allSettled(this.#running).then(end);
    return this.#closed;
  }
}
