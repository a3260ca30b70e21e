/** The two systems of a rehearsal: each answers with its daily rows of the day that is played. */
import type { JsonValue } from "../../base/exact-json.ts";
import type { Side } from "../../domain/migration/phase.ts";
import { SystemFailure } from "../../domain/migration/system-failure.ts";
import type { ParityRow } from "../../ports/parity-report.ts";
import type { BridgedSystem } from "../../ports/system.ts";
import type { Random } from "../demo-desk/random.ts";
import type { SimulatedClock } from "./simulated-clock.ts";

type Row = Record<string, JsonValue>;

export class DaySystem implements BridgedSystem {
  readonly name: string;
  readonly kind = "builtin";
  /** The methods that a dashboard asks for. All but `dailyPnl` are refused. */
  readonly methods: ReadonlySet<string> = new Set(["dailyPnl", "totals", "openPositions", "tradeHistory"]);
  readonly #side: Side;
  readonly #clock: SimulatedClock;
  readonly #callMs: () => number;
  /** One failure for all refused calls, because a new one takes longer than the rest of the call. */
  readonly #refusal: SystemFailure;
  #daily: readonly Row[] = [];

  /** `callMs` returns the simulated time of the next call. */
  constructor(side: Side, name: string, clock: SimulatedClock, callMs: () => number) {
    this.#side = side;
    this.name = name;
    this.#clock = clock;
    this.#callMs = callMs;
    this.#refusal = new SystemFailure("REFUSED", `a history has only daily rows of ${name}`, {
      code: "UNKNOWN_METHOD",
    });
  }

  /** Sets the rows of the day. Rows with an accepted difference are left out, as by an exclusion. */
  show(rows: readonly ParityRow[], accepted: ReadonlySet<string>): void {
    const found = new Map<string, Row>();
    for (const row of rows) {
      if (row.explanation !== undefined && accepted.has(row.explanation)) continue;
      const { book, symbol, tradingDay = "" } = row.key;
      const id = `${tradingDay}\n${book ?? ""}\n${symbol}`;
      let shown = found.get(id);
      if (shown === undefined) {
        shown = { symbol, tradingDay, ...(book !== undefined && { book }) };
        found.set(id, shown);
      }
      if (row.field !== "row") shown[row.field] = row[this.#side];
      else if (row[this.#side] === "0") found.delete(id);
      else Object.assign(shown, row.present);
    }
    this.#daily = [...found.values()];
  }

  async invoke(method: string, request: JsonValue): Promise<JsonValue> {
    if (method !== "dailyPnl") throw this.#refusal;
    this.#clock.advance(this.#callMs());
    const book = typeof request === "object" && request !== null ? Reflect.get(request, "book") : undefined;
    return { daily: book === undefined ? this.#daily : this.#daily.filter((row) => row.book === book) };
  }

  async close(): Promise<void> {}
}

/** The nominal time of a call in milliseconds. */
const nominalMs = 20;
/**
 * The smallest difference in time for the whole history at which modern counts as slower; a smaller one is
 * noise.
 */
const noiseMs = 2_000;
/** The spread of the load that slows both systems, and of the load of each system alone. */
const [sharedSpread, ownSpread] = [0.25, 0.03];

/**
 * Simulated times of calls. If modern is a foreign system that takes at least two seconds longer for the
 * whole history than legacy, its calls take longer in the same ratio. Otherwise both are equally fast. Each
 * question has a load that slows both sides.
 */
export class CallTimes {
  readonly #random: Random;
  readonly ratio: number;
  #load = 1;

  constructor({ legacy = 0, modern = 0 }: Readonly<Partial<Record<Side, number>>>, random: Random) {
    this.#random = random;
    this.ratio = modern - legacy < noiseMs ? 1 : modern / Math.max(nominalMs, legacy);
  }

  /** Draws the load of the next call. */
  next(): void {
    this.#load = Math.exp(sharedSpread * this.#random.bell());
  }

  of(side: Side): number {
    const factor = side === "modern" ? this.ratio : 1;
    return nominalMs * factor * this.#load * Math.exp(ownSpread * this.#random.bell());
  }
}
