import { Worker } from "node:worker_threads";
import { type Candidate, interleaved, ratio } from "./measure.ts";
import { type BenchResult, milliseconds } from "./report.ts";

export const trades = 1_000_000;
export const symbols = 100;
const repetitions = 7;

/**
 * Measures FIFO lot matching of trades that are in memory, in the form that each candidate needs. The engine
 * is exact and keeps every match; the two loops keep none. All must give the same realized P&L. Each
 * candidate has a thread with a heap of its own, so that it does not pay for the garbage collection of
 * another. The candidates run in turn, never at the same time.
 */
export async function matching(): Promise<BenchResult> {
  const threads = {
    engine: new Thread("engine"),
    floats: new Thread("floats"),
    decimals: new Thread("decimals"),
  };
  try {
    const candidate = (thread: Thread): Candidate => ({
      prepare: () => thread.collect(),
      run: () => thread.run(),
    });
    const times = await interleaved(
      {
        engine: candidate(threads.engine),
        floats: candidate(threads.floats),
        decimals: candidate(threads.decimals),
      },
      repetitions,
    );
    // Floats hold prices in 64ths and whole quantities exactly, so all three must agree to the last digit.
    const answers = Object.values(threads).map(({ answer }) => answer);
    if (new Set(answers).size !== 1)
      throw new Error(`the three candidates differ in the realized P&L: ${answers.join(", ")}`);
    return {
      name: "matching",
      what: `${trades / 1e6} M trades in ${symbols} symbols, FIFO, median of ${repetitions}`,
      rows: [
        { case: "engine, exact, matches kept", measured: milliseconds(times.engine.medianMs) },
        {
          case: "float loop, no matches kept",
          measured: milliseconds(times.floats.medianMs),
          ratio: ratio(times.floats, times.engine),
          against: "engine",
          target: { atLeast: 1 },
        },
        {
          case: "decimal.js loop, no matches kept",
          measured: milliseconds(times.decimals.medianMs),
          ratio: ratio(times.decimals, times.engine),
          against: "engine",
          target: { atLeast: 10 },
        },
      ],
    };
  } finally {
    await Promise.all(Object.values(threads).map((thread) => thread.end()));
  }
}

export type Way = "engine" | "floats" | "decimals";
export type Order = "collect" | "run";

class Thread {
  /** The realized P&L of the last run. */
  answer = Number.NaN;
  readonly #worker: Worker;

  constructor(way: Way) {
    this.#worker = new Worker(new URL("matching-thread.ts", import.meta.url), { workerData: way });
  }

  collect(): Promise<void> {
    return this.#ask("collect");
  }

  /** Returns the time in milliseconds, as the thread measured it. */
  async run(): Promise<number> {
    const { answer, ms } = await this.#ask<{ answer: number; ms: number }>("run");
    this.answer = answer;
    return ms;
  }

  end(): Promise<number> {
    return this.#worker.terminate();
  }

  #ask<T>(order: Order): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#worker.once("error", reject);
      this.#worker.once("message", (answer: T) => {
        this.#worker.off("error", reject);
        resolve(answer);
      });
      this.#worker.postMessage(order);
    });
  }
}
