/**
 * A night of shadowed calls with a misbehaving modern side. It answers wrong, throws (even the number 0),
 * rejects, hangs, answers or rejects after the deadline, keeps its inputs, and listens to signals for ever.
 * Callbacks and the evidence store fail now and then, plans change, and calls come in bursts. In shadow_mode
 * every caller must get the right answer. In every phase every comparison must be accounted for, no rejection
 * may be unhandled, and the heap must not grow. Random choices come from the seed; the interleaving of calls
 * and timers depends on the machine.
 */

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { systemClock } from "../../src/adapters/host/index.ts";
import { type Random, randomFrom } from "../../src/app/demo-desk/random.ts";
import { bridgeServices, currentCall, type MethodCounters } from "../../src/bridges/service/index.ts";
import type { PlanInput } from "../../src/domain/migration/plan.ts";
import type { EvidenceStore } from "../../src/ports/evidence.ts";
import { MemoryTallies } from "../../src/testing/memory-tallies.ts";

export interface NightReport {
  readonly calls: number;
  readonly ms: number;
  readonly counters: Readonly<Record<string, MethodCounters>>;
  /** Calls in shadow_mode whose caller did not get legacy's answer. */
  readonly wrong: number;
  readonly unhandled: number;
  readonly inFlightPeak: number;
  readonly samples: number;
  /**
   * Bytes of the heap after each quarter of the calls, measured after a garbage collection, without the
   * values that modern keeps.
   */
  readonly heapBytes: readonly number[];
  /** The number of listeners, inputs and promises that modern kept. */
  readonly kept: number;
}

interface Request {
  readonly id: number;
  readonly book: string;
  readonly trades: number[];
}
interface Answer {
  readonly id: number;
  readonly pnl: number;
}
interface Desk {
  totals(request: Request): Promise<Answer>;
  positions(request: Request): Promise<Answer>;
  history(request: Request): Promise<Answer>;
}

const methods = ["totals", "positions", "history"] as const;
const timeoutMs = 20;
const flags = { calculator: true, storage: true, reports: true };
const plans: readonly PlanInput[] = [
  { phase: "shadow_mode" },
  { phase: "dual_write", flags, newSystemPercentage: 50 },
  { phase: "primary_switch", flags },
  { phase: "shadow_mode", salt: "again" },
];

export async function shadowNight(calls: number, seed: number): Promise<NightReport> {
  const random = randomFrom(seed);
  const modern = new BadDesk(random);
  const store = new ForgetfulStore(random);
  let [wrong, unhandled] = [0, 0];
  const onUnhandled = (): void => {
    unhandled += 1;
  };
  process.on("unhandledRejection", onUnhandled);
  const service = bridgeServices<Desk>(
    {
      legacy: { totals: right, positions: right, history: right },
      modern: modern.desk,
      plan: plans[0] as PlanInput,
      shadow: { timeoutMs, controlRatio: 0.01 },
      answering: { timeoutMs, breaker: { callsMin: 20, failureRatio: 0.5, windowMs: 1_000, openMs: 50 } },
      keyOf: (_, [request]) => {
        if (random.chance(0.001)) throw new Error("no key");
        return { book: (request as Request).book };
      },
      onComparison: () => {
        if (random.chance(0.001)) throw new Error("no room on the disk");
      },
      evidence: store,
    },
    { clock: systemClock, load: { overload: () => undefined }, draw: random.unit },
  );
  const ask = async (id: number): Promise<void> => {
    const request = { id, book: `BOOK-${id % 97}`, trades: [id % 7, id % 11, id % 13] };
    const expected = pnlOf(request);
    const legacyAnswers = service.$bridge.plan.phase === "shadow_mode";
    const { pnl } = await service[random.pick(methods)](request);
    if (legacyAnswers && pnl !== expected) wrong += 1;
  };
  const heapBytes: number[] = [];
  const startedMs = performance.now();
  for (let id = 0; id < calls; ) {
    const quarter = Math.floor((4 * id) / calls);
    if (quarter > heapBytes.length) heapBytes.push(await settledHeap(service.$bridge.idle, modern, store));
    const { plan } = service.$bridge;
    const next = plans[Math.floor((20 * id) / calls) % plans.length] as PlanInput;
    if (next.phase !== plan.phase || (next.salt ?? "") !== plan.salt)
      service.$bridge.setPlan({ ...next, epoch: plan.epoch + 1 });
    if (random.chance(0.002)) {
      const burst = Math.min(1 + random.below(100), calls - id);
      await Promise.all(Array.from({ length: burst }, (_, at) => ask(id + at)));
      id += burst;
    } else {
      await ask(id);
      id += 1;
    }
    // A pause now and then lets timers and late answers run.
    if (random.chance(0.02)) await new Promise(setImmediate);
  }
  heapBytes.push(await settledHeap(service.$bridge.idle, modern, store));
  const ms = performance.now() - startedMs;
  // Waits for the answers that come after the deadline.
  await new Promise((resolve) => setTimeout(resolve, 5 * timeoutMs));
  const { counters, inFlightPeak, samples } = service.$bridge;
  await service.$bridge.close();
  process.off("unhandledRejection", onUnhandled);
  return {
    calls,
    ms,
    counters,
    wrong,
    unhandled,
    inFlightPeak,
    samples: samples.length,
    heapBytes,
    kept: modern.kept,
  };
}

