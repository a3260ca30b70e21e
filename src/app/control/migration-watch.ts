import { systemClock } from "../../adapters/host/index.ts";
import { type GateReport, metricsOf, type Operator } from "../../control/index.ts";
import type { MigrationMetrics } from "../../ports/migration-report.ts";

interface MigrationState {
  readonly gates: GateReport;
  /** Null if there is no evidence, or if it cannot be read. */
  readonly metrics: MigrationMetrics | null;
  /** The monotonic time at which they were read. */
  readonly readMs: number;
}

/** A state that is younger than this is not read again. */
const freshMs = 10_000;
/** A scrape waits this long for a new state, so that a store that hangs does not hide the other signals. */
const waitMs = 1_000;

/**
 * Reads the gates and the metrics for scrapes, from tallies and lane days and never from single comparisons.
 */
export class MigrationWatch {
  readonly #operator: () => Operator;
  #latest: MigrationState | undefined;
  #reading: Promise<void> | undefined;

  constructor(operator: () => Operator) {
    this.#operator = operator;
  }

  /** The last state; undefined if the last attempt to read it failed. */
  get latest(): MigrationState | undefined {
    return this.#latest;
  }

  /** The age of the last state in milliseconds. */
  get ageMs(): number | undefined {
    return this.#latest && systemClock.monotonicMs() - this.#latest.readMs;
  }

  /** Begins to read the state unless it is fresh. Resolves when it is read, or after a second. */
  async refresh(): Promise<void> {
    if ((this.ageMs ?? freshMs) < freshMs) return;
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    const { promise: waited, resolve } = Promise.withResolvers<void>();
    const stop = systemClock.every(waitMs, resolve);
    await Promise.race([this.#reading, waited]).finally(stop);
  }

  async #read(): Promise<void> {
    try {
      const operator = this.#operator();
      const overview = await operator.overview();
      const gates = await operator.gates(undefined, overview, false);
      const facts = await operator.evidence(overview);
      const metrics = typeof facts === "object" ? metricsOf(facts) : null;
      this.#latest = { gates, metrics, readMs: systemClock.monotonicMs() };
    } catch {
      this.#latest = undefined;
    }
  }
}