/** Returns a sentence for each requirement that a night violated; none if all is well. */
export function complaintsOf(report: NightReport, growthBytesMax: number): readonly string[] {
  const complaints: string[] = [];
  for (const [method, counters] of Object.entries(report.counters)) {
    const { compared, shed, errors, timeouts, excluded, underWay, eligible } = counters;
    const ended = compared + total(shed) + errors + timeouts + excluded;
    if (ended !== eligible || underWay !== 0)
      complaints.push(`${method}: ${eligible} eligible, ${ended} accounted for`);
  }
  const all = Object.values(report.counters);
  const eligible = all.reduce((sum, counters) => sum + counters.eligible, 0);
  if (eligible !== report.calls) complaints.push(`${eligible} of ${report.calls} calls were eligible`);
  if (report.wrong > 0) complaints.push(`${report.wrong} callers had a wrong answer`);
  if (report.unhandled > 0) complaints.push(`${report.unhandled} rejections were not handled`);
  if (report.inFlightPeak > 64)
    complaints.push(`${report.inFlightPeak} shadow calls were in flight together`);
  const [first = 0, ...later] = report.heapBytes;
  const growth = Math.max(...later) - first;
  if (growth > growthBytesMax)
    complaints.push(`the heap grew by ${Math.round(growth / 1000)} kB after the first quarter`);
  return complaints;
}

const pnlOf = ({ trades }: Request): number => trades.reduce((sum, pnl) => sum + pnl, 0);
const right = async (request: Request): Promise<Answer> => ({ id: request.id, pnl: pnlOf(request) });

/** A modern side that fails in every way; most failures are rare, because a hanging call occupies a slot. */
class BadDesk {
  readonly #random: Random;
  readonly desk: Desk;
  #hoard: unknown[] = [];
  kept = 0;

  constructor(random: Random) {
    this.#random = random;
    const act = (request: Request): Promise<Answer> => this.#act(request);
    this.desk = { totals: act, positions: act, history: act };
  }

  /** Drops the kept values, so that they are not part of the measured heap. */
  forget(): void {
    this.#hoard = [];
  }

  #act(request: Request): Promise<Answer> {
    const roll = this.#random.below(10_000);
    const [right, wrong] = [pnlOf(request), { id: request.id, pnl: -1 }];
    if (roll < 2) return new Promise((resolve) => this.#keep(request, resolve));
    if (roll < 4) return later(() => wrong);
    if (roll < 6) return later(() => Promise.reject(new Error("too late")));
    if (roll < 100) throw new Error("boom");
    if (roll < 200) throw 0;
    if (roll < 300) return Promise.reject(undefined);
    if (roll < 400) return Promise.reject(new RangeError("boom"));
    if (roll < 600) return Promise.resolve({ ...wrong, [`field-${roll % 10}`]: { nested: [roll] } });
    if (roll < 700) return Promise.resolve({ id: request.id, pnl: new Map() as unknown as number });
    if (roll < 800) this.#keep(request, new Uint8Array(1_000));
    if (roll < 900) currentCall()?.signal.addEventListener("abort", () => this.#keep(request));
    if (roll < 1_000) request.trades.push(999);
    return Promise.resolve({ id: request.id, pnl: right });
  }

  #keep(...what: readonly unknown[]): void {
    this.kept += 1;
    this.#hoard.push(what);
  }
}

const later = (answer: () => Answer | Promise<Answer>): Promise<Answer> =>
  new Promise((resolve) => setTimeout(() => resolve(answer()), 3 * timeoutMs));

/** An evidence store that fails now and then and keeps nothing. */
class ForgetfulStore implements EvidenceStore {
  readonly #random: Random;
  isWell = false;

  constructor(random: Random) {
    this.#random = random;
  }

  async append(): Promise<void> {
    if (!this.isWell && this.#random.chance(0.2)) throw new Error("the disk is full");
  }
  async find(): Promise<never[]> {
    return [];
  }
  async get(): Promise<undefined> {}
  evidence = async () => new MemoryTallies().of("");
  attempt = async () => ({ attempt: 1, looks: 0 });
  async request(): Promise<undefined> {}
  async counts(): Promise<never[]> {
    return [];
  }
  async close(): Promise<void> {}
}

async function settledHeap(
  idle: () => Promise<void>,
  modern: BadDesk,
  store: ForgetfulStore,
): Promise<number> {
  await idle();
  // Waits until late answers have come and the waiting evidence, up to 10 000 comparisons, is written.
  store.isWell = true;
  await new Promise((resolve) => setTimeout(resolve, 600));
  store.isWell = false;
  modern.forget();
  collect();
  await new Promise(setImmediate);
  collect();
  return process.memoryUsage().heapUsed;
}

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

const total = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((sum, count) => sum + count, 0);
