import fc from "fast-check";
import { afterEach, describe, expect, expectTypeOf, it } from "vitest";
import { randomFrom } from "../../app/demo-desk/random.ts";
import type { PlanInput } from "../../domain/migration/plan.ts";
import { SystemFailure } from "../../domain/migration/system-failure.ts";
import type { ComparisonRecord, EvidenceStore } from "../../ports/evidence.ts";
import type { Overload } from "../../ports/host-load.ts";
import { MemoryTallies } from "../../testing/memory-tallies.ts";
import { TestClock } from "../../testing/test-clock.ts";
import {
  type BridgedService,
  bridgeServices,
  type CallComparison,
  currentCall,
  type MethodCounters,
  type ServiceBridgeHost,
  type ServiceBridgeOptions,
} from "./index.ts";

interface Request {
  readonly book: string;
  readonly trades: number[];
}
interface Answer {
  pnl: number;
}
interface Pnl {
  calculate(request: Request): Promise<Answer>;
}

const shadowing: PlanInput = { phase: "shadow_mode" };
const flags = { calculator: true, storage: true, reports: true };
const modernAnswers: PlanInput = { phase: "primary_switch", flags };
const request = (): Request => ({ book: "UST", trades: [1, 2, 3] });
const sum = ({ trades }: Request): Answer => ({ pnl: trades.reduce((all, pnl) => all + pnl, 0) });
/** A system that answers every request correctly. */
const good: Pnl = { calculate: async (given) => sum(given) };

/** The bridges that a test has made. Their counters must add up after each test. */
const made: BridgedService<object>[] = [];
afterEach(async () => {
  for (const { $bridge } of made.splice(0)) {
    for (const counters of Object.values($bridge.counters)) expectToAddUp(counters);
    await $bridge.close();
    expect($bridge.inFlight).toBe(0);
    for (const counters of Object.values($bridge.counters)) {
      expectToAddUp(counters);
      expect(total(counters.answered)).toBe(counters.calls);
    }
  }
});

function bridge<T extends object>(
  options: Omit<ServiceBridgeOptions<T>, "plan"> & { plan?: PlanInput },
  host: Partial<ServiceBridgeHost> = {},
): BridgedService<T> {
  const bridged = bridgeServices<T>(
    { plan: shadowing, ...options },
    { clock: new TestClock(), load: { overload: () => undefined }, draw: randomFrom(1).unit, ...host },
  );
  made.push(bridged);
  return bridged;
}

const total = (counts: Readonly<Record<string, number>> | readonly number[]): number =>
  Object.values(counts).reduce((all, count) => all + count, 0);

function expectToAddUp(counters: MethodCounters): void {
  const {
    calls,
    answered,
    because,
    eligible,
    sampledOut,
    compared,
    verdicts,
    shed,
    errors,
    timeouts,
    excluded,
    underWay,
  } = counters;
  expect(compared + total(shed) + errors + timeouts + excluded + underWay, JSON.stringify(counters)).toBe(
    eligible,
  );
  expect(total(because), JSON.stringify(counters)).toBe(calls);
  // The answering side is counted when it has answered.
  expect(total(answered)).toBeLessThanOrEqual(calls);
  expect(total(verdicts), JSON.stringify(counters)).toBe(compared);
  expect(eligible + sampledOut).toBeLessThanOrEqual(calls);
}

const countersOf = (bridged: BridgedService<Pnl>): MethodCounters =>
  bridged.$bridge.counters.calculate as MethodCounters;

/** Resolves when all queued microtasks and immediate callbacks have run. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const never = (): Promise<never> => new Promise(() => {});

const realClock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  every: (intervalMs: number, tick: () => void) => {
    const timer = setInterval(tick, intervalMs);
    return () => clearInterval(timer);
  },
  today: () => "2025-08-01",
};

/** A failure that throws whenever it is inspected, even for its class. */
const untouchable = (): object => {
  const throws = (): never => {
    throw new Error("hands off");
  };
  return new Proxy(
    {},
    { get: throws, has: throws, getPrototypeOf: throws, ownKeys: throws, getOwnPropertyDescriptor: throws },
  );
};

/** A failure whose text cannot be read. */
const hostile = {
  get code(): string {
    throw new Error("no code");
  },
  toString(): string {
    throw new Error("no text");
  },
};

describe("a caller whose shadow misbehaves", () => {
  it("waits for legacy only, not for modern", async () => {
    const events: string[] = [];
    const service = bridge<Pnl>(
      {
        legacy: { calculate: (given) => sleep(2).then(() => sum(given)) },
        modern: {
          calculate: async (given) => {
            events.push("modern begins");
            await sleep(100);
            events.push("modern ends");
            return sum(given);
          },
        },
      },
      { clock: realClock },
    );
    expect(await service.calculate(request())).toEqual({ pnl: 6 });
    events.push("caller has it");
    await service.$bridge.idle();
    expect(events).toEqual(["caller has it", "modern begins", "modern ends"]);
    expect(countersOf(service)).toMatchObject({ compared: 1, verdicts: { equal: 1 } });
  });

  it("gets legacy's own promise", async () => {
    const answer = Promise.resolve({ pnl: 6 });
    const service = bridge<Pnl>({ legacy: { calculate: () => answer }, modern: good });
    expect(service.calculate(request())).toBe(answer);
    await service.$bridge.idle();
    expect(countersOf(service).verdicts).toEqual({ equal: 1 });
  });

  it("does not notice a shadow that never settles, which counts as a timeout at its deadline", async () => {
    const clock = new TestClock();
    const signals: AbortSignal[] = [];
    const comparisons: CallComparison[] = [];
    const service = bridge<Pnl>(
      {
        legacy: good,
        modern: {
          calculate: () => {
            signals.push(currentCall()?.signal as AbortSignal);
            expect(currentCall()?.deadlineMs).toBe(250);
            return never();
          },
        },
        shadow: { timeoutMs: 250 },
        onComparison: (comparison) => comparisons.push(comparison),
      },
      { clock },
    );
    expect(await service.calculate(request())).toEqual({ pnl: 6 });
    await turn();
    clock.advance(249);
    expect([countersOf(service).timeouts, countersOf(service).underWay, signals[0]?.aborted]).toEqual([
      0,
      1,
      false,
    ]);
    clock.advance(51);
    expect(countersOf(service)).toMatchObject({ eligible: 1, timeouts: 1, underWay: 0, compared: 0 });
    expect(signals[0]?.aborted).toBe(true);
    expect(comparisons.map(({ verdict, legacy, modern }) => ({ verdict, legacy, modern }))).toEqual([
      {
        verdict: "error",
        legacy: { ms: 0 },
        modern: { ms: null, error: "TIMEOUT: calculate did not answer within 250 ms" },
      },
    ]);
  });

  it("does not notice an answer or a rejection after the deadline", async () => {
    const clock = new TestClock();
    const late: { resolve(answer: Answer): void; reject(failure: unknown): void }[] = [];
    const modern: Pnl = { calculate: () => new Promise((resolve, reject) => late.push({ resolve, reject })) };
    const service = bridge<Pnl>({ legacy: good, modern, shadow: { timeoutMs: 10 } }, { clock });
    await Promise.all([service.calculate(request()), service.calculate(request())]);
    await turn();
    clock.advance(100);
    late[0]?.reject(new Error("too late"));
    late[1]?.resolve({ pnl: 0 });
    // An unhandled rejection would fail the run.
    await turn();
    expect(countersOf(service)).toMatchObject({ timeouts: 2, compared: 0, errors: 0 });
  });

  it.each<[string, () => unknown]>([
    [
      "throws at once",
      () => {
        throw new Error("boom");
      },
    ],
    [
      "throws 0",
      () => {
        throw 0;
      },
    ],
    [
      "throws undefined",
      () => {
        throw undefined;
      },
    ],
    [
      "throws a value without a text",
      () => {
        throw hostile;
      },
    ],
    ["rejects", () => Promise.reject(new Error("boom"))],
    ["rejects with 0", () => Promise.reject(0)],
    ["rejects with a value that cannot be inspected", () => Promise.reject(untouchable())],
    [
      "rejects with an error that throws when it is inspected",
      () => Promise.reject(Object.setPrototypeOf(hostile, Error.prototype)),
    ],
    ["returns a thenable that throws", () => thenable(() => expect.fail("boom"))],
    ["returns a thenable that rejects at once", () => thenable((_, reject) => reject(0))],
    ["returns a thenable that cannot be inspected", () => uninspectable()],
  ])("does not notice a shadow that %s", async (_, calculate) => {
    const comparisons: CallComparison[] = [];
    const modern = { calculate } as unknown as Pnl;
    const service = bridge<Pnl>({
      legacy: good,
      modern,
      onComparison: (comparison) => comparisons.push(comparison),
    });
    expect(await service.calculate(request())).toEqual({ pnl: 6 });
    await service.$bridge.idle();
    expect(countersOf(service)).toMatchObject({ errors: 1, compared: 0, broken: 0 });
    expect(comparisons[0]).toMatchObject({ verdict: "error", answered: "legacy", fields: [] });
    expect(typeof comparisons[0]?.modern.error).toBe("string");
    expect(comparisons[0]?.legacy.error).toBeUndefined();
  });

  it("does not notice a thenable that answers twice and then rejects", async () => {
    const answer = thenable((resolve, reject) => {
      resolve({ pnl: 6 });
      resolve({ pnl: 7 });
      reject(new Error("boom"));
    });
    const service = bridge<Pnl>({ legacy: good, modern: { calculate: () => answer as Promise<Answer> } });
    await service.calculate(request());
    await service.$bridge.idle();
    expect(countersOf(service)).toMatchObject({ compared: 1, verdicts: { equal: 1 }, errors: 0 });
  });

  it("sees the changes that legacy makes to the input, and modern gets a frozen copy of the original", async () => {
    const seen: unknown[] = [];
    const service = bridge<Pnl>({
      legacy: {
        calculate: async (given) => {
          await turn();
          const answer = sum(given);
          // Legacy changes its input.
          given.trades.length = 0;
          return answer;
        },
      },
      modern: {
        calculate: async (given) => {
          seen.push(structuredClone(given));
          expect(() => given.trades.push(999)).toThrow(TypeError);
          expect(() => Object.assign(given, { book: "EQ" })).toThrow(TypeError);
          return sum(given);
        },
      },
    });
    const given = request();
    const answer = service.calculate(given);
    given.trades[0] = 999;
    expect(await answer).toEqual({ pnl: 999 + 2 + 3 });
    await service.$bridge.idle();
    expect(seen).toEqual([request()]);
    expect(given).toEqual({ book: "UST", trades: [] });
    // The caller's changes after the call are not visible to the shadow.
    expect(countersOf(service).verdicts).toEqual({ diverged: 1 });
  });

  it("may change the answer while the shadow still runs, without effect on the comparison", async () => {
    const service = bridge<Pnl>({
      legacy: good,
      modern: { calculate: (given) => turn().then(() => sum(given)) },
    });
    const answer = await service.calculate(request());
    answer.pnl = -1;
    await service.$bridge.idle();
    expect(countersOf(service).verdicts).toEqual({ equal: 1 });
  });

  it("gets all answers of 2 000 concurrent calls, of which only 64 are shadowed", async () => {
    const clock = new TestClock();
    let [inFlight, peak] = [0, 0];
    const modern: Pnl = {
      calculate: async (given) => {
        inFlight += 1;
        peak = Math.max(peak, inFlight);
        await sleep(5);
        inFlight -= 1;
        return sum(given);
      },
    };
    const methods = {
      a: good.calculate,
      b: good.calculate,
      c: good.calculate,
      d: good.calculate,
      e: good.calculate,
    };
    const service = bridge<typeof methods>(
      {
        legacy: methods,
        modern: Object.fromEntries(Object.keys(methods).map((name) => [name, modern.calculate])),
      },
      { clock },
    );
    const names = Object.keys(methods) as (keyof typeof methods)[];
    const calls = Array.from({ length: 2_000 }, (_, call) => service[names[call % 5] as "a"](request()));
    expect(service.$bridge.inFlight).toBe(64);
    expect(await Promise.all(calls)).toEqual(calls.map(() => ({ pnl: 6 })));
    await service.$bridge.idle();
    expect([peak, service.$bridge.inFlightPeak]).toEqual([64, 64]);
    const all = Object.values(service.$bridge.counters);
    expect(all.map(({ eligible }) => eligible)).toEqual([400, 400, 400, 400, 400]);
    expect(total(all.map(({ compared }) => compared))).toBe(64);
    expect(total(all.map(({ shed }) => shed.lane_full ?? 0))).toBe(2_000 - 64);
    // All slots are free again, and the limit of one method applies.
    await Promise.all(Array.from({ length: 100 }, () => service.a(request())));
    await service.$bridge.idle();
    expect(service.$bridge.counters.a?.shed).toMatchObject({ method_full: 100 - 16 });
  });

  it.each<Overload>(["event_loop_lag", "heap_short"])(
    "is answered without a shadow if the host reports %s",
    async (short) => {
      let overload: Overload | undefined = short;
      const asked: Request[] = [];
      const modern: Pnl = {
        calculate: async (given) => {
          asked.push(given);
          return sum(given);
        },
      };
      const service = bridge<Pnl>({ legacy: good, modern }, { load: { overload: () => overload } });
      expect(await service.calculate(request())).toEqual({ pnl: 6 });
      overload = undefined;
      await service.calculate(request());
      await service.$bridge.idle();
      expect(asked.length).toBe(1);
      expect(countersOf(service)).toMatchObject({ eligible: 2, compared: 1, shed: { [short]: 1 } });
    },
  );

  it.each<[string, object, string]>([
    ["a function", { ...request(), done: () => {} }, "input_not_copyable"],
    ["an object of a class", { ...request(), connection: new (class Connection {})() }, "input_not_copyable"],
    ["20 000 trades", { ...request(), trades: new Array(20_000).fill(1) }, "input_too_large"],
    [
      "a getter that throws",
      Object.defineProperty(request(), "secret", { enumerable: true, get: () => expect.fail("asked") }),
      "input_not_copyable",
    ],
  ])("is answered without a shadow if its input contains %s", async (_, given, reason) => {
    const seen: unknown[] = [];
    const legacy: Pnl = {
      calculate: async (itself) => {
        seen.push(itself);
        return sum(itself);
      },
    };
    const service = bridge<Pnl>({ legacy, modern: { calculate: () => expect.fail("was asked") } });
    await service.calculate(given as Request);
    await service.$bridge.idle();
    expect(seen[0]).toBe(given);
    expect(countersOf(service)).toMatchObject({ eligible: 1, shed: { [reason]: 1 }, underWay: 0 });
  });
});

describe("a caller whose legacy misbehaves", () => {
  it.each([new Error("boom"), 0, undefined, null, ""])(
    "receives the failure unchanged: %s",
    async (failure) => {
      const service = bridge<{ soon(): Promise<void>; now(): void }>({
        legacy: {
          soon: async () => {
            throw failure;
          },
          now: () => {
            throw failure;
          },
        },
        modern: { soon: async () => {}, now: () => {} },
      });
      await expect(service.soon()).rejects.toBe(failure);
      expect(thrownBy(() => service.now())).toEqual({ thrown: failure });
      await service.$bridge.idle();
      for (const counters of Object.values(service.$bridge.counters))
        expect(counters).toMatchObject({ errors: 1, compared: 0 });
    },
  );

  it("waits as long as legacy takes, while the waiting shadow call is shed after a minute", async () => {
    const clock = new TestClock();
    let answer: (value: Answer) => void = () => {};
    const service = bridge<Pnl>(
      {
        legacy: { calculate: () => new Promise((resolve) => (answer = resolve)) },
        modern: { calculate: () => expect.fail("was asked") },
      },
      { clock },
    );
    const waiting = service.calculate(request());
    clock.advance(59_000);
    expect(countersOf(service)).toMatchObject({ underWay: 1 });
    clock.advance(2_000);
    expect(countersOf(service)).toMatchObject({ underWay: 0, shed: { legacy_pending: 1 } });
    answer({ pnl: 6 });
    expect(await waiting).toEqual({ pnl: 6 });
  });

  it("gets a thenable that the bridge has not awaited, because awaiting it may start its work", async () => {
    let ran = 0;
    const query = thenable((resolve) => {
      ran += 1;
      resolve({ pnl: 6 });
    });
    const service = bridge<{ query(): PromiseLike<unknown> }>({
      legacy: { query: () => query },
      modern: { query: () => query },
    });
    expect(service.query()).toBe(query);
    await turn();
    expect(ran).toBe(0);
    expect(await service.query()).toEqual({ pnl: 6 });
    expect(ran).toBe(1);
    expect(service.$bridge.counters.query).toMatchObject({ eligible: 2, shed: { answer_not_a_promise: 2 } });
  });

  it("gets an answer that throws when it is inspected, unchanged", async () => {
    const odd = uninspectable();
    const service = bridge<{ odd(): object }>({ legacy: { odd: () => odd }, modern: {} });
    expect(service.odd()).toBe(odd);
    const shadowed = bridge<{ odd(): object }>({ legacy: { odd: () => odd }, modern: { odd: () => odd } });
    expect(shadowed.odd()).toBe(odd);
  });
});

describe("a faulty callback", () => {
  const boom = (): never => {
    throw new Error("boom");
  };
  it.each<[string, Partial<ServiceBridgeOptions<Pnl>>, Partial<MethodCounters>]>([
    ["onComparison that throws", { onComparison: boom }, { compared: 1, broken: 1 }],
    ["onComparison that rejects", { onComparison: async () => boom() }, { compared: 1, broken: 1 }],
    ["keyOf that throws", { keyOf: boom }, { compared: 1, broken: 1 }],
    ["keyOf that returns nothing", { keyOf: (() => undefined) as never }, { compared: 1, broken: 0 }],
    [
      "project that throws",
      { methods: { calculate: { project: boom } } },
      { compared: 1, verdicts: { not_comparable: 1 }, broken: 2 },
    ],
    [
      "project that throws a value without a text",
      {
        methods: {
          calculate: {
            project: () => {
              throw hostile;
            },
          },
        },
      },
      { compared: 1, verdicts: { not_comparable: 1 }, broken: 2 },
    ],
    [
      "project that rejects",
      { methods: { calculate: { project: async () => boom() } } },
      { compared: 1, verdicts: { not_comparable: 1 }, broken: 2 },
    ],
    ["modern's conversion that throws", { convert: { modern: boom } }, { compared: 0, errors: 1, broken: 0 }],
  ])("does not fail the call: %s", async (_, options, counted) => {
    const service = bridge<Pnl>({ legacy: good, modern: good, ...options });
    expect(await service.calculate(request())).toEqual({ pnl: 6 });
    await service.$bridge.idle();
    await turn();
    expect(countersOf(service)).toMatchObject({ eligible: 1, ...counted });
  });

  it("fails the call if it is legacy's conversion, because the answer would have the wrong unit", async () => {
    const service = bridge<Pnl>({ legacy: good, modern: good, convert: { legacy: boom } });
    await expect(service.calculate(request())).rejects.toThrow("boom");
    await service.$bridge.idle();
  });

  it("leaves the call without a key if it is keyOf, so legacy answers the call", async () => {
    const plan: PlanInput = { phase: "dual_write", flags, newSystemPercentage: 100 };
    const service = bridge<Pnl>({ legacy: good, modern: good, plan, keyOf: boom });
    await service.calculate(request());
    await service.$bridge.idle();
    expect(countersOf(service)).toMatchObject({
      because: { NO_UNIT: 1 },
      answered: { legacy: 1, modern: 0 },
    });
  });
});

describe("a bridged service", () => {
  class Desk {
    readonly name = "desk";
    static count = 0;
    #rate = 2;
    asOf = "2025-07-24";
    get rate(): number {
      return this.#rate;
    }
    set rate(rate: number) {
      this.#rate = rate;
    }
    double(value: number): number {
      return value * this.#rate;
    }
  }
  class BetterDesk extends Desk {
    async half(value: number): Promise<number> {
      return value / this.rate;
    }
    override double(value: number): number {
      return super.double(value);
    }
  }

  it("stays synchronous if legacy is, and is compared with modern's answer even if that is asynchronous", async () => {
    const modern = { double: async (value: number) => value * 2 } as unknown as Desk;
    const service = bridge<Desk>({ legacy: new Desk(), modern });
    expect(service.double(4)).toBe(8);
    await service.$bridge.idle();
    expect(service.$bridge.counters.double).toMatchObject({ compared: 1, verdicts: { equal: 1 } });
  });

  it("calls each side with its own `this`, including inherited and private members", async () => {
    const [legacy, modern] = [new BetterDesk(), new BetterDesk()];
    modern.rate = 3;
    const service = bridge<BetterDesk>({ legacy, modern });
    const { double, half } = service;
    expect([double(4), await half(4)]).toEqual([8, 2]);
    await service.$bridge.idle();
    expect(Object.keys(service.$bridge.counters).toSorted()).toEqual(["double", "half"]);
    expect(
      service.$bridge.samples.flatMap(({ fields }) => fields.map(({ modern: text }) => text)).toSorted(),
    ).toEqual(["1.3333333333333333", "12"]);
  });

  it("reads and writes legacy's other properties", () => {
    const legacy = new BetterDesk();
    const service = bridge<BetterDesk>({ legacy, modern: {} });
    legacy.asOf = "2025-07-25";
    expect([service.name, service.asOf, service.rate]).toEqual(["desk", "2025-07-25", 2]);
    service.rate = 5;
    service.asOf = "2025-07-28";
    expect([legacy.double(1), service.double(1), legacy.asOf]).toEqual([5, 5, "2025-07-28"]);
    expect(Object.keys(service)).toEqual(expect.arrayContaining(["name", "asOf"]));
    expect(Object.keys(service)).not.toContain("$bridge");
  });

  it("has the functions of a compiled module, which are exported by getters", async () => {
    const compiled = (pnl: number): Pnl =>
      Object.defineProperty({}, "calculate", { enumerable: true, get: () => async () => ({ pnl }) }) as Pnl;
    const service = bridge<Pnl>({ legacy: compiled(1), modern: compiled(2) });
    expect(await service.calculate(request())).toEqual({ pnl: 1 });
    await service.$bridge.idle();
    expect(countersOf(service).verdicts).toEqual({ diverged: 1 });
  });

  it("passes every argument unchanged", async () => {
    const seen: unknown[][] = [];
    const legacy = { any: (...args: unknown[]) => seen.push(args) };
    const service = bridge<typeof legacy>({ legacy, modern: {} });
    const given = [{}, undefined, () => {}];
    service.any(...given);
    expect(seen[0]).toEqual(given);
    for (const [at, value] of given.entries()) expect(seen[0]?.[at]).toBe(value);
  });

  it("sends the calls of a method that modern lacks to legacy, and counts them as excluded", async () => {
    for (const plan of [shadowing, modernAnswers]) {
      const service = bridge<Pnl>({ legacy: good, modern: {}, plan });
      expect(await service.calculate(request())).toEqual({ pnl: 6 });
      await service.$bridge.idle();
      expect(countersOf(service)).toMatchObject({
        eligible: 1,
        excluded: 1,
        errors: 0,
        answered: { legacy: 1, modern: 0 },
      });
      expect(countersOf(service).fellBack).toEqual(plan === shadowing ? {} : { NO_METHOD: 1 });
    }
  });

  it("may call another bridge, and each function sees its own call's context until its first await", async () => {
    const seen: (number | undefined)[] = [];
    const inner = bridge<Pnl>({ legacy: good, modern: good });
    const modern: Pnl = {
      calculate: (given) => {
        seen.push(currentCall()?.deadlineMs);
        const answer = inner.calculate(given);
        seen.push(currentCall()?.deadlineMs);
        return answer;
      },
    };
    const outer = bridge<Pnl>({ legacy: good, modern, shadow: { timeoutMs: 123 } });
    await outer.calculate(request());
    await outer.$bridge.idle();
    expect(seen).toEqual([123, 123]);
    expect(currentCall()).toBeUndefined();
  });

  it("gives legacy no deadline, and a separate signal for each call", async () => {
    const calls: { deadlineMs: number; signal: AbortSignal }[] = [];
    const legacy: Pnl = {
      calculate: async (given) => {
        const { deadlineMs, signal } = currentCall() as NonNullable<ReturnType<typeof currentCall>>;
        calls.push({ deadlineMs, signal });
        return sum(given);
      },
    };
    const service = bridge<Pnl>({ legacy, modern: {} });
    await service.calculate(request());
    await service.calculate(request());
    expect(calls.map(({ deadlineMs, signal }) => [deadlineMs, signal.aborted])).toEqual([
      [Number.POSITIVE_INFINITY, false],
      [Number.POSITIVE_INFINITY, false],
    ]);
    expect(calls[0]?.signal).not.toBe(calls[1]?.signal);
  });

  it("keeps legacy's signatures", () => {
    interface Typed {
      sync(value: number, unit?: "points" | "money"): string;
      many(...values: readonly bigint[]): Promise<readonly bigint[]>;
      generic<Value>(value: Value): Promise<Value>;
      readonly version: string;
    }
    const legacy: Typed = {
      sync: (value) => `${value}`,
      many: async (...values) => values,
      generic: async (value) => value,
      version: "1",
    };
    const service = bridge<Typed>({ legacy, modern: { sync: (value) => `${value}` } });
    expectTypeOf(service.sync).toEqualTypeOf<Typed["sync"]>();
    expectTypeOf(service.many).toEqualTypeOf<Typed["many"]>();
    expectTypeOf(service.generic).toEqualTypeOf<Typed["generic"]>();
    expectTypeOf(service.version).toEqualTypeOf<string>();
    expectTypeOf(service).toExtend<Typed>();
    expectTypeOf(service.$bridge.counters).toEqualTypeOf<Readonly<Record<string, MethodCounters>>>();
    // @ts-expect-error options can be declared for methods only
    bridge<Typed>({ legacy, modern: {}, methods: { version: {} } });
    // @ts-expect-error modern must have legacy's signatures
    bridge<Typed>({ legacy, modern: { sync: (value: string) => value } });
    // @ts-expect-error legacy has no such method
    expect(service.other).toBeUndefined();
  });
});

describe("under a plan in which modern answers", () => {
  const failing: Pnl = { calculate: () => Promise.reject(new Error("boom")) };

  it("the caller gets modern's answer, and legacy is the shadow", async () => {
    const comparisons: CallComparison[] = [];
    const service = bridge<Pnl>({
      legacy: { calculate: async () => ({ pnl: 7 }) },
      modern: good,
      plan: modernAnswers,
      onComparison: (comparison) => comparisons.push(comparison),
    });
    expect(await service.calculate(request())).toEqual({ pnl: 6 });
    await service.$bridge.idle();
    expect(countersOf(service)).toMatchObject({
      answered: { legacy: 0, modern: 1 },
      verdicts: { diverged: 1 },
      fellBack: {},
    });
    expect(JSON.parse(JSON.stringify(comparisons))).toEqual([
      {
        method: "calculate",
        verdict: "diverged",
        kind: "ab",
        answered: "modern",
        epoch: 1,
        fields: [
          { path: "pnl", entry: null, verdict: "diverged", legacy: "7", modern: "6", difference: "-1" },
        ],
        legacy: { ms: 0 },
        modern: { ms: 0 },
        at: "2025-08-01T14:30:00.000Z",
      },
    ]);
  });

  it.each<[string, () => unknown]>([
    [
      "throws",
      () => {
        throw new Error("boom");
      },
    ],
    ["rejects", () => Promise.reject(new Error("boom"))],
    ["rejects with 0", () => Promise.reject(0)],
    ["returns a thenable that throws", () => thenable(() => expect.fail("boom"))],
    ["returns a value that cannot be inspected", () => uninspectable()],
  ])("legacy answers if modern %s, and the comparison reports it", async (_, calculate) => {
    const comparisons: CallComparison[] = [];
    const service = bridge<Pnl>({
      legacy: good,
      modern: { calculate } as unknown as Pnl,
      plan: modernAnswers,
      onComparison: (comparison) => comparisons.push(comparison),
    });
    expect(await service.calculate(request())).toEqual({ pnl: 6 });
    await service.$bridge.idle();
    expect(countersOf(service)).toMatchObject({
      answered: { legacy: 1, modern: 0 },
      fellBack: { FAILED: 1 },
      errors: 1,
    });
    expect(comparisons).toMatchObject([
      { verdict: "error", answered: "legacy", legacy: { ms: 0 }, modern: { error: expect.any(String) } },
    ]);
  });

  it("legacy answers if modern misses its deadline, and a later answer is ignored", async () => {
    const clock = new TestClock();
    const late: ((answer: Answer) => void)[] = [];
    let signal: AbortSignal | undefined;
    const modern: Pnl = {
      calculate: () => {
        signal = currentCall()?.signal;
        return new Promise((resolve) => late.push(resolve));
      },
    };
    const service = bridge<Pnl>(
      { legacy: good, modern, plan: modernAnswers, answering: { timeoutMs: 100 } },
      { clock },
    );
    const waiting = service.calculate(request());
    clock.advance(99);
    expect([signal?.aborted, clock.keepsAlive]).toEqual([false, true]);
    clock.advance(1);
    expect(await waiting).toEqual({ pnl: 6 });
    expect([signal?.aborted, clock.keepsAlive]).toEqual([true, false]);
    late[0]?.({ pnl: 0 });
    await service.$bridge.idle();
    expect(countersOf(service)).toMatchObject({
      fellBack: { TIMEOUT: 1 },
      timeouts: 1,
      errors: 0,
      answered: { legacy: 1, modern: 0 },
    });
  });

  it("no timer is left when modern has answered", async () => {
    const clock = new TestClock();
    const service = bridge<Pnl>({ legacy: good, modern: good, plan: modernAnswers }, { clock });
    await service.calculate(request());
    await service.$bridge.idle();
    clock.advance(100);
    expect(clock.timers).toBe(0);
  });

  it("modern cannot change the input that legacy receives in a fallback", async () => {
    const modern: Pnl = {
      calculate: async (given) => {
        given.trades.length = 0;
        return sum(given);
      },
    };
    const service = bridge<Pnl>({ legacy: good, modern, plan: modernAnswers });
    const given = request();
    expect(await service.calculate(given)).toEqual({ pnl: 6 });
    expect(given).toEqual(request());
    await service.$bridge.idle();
    expect(countersOf(service).fellBack).toEqual({ FAILED: 1 });
  });

  it("the caller gets legacy's failure if both sides fail", async () => {
    const legacy: Pnl = { calculate: () => Promise.reject(new TypeError("legacy is down")) };
    const service = bridge<Pnl>({ legacy, modern: failing, plan: modernAnswers });
    await expect(service.calculate(request())).rejects.toThrow("legacy is down");
    await service.$bridge.idle();
    expect(countersOf(service)).toMatchObject({ errors: 1, fellBack: { FAILED: 1 } });
  });

  it("modern is not asked for a while after it fails too often; then the success of one trial call closes the breaker", async () => {
    const clock = new TestClock();
    let [asked, isWell] = [0, false];
    const modern: Pnl = {
      calculate: async (given) => {
        asked += 1;
        if (!isWell) throw new Error("boom");
        await turn();
        return sum(given);
      },
    };
    const breaker = { callsMin: 3, failureRatio: 0.5, windowMs: 10_000, openMs: 1_000 };
    const service = bridge<Pnl>(
      { legacy: good, modern, plan: modernAnswers, answering: { breaker } },
      { clock },
    );
    for (let call = 0; call < 5; call++) expect(await service.calculate(request())).toEqual({ pnl: 6 });
    expect([asked, countersOf(service).fellBack]).toEqual([3, { FAILED: 3, BREAKER_OPEN: 2 }]);
    clock.advance(1_000);
    await service.calculate(request());
    expect([asked, countersOf(service).fellBack]).toEqual([4, { FAILED: 4, BREAKER_OPEN: 2 }]);
    clock.advance(1_000);
    isWell = true;
    const trying = service.calculate(request());
    await service.calculate(request());
    expect([asked, countersOf(service).fellBack]).toEqual([5, { FAILED: 4, BREAKER_OPEN: 3 }]);
    await trying;
    await service.calculate(request());
    await service.$bridge.idle();
    expect([asked, countersOf(service).answered.modern]).toEqual([6, 2]);
  });

  const breaker = { callsMin: 3, failureRatio: 0.5, windowMs: 10_000, openMs: 1_000 };
  const refusing = (failure: () => unknown): Pnl => ({ calculate: () => Promise.reject(failure()) });
  const anError = (): Error => new Error("boom");

  it.each<[string, () => unknown, Pnl, { reason: string; asked: number; failed: number; instead: number }]>([
    [
      "a request that modern calls bad counts against nobody, even if legacy answers it",
      () => new SystemFailure("REFUSED", "trades must be a list", { code: "BAD_REQUEST" }),
      good,
      { reason: "REFUSED", asked: 0, failed: 0, instead: 0 },
    ],
    [
      "a request that both systems refuse counts against nobody",
      () => new SystemFailure("REFUSED", "no such book", { code: "NO_BOOK" }),
      refusing(anError),
      { reason: "FAILED", asked: 0, failed: 0, instead: 0 },
    ],
    [
      "an error that legacy shares counts against nobody",
      anError,
      refusing(anError),
      { reason: "FAILED", asked: 0, failed: 0, instead: 0 },
    ],
    [
      "a refusal of a request that legacy answers counts against modern",
      () => new SystemFailure("REFUSED", "no such book", { code: "NO_BOOK" }),
      good,
      { reason: "FAILED", asked: 5, failed: 3, instead: 5 },
    ],
    [
      "a failure of a modern that is down counts against modern, whatever legacy does",
      () => new SystemFailure("DOWN", "went away"),
      refusing(anError),
      { reason: "FAILED", asked: 5, failed: 3, instead: 0 },
    ],
  ])("%s", async (_, failure, legacy, { reason, asked, failed, instead }) => {
    const service = bridge<Pnl>({
      legacy,
      modern: refusing(failure),
      plan: modernAnswers,
      answering: { breaker },
    });
    for (let call = 0; call < 5; call++) await service.calculate(request()).catch(() => {});
    await service.$bridge.idle();
    expect(countersOf(service)).toMatchObject({
      fellBack: failed === 0 ? { [reason]: 5 } : { [reason]: 3, BREAKER_OPEN: 2 },
      modernAsked: asked,
      modernFailed: failed,
      answeredInstead: instead,
    });
  });

  it("a bad request neither closes nor opens a half-open breaker", async () => {
    const clock = new TestClock();
    let fails = anError;
    const modern: Pnl = { calculate: () => Promise.reject(fails()) };
    const service = bridge<Pnl>(
      { legacy: good, modern, plan: modernAnswers, answering: { breaker } },
      { clock },
    );
    for (let call = 0; call < 3; call++) await service.calculate(request());
    clock.advance(1_000);
    fails = () => new SystemFailure("REFUSED", "bad", { code: "BAD_REQUEST" });
    for (let call = 0; call < 3; call++) await service.calculate(request());
    fails = anError;
    for (let call = 0; call < 3; call++) await service.calculate(request());
    await service.$bridge.idle();
    expect(countersOf(service).fellBack).toEqual({ FAILED: 4, REFUSED: 3, BREAKER_OPEN: 2 });
  });

  it("a late answer of an earlier call does not close the breaker while a trial call runs", async () => {
    const clock = new TestClock();
    const waiting: { resolve: (answer: Answer) => void; reject: (failure: Error) => void }[] = [];
    const modern: Pnl = {
      calculate: () => new Promise((resolve, reject) => waiting.push({ resolve, reject })),
    };
    const answering = { breaker, timeoutMs: 60_000 };
    const service = bridge<Pnl>({ legacy: good, modern, plan: modernAnswers, answering }, { clock });
    const early = service.calculate(request());
    const failing = [1, 2, 3].map(() => service.calculate(request()));
    for (const call of waiting.slice(1)) call.reject(anError());
    await Promise.all(failing);
    clock.advance(1_000);
    const trying = service.calculate(request());
    waiting[0]?.resolve({ pnl: 6 });
    await early;
    await service.calculate(request());
    expect([waiting.length, countersOf(service).fellBack]).toEqual([5, { FAILED: 3, BREAKER_OPEN: 1 }]);
    waiting[4]?.resolve({ pnl: 6 });
    await trying;
    await service.$bridge.idle();
  });

  it("each method has its own breaker", async () => {
    const breaker = { callsMin: 1, failureRatio: 0.5, windowMs: 10_000, openMs: 1_000 };
    const both = { good: good.calculate, bad: good.calculate };
    const service = bridge<typeof both>({
      legacy: both,
      modern: { good: good.calculate, bad: failing.calculate },
      plan: modernAnswers,
      answering: { breaker },
    });
    for (let call = 0; call < 3; call++) await Promise.all([service.good(request()), service.bad(request())]);
    expect(service.$bridge.counters.bad?.fellBack).toEqual({ FAILED: 1, BREAKER_OPEN: 2 });
    expect(service.$bridge.counters.good?.answered.modern).toBe(3);
    await service.$bridge.idle();
  });

  it.each<[string, Partial<ServiceBridgeOptions<Pnl>>]>([
    ["legacy lacks writes", { legacyIsFresh: () => false }],
    [
      "it is unknown whether legacy lacks writes",
      {
        legacyIsFresh: () => {
          throw new Error("unknown");
        },
      },
    ],
    ["new_only keeps legacy from being written", { plan: { ...modernAnswers, migrationMode: "new_only" } }],
    ["the window to legacy is closed", { plan: { phase: "cleanup", flags, legacyWindow: "closed" } }],
  ])("the caller gets modern's failure while %s", async (_, options) => {
    const legacy: Pnl = { calculate: () => expect.fail("was asked") };
    const breaker = { callsMin: 1, failureRatio: 0.5, windowMs: 10_000, openMs: 1_000 };
    const service = bridge<Pnl>({
      legacy,
      modern: failing,
      plan: modernAnswers,
      answering: { breaker },
      ...options,
    });
    await expect(service.calculate(request())).rejects.toThrow("boom");
    // The breaker is open by now. Modern is not asked, so the bridge itself fails the call.
    expect(thrownBy(() => service.calculate(request()))).toMatchObject({ thrown: { failure: "BUSY" } });
    expect(countersOf(service)).toMatchObject({ answered: { legacy: 0, modern: 2 }, fellBack: {} });
    await service.$bridge.idle();
  });

  it("legacy answers from the next call on when the kill switch is set", async () => {
    const modern: Pnl = { calculate: async () => ({ pnl: 0 }) };
    const service = bridge<Pnl>({ legacy: good, modern, plan: modernAnswers });
    expect(await service.calculate(request())).toEqual({ pnl: 0 });
    service.$bridge.setPlan({ ...modernAnswers, epoch: 2, useNewPnlSystem: false });
    expect(await service.calculate(request())).toEqual({ pnl: 6 });
    await service.$bridge.idle();
    expect(countersOf(service)).toMatchObject({ because: { PHASE: 1, KILL_SWITCH: 1 }, eligible: 1 });
  });
});

describe("a write", () => {
  interface Store {
    save(trade: object): Promise<string>;
  }
  const store = (name: string, saved: unknown[], fails = false): Store => ({
    save: async (trade) => {
      saved.push(trade);
      if (fails) throw new Error(`${name} is full`);
      return name;
    },
  });
  const methods = { save: { kind: "write" } } as const;

  it.each<[PlanInput, "legacy" | "modern"]>([
    [shadowing, "legacy"],
    [{ phase: "dual_write", flags, newSystemPercentage: 100 }, "legacy"],
    [modernAnswers, "modern"],
    [{ ...modernAnswers, useNewPnlSystem: false }, "legacy"],
    [{ ...modernAnswers, migrationMode: "old_only" }, "legacy"],
  ])("under %o goes to %s only, once, and is not shadowed", async (plan, side) => {
    const saved = { legacy: [] as unknown[], modern: [] as unknown[] };
    const service = bridge<Store>({
      legacy: store("legacy", saved.legacy),
      modern: store("modern", saved.modern),
      plan,
      methods,
    });
    const trade = { id: "1" };
    expect(await service.save(trade)).toBe(side);
    await service.$bridge.idle();
    expect(saved).toEqual({ legacy: [], modern: [], [side]: [trade] });
    expect(saved[side][0]).toBe(trade);
    expect(service.$bridge.counters.save).toMatchObject({ eligible: 0, answered: { [side]: 1 } });
  });

  it("that throws, is late or meets an open breaker is not repeated on the other side", async () => {
    const clock = new TestClock();
    const saved = { legacy: [] as unknown[], modern: [] as unknown[] };
    const breaker = { callsMin: 2, failureRatio: 0.5, windowMs: 10_000, openMs: 1_000 };
    let hangs = false;
    const full = store("modern", saved.modern, true);
    const modern: Store = { save: (trade) => (hangs ? never() : full.save(trade)) };
    const service = bridge<Store>(
      {
        legacy: store("legacy", saved.legacy),
        modern,
        plan: modernAnswers,
        methods,
        answering: { breaker, timeoutMs: 100 },
      },
      { clock },
    );
    await expect(service.save({})).rejects.toThrow("modern is full");
    hangs = true;
    const late = service.save({});
    clock.advance(100);
    await expect(late).rejects.toMatchObject({ failure: "TIMEOUT" });
    expect(thrownBy(() => service.save({}))).toMatchObject({ thrown: { failure: "BUSY" } });
    expect([saved.legacy.length, saved.modern.length]).toEqual([0, 1]);
    expect(service.$bridge.counters.save).toMatchObject({ fellBack: {}, answered: { legacy: 0, modern: 3 } });
  });
});

describe("a comparison", () => {
  const money = { pnl: 6_000 };

  it.each<[string, PlanInput]>([
    ["legacy", shadowing],
    ["modern", modernAnswers],
  ])("sees the same units as the caller, converted once, if %s answers", async (_, plan) => {
    const converted: string[] = [];
    const service = bridge<Pnl>({
      legacy: good,
      modern: { calculate: async () => money },
      plan,
      convert: {
        legacy: (method, answer) => {
          converted.push(method);
          return { pnl: (answer as Answer).pnl * 1_000 };
        },
      },
    });
    expect(await service.calculate(request())).toEqual(money);
    await service.$bridge.idle();
    expect(converted).toEqual(["calculate"]);
    expect(countersOf(service).verdicts).toEqual({ equal: 1 });
  });

  it("gets the same converted answer as the caller, even if legacy answers a fallback synchronously", async () => {
    const legacy = { points: (value: number) => value };
    const service = bridge<typeof legacy>({
      legacy,
      modern: { points: () => expect.fail("boom") },
      plan: modernAnswers,
      convert: { legacy: (_, answer) => (answer as number) * 1_000 },
    });
    expect(service.points(6)).toBe(6_000);
    await service.$bridge.idle();
  });

  it("applies the tolerances, the projection, and each exclusion until its day", async () => {
    const clock = new TestClock("2025-08-01T23:59:59Z");
    interface Wide {
      wide(): Promise<{ pnl: number; junk: number; note: string }>;
    }
    const side = (pnl: number, note: string): Wide => ({
      wide: async () => ({ pnl, junk: Math.PI * pnl, note }),
    });
    const service = bridge<Wide>(
      {
        legacy: side(1, "a"),
        modern: side(1.25, "b"),
        methods: {
          wide: {
            compare: {
              tolerances: { pnl: "0.25" },
              exclusions: [{ path: "note", reason: "free text", owner: "amy", until: "2025-08-01" }],
            },
            project: (answer) => {
              const { pnl, note } = answer as { pnl: number; note: string };
              return { pnl, note };
            },
          },
        },
      },
      { clock },
    );
    expect(await service.wide()).toEqual({ pnl: 1, junk: Math.PI, note: "a" });
    await service.$bridge.idle();
    expect(service.$bridge.counters.wide?.verdicts).toEqual({ within_tolerance: 1 });
    clock.advance(1_000);
    await service.wide();
    await service.$bridge.idle();
    expect(service.$bridge.counters.wide?.verdicts).toEqual({ within_tolerance: 1, diverged: 1 });
  });

  it("does not happen for an excluded method, and modern is not asked", async () => {
    const service = bridge<Pnl>({
      legacy: good,
      modern: { calculate: () => expect.fail("was asked") },
      methods: { calculate: { compare: false } },
    });
    await service.calculate(request());
    await service.$bridge.idle();
    expect(countersOf(service)).toMatchObject({ eligible: 1, excluded: 1, compared: 0 });
  });

  it("is not comparable if an answer cannot be copied", async () => {
    class Position {
      readonly pnl = 1;
    }
    const side = { position: async () => new Position() };
    const service = bridge<typeof side>({ legacy: side, modern: side });
    await service.position();
    await service.$bridge.idle();
    expect(service.$bridge.counters.position).toMatchObject({
      compared: 1,
      verdicts: { not_comparable: 1 },
      broken: 0,
    });
  });

  it("distinguishes dates, maps and sets, which have no fields", async () => {
    const side = (value: unknown) => ({ any: async () => value });
    for (const [one, other] of [
      [new Date(1), new Date(2)],
      [new Map([["ZN", 1]]), new Map([["ZN", 2]])],
      [new Set([1]), new Set([2])],
    ]) {
      const service = bridge<{ any(): Promise<unknown> }>({
        legacy: side({ one }),
        modern: side({ one: other }),
      });
      await service.any();
      await service.$bridge.idle();
      expect(service.$bridge.counters.any?.verdicts).toEqual({ diverged: 1 });
    }
  });

  const coded = (code: string, text: string): Error => Object.assign(new Error(text), { code });
  it.each<[string, unknown, unknown, "equal" | "error"]>([
    ["errors of one class is equal", new TypeError("a"), new TypeError("b"), "equal"],
    ["errors of two classes is an error", new TypeError("a"), new RangeError("a"), "error"],
    ["errors of one code is equal", coded("E1", "a"), coded("E1", "b"), "equal"],
    ["errors of two codes is an error", coded("E1", "a"), coded("E2", "a"), "error"],
    [
      "failures of one class is equal",
      new SystemFailure("DOWN", "a"),
      new SystemFailure("DOWN", "b"),
      "equal",
    ],
    [
      "failures of two classes is an error",
      new SystemFailure("DOWN", "a"),
      new SystemFailure("TIMEOUT", "a"),
      "error",
    ],
    [
      "refusals for one reason is equal",
      new SystemFailure("REFUSED", "a", { code: "NO_MARK" }),
      new SystemFailure("REFUSED", "b", { code: "NO_MARK" }),
      "equal",
    ],
    [
      "refusals for two reasons is an error",
      new SystemFailure("REFUSED", "a", { code: "NO_MARK" }),
      new SystemFailure("REFUSED", "a", { code: "NO_LOT" }),
      "error",
    ],
    ["two thrown numbers is equal", 0, 1, "equal"],
    ["a thrown number and a thrown text is an error", 0, "0", "error"],
  ])("of %s", async (_, ours, theirs, verdict) => {
    const comparisons: CallComparison[] = [];
    const service = bridge<Pnl>({
      legacy: { calculate: () => Promise.reject(ours) },
      modern: { calculate: () => Promise.reject(theirs) },
      onComparison: (comparison) => comparisons.push(comparison),
    });
    await expect(service.calculate(request())).rejects.toBe(ours);
    await service.$bridge.idle();
    expect(comparisons).toMatchObject([
      { verdict, legacy: { error: expect.any(String) }, modern: { error: expect.any(String) } },
    ]);
    expect(countersOf(service)).toMatchObject(
      verdict === "equal" ? { compared: 1, errors: 0 } : { compared: 0, errors: 1 },
    );
  });

  it("of legacy with itself measures noise: legacy is asked twice, modern never, and the order is random", async () => {
    let asked = 0;
    const legacy: Pnl = { calculate: async () => ({ pnl: asked++ }) };
    const comparisons: CallComparison[] = [];
    const service = bridge<Pnl>({
      legacy,
      modern: { calculate: () => expect.fail("was asked") },
      shadow: { controlRatio: 1 },
      onComparison: (comparison) => comparisons.push(comparison),
    });
    for (let call = 0; call < 200; call++) {
      expect(await service.calculate(request())).toEqual({ pnl: 2 * call });
      await service.$bridge.idle();
    }
    expect(countersOf(service)).toMatchObject({ eligible: 200, verdicts: { diverged: 200 } });
    expect(new Set(comparisons.map(({ kind, answered }) => `${kind} ${answered}`))).toEqual(
      new Set(["aa legacy"]),
    );
    const turned = comparisons.filter(({ fields }) => fields[0]?.difference === "-1").length;
    expect(turned).toBeGreaterThan(60);
    expect(turned).toBeLessThan(140);
  });

  it("of legacy with itself takes its share of the calls, and modern shadows the rest", async () => {
    const kinds: string[] = [];
    const service = bridge<Pnl>({
      legacy: good,
      modern: good,
      shadow: { controlRatio: 0.1 },
      onComparison: ({ kind }) => kinds.push(kind),
    });
    for (let call = 0; call < 2_000; call++) await service.calculate(request());
    await service.$bridge.idle();
    expect(kinds.length).toBe(2_000);
    const share = kinds.filter((kind) => kind === "aa").length / 2_000;
    expect(Math.abs(share - 0.1)).toBeLessThan(4 * Math.sqrt((0.1 * 0.9) / 2_000));
  });

  it("happens for the share of calls that the plan names", async () => {
    const service = bridge<Pnl>({
      legacy: good,
      modern: good,
      plan: { ...shadowing, shadowSampleRatio: 0.2 },
    });
    for (let call = 0; call < 5_000; call++) await service.calculate(request());
    await service.$bridge.idle();
    const { sampledOut, eligible, compared } = countersOf(service);
    expect([sampledOut + eligible, eligible]).toEqual([5_000, compared]);
    expect(Math.abs(eligible / 5_000 - 0.2)).toBeLessThan(4 * Math.sqrt((0.2 * 0.8) / 5_000));
  });

  it("follows the plan under which its call began", async () => {
    const epochs: number[] = [];
    let answer: (value: Answer) => void = () => {};
    const service = bridge<Pnl>({
      legacy: { calculate: () => new Promise((resolve) => (answer = resolve)) },
      modern: good,
      plan: { ...shadowing, epoch: 7 },
      onComparison: ({ epoch }) => epochs.push(epoch),
    });
    const waiting = service.calculate(request());
    service.$bridge.setPlan({ phase: "read_only", epoch: 8 });
    answer({ pnl: 6 });
    await waiting;
    await service.$bridge.idle();
    expect([epochs, service.$bridge.plan.epoch]).toEqual([[7], 8]);
    service.calculate(request());
    expect(countersOf(service)).toMatchObject({ calls: 2, eligible: 1 });
  });

  it("of a fallback follows the plan under which its call began", async () => {
    const clock = new TestClock();
    const service = bridge<Pnl>(
      { legacy: good, modern: { calculate: never }, plan: modernAnswers, answering: { timeoutMs: 100 } },
      { clock },
    );
    const waiting = service.calculate(request());
    service.$bridge.setPlan({ phase: "cleanup", flags, legacyWindow: "closed", epoch: 2 });
    clock.advance(100);
    expect(await waiting).toEqual({ pnl: 6 });
  });
});

describe("samples", () => {
  it("are at most ten for each method, field and verdict, drawn from all comparisons", async () => {
    let call = 0;
    const service = bridge<Pnl>({
      legacy: good,
      modern: { calculate: async () => ({ pnl: call++ === 0 ? Number.NaN : call }) },
      methods: { calculate: { compare: { tolerances: { pnl: "100" } } } },
    });
    for (let left = 2_000; left > 0; left--) await service.calculate(request());
    await service.$bridge.idle();
    const { samples } = service.$bridge;
    const of = (verdict: string): number[] =>
      samples.filter((sample) => sample.verdict === verdict).map(({ fields }) => Number(fields[0]?.modern));
    expect([of("within_tolerance").length, of("diverged").length, samples.length]).toEqual([10, 10, 20]);
    expect(Math.max(...of("diverged"))).toBeGreaterThan(1_000);
  });

  it("are of a limited number of kinds, however many fields differ", async () => {
    const side = (value: number) => ({ any: async (call: number) => ({ [`field-${call}`]: value }) });
    const service = bridge<ReturnType<typeof side>>({ legacy: side(1), modern: side(2) });
    for (let call = 0; call < 1_000; call++) await service.any(call);
    await service.$bridge.idle();
    expect(service.$bridge.counters.any?.verdicts.diverged).toBe(1_000);
    expect(service.$bridge.samples.length).toBe(500);
  });

  it("contain no comparison twice, and none with the verdict `equal`", async () => {
    const service = bridge<{ both(equal: boolean): Promise<object> }>({
      legacy: { both: async () => ({ a: 1, b: 1, list: [1, 1] }) },
      modern: {
        both: async (equal) => (equal ? { a: 1, b: 1, list: [1, 1] } : { a: 2, b: 2, list: [2, 2] }),
      },
    });
    for (const equal of [true, false, true]) await service.both(equal);
    await service.$bridge.idle();
    expect(service.$bridge.samples.map(({ verdict, fields }) => [verdict, fields.length])).toEqual([
      ["diverged", 4],
    ]);
  });
});

describe("closing", () => {
  it("sheds running and new shadow calls, while the methods continue to answer", async () => {
    const clock = new TestClock();
    const signals: AbortSignal[] = [];
    const modern: Pnl = {
      calculate: () => {
        signals.push(currentCall()?.signal as AbortSignal);
        return never();
      },
    };
    const service = bridge<Pnl>({ legacy: good, modern }, { clock });
    await service.calculate(request());
    await turn();
    await service.$bridge.close();
    await service.$bridge.idle();
    expect(await service.calculate(request())).toEqual({ pnl: 6 });
    expect(countersOf(service)).toMatchObject({ eligible: 2, shed: { closed: 2 }, underWay: 0 });
    expect([signals.length, signals[0]?.aborted, clock.timers]).toEqual([1, true, 0]);
  });

  it("may be done twice", async () => {
    const service = bridge<Pnl>({ legacy: good, modern: good });
    await service.$bridge.close();
    await service.$bridge.close();
  });
});

it("idle() keeps the program alive until the last shadow call has ended, and no longer", async () => {
  const clock = new TestClock();
  const service = bridge<Pnl>(
    { legacy: good, modern: { calculate: never }, shadow: { timeoutMs: 100 } },
    { clock },
  );
  await service.calculate(request());
  await turn();
  expect(clock.keepsAlive).toBe(false);
  const idle = service.$bridge.idle();
  expect(clock.keepsAlive).toBe(true);
  clock.advance(200);
  await idle;
  expect([clock.keepsAlive, clock.timers]).toEqual([false, 0]);
});

it("the timer of the deadlines stops when no shadow call is in flight", async () => {
  const clock = new TestClock();
  const service = bridge<Pnl>({ legacy: good, modern: good }, { clock });
  await service.calculate(request());
  await service.$bridge.idle();
  clock.advance(100);
  expect(clock.timers).toBe(0);
});

describe("evidence", () => {
  class Store implements EvidenceStore {
    readonly records: ComparisonRecord[] = [];
    refusals = 0;
    async append(records: readonly ComparisonRecord[]): Promise<void> {
      if (this.refusals-- > 0) throw new Error("the disk is full");
      this.records.push(...records);
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

  it("of every comparison reaches the store, even if the store fails for a while", async () => {
    const [clock, store] = [new TestClock(), new Store()];
    store.refusals = 2;
    const service = bridge<Pnl>(
      {
        legacy: good,
        modern: { calculate: async ({ book }) => ({ pnl: book === "EQ" ? 0 : 6 }) },
        evidence: store,
        keyOf: (_, [given]) => ({ user: "amy", book: (given as Request).book }),
      },
      { clock },
    );
    for (const book of ["UST", "EQ", "UST"]) await service.calculate({ ...request(), book });
    await service.$bridge.idle();
    for (let batch = 0; batch < 4; batch++) {
      clock.advance(250);
      await turn();
    }
    expect(
      store.records.map(({ verdict, unit, epoch, kind, legacyError }) => [
        verdict,
        unit,
        epoch,
        kind,
        legacyError,
      ]),
    ).toEqual([
      ["equal", "UST", 1, "ab", null],
      ["diverged", "EQ", 1, "ab", null],
      ["equal", "UST", 1, "ab", null],
    ]);
    const [first, second, third] = store.records.map(({ fingerprint }) => fingerprint);
    expect([first === third, first === second, service.$bridge.evidenceDropped]).toEqual([true, false, 0]);
  });

  it("has the number of unequal fields that it does not list, and of values that an exclusion left out", async () => {
    const [clock, store] = [new TestClock(), new Store()];
    const answer = (value: number) =>
      Object.fromEntries(Array.from({ length: 25 }, (_, at) => [`f${at}`, value]));
    const exclusion = { path: "f0", reason: "not kept", owner: "desk-risk", until: "9999-12-31" };
    const service = bridge<{ read: () => Promise<object> }>(
      {
        legacy: { read: async () => answer(1) },
        modern: { read: async () => answer(2) },
        methods: { read: { compare: { exclusions: [exclusion] } } },
        evidence: store,
      },
      { clock },
    );
    await service.read();
    await service.$bridge.idle();
    clock.advance(250);
    await turn();
    expect(store.records).toMatchObject([{ fields: { length: 20 }, more: 4, excluded: 1 }]);
  });

  it("that the store refuses is dropped and counted on close, and does not affect the caller", async () => {
    const store = new Store();
    store.refusals = 1_000;
    const service = bridge<Pnl>({ legacy: good, modern: good, evidence: store });
    for (let call = 0; call < 5; call++) await service.calculate(request());
    await service.$bridge.idle();
    await service.$bridge.close();
    expect(service.$bridge.evidenceDropped).toBe(5);
  });
});

describe("under any combination of failures", () => {
  type Ending = "answers" | "differs" | "throws" | "rejects" | "hangs" | "is late";
  const ending = (endings: readonly Ending[]): fc.Arbitrary<Ending> => fc.constantFrom(...endings);
  const call = fc.record({
    legacy: ending(["answers", "throws", "rejects"]),
    modern: ending(["answers", "differs", "throws", "rejects", "hangs", "is late"]),
    phase: fc.constantFrom("read_only", "shadow_mode", "dual_write", "primary_switch", "cleanup" as const),
    isWrite: fc.boolean(),
    overload: fc.boolean(),
    waitMs: fc.constantFrom(0, 0, 5, 200),
  });

  it("every call is answered by one side and every comparison is accounted for", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(call, { maxLength: 60 }), fc.integer(), async (calls, seed) => {
        const clock = new TestClock();
        const random = randomFrom(seed);
        let overload: Overload | undefined;
        const act = (how: Ending, pnl: number): Promise<Answer> => {
          if (how === "throws") throw new Error("thrown");
          if (how === "rejects") return Promise.reject(new Error("rejected"));
          if (how === "hangs") return never();
          if (how === "is late")
            return new Promise((resolve) => void clock.every(150, () => resolve({ pnl })));
          return Promise.resolve({ pnl: how === "differs" ? pnl + 1 : pnl });
        };
        interface Both {
          read(how: { legacy: Ending; modern: Ending }, pnl: number): Promise<Answer>;
          write(how: { legacy: Ending; modern: Ending }, pnl: number): Promise<Answer>;
        }
        const side = (name: "legacy" | "modern"): Both => ({
          read: (how, pnl) => act(how[name], pnl),
          write: (how, pnl) => act(how[name], pnl),
        });
        const service = bridge<Both>(
          {
            legacy: side("legacy"),
            modern: side("modern"),
            methods: { write: { kind: "write" } },
            shadow: { timeoutMs: 100, inFlightMax: 5, inFlightPerMethodMax: 4, controlRatio: 0.2 },
            answering: {
              timeoutMs: 100,
              breaker: { callsMin: 5, failureRatio: 0.5, windowMs: 1_000, openMs: 300 },
            },
            keyOf: () => ({ user: random.pick(["amy", "bob", "carl"]) }),
            onComparison: () => {
              if (random.chance(0.1)) throw new Error("boom");
            },
          },
          { clock, draw: random.unit, load: { overload: () => overload } },
        );
        const ended: Promise<unknown>[] = [];
        for (const [pnl, { legacy, modern, phase, isWrite, overload: isShort, waitMs }] of calls.entries()) {
          overload = isShort ? "event_loop_lag" : undefined;
          service.$bridge.setPlan({
            phase,
            flags,
            epoch: pnl,
            newSystemPercentage: 50,
            shadowSampleRatio: 0.9,
          });
          const answered = outcomeOf(() => service[isWrite ? "write" : "read"]({ legacy, modern }, pnl));
          ended.push(
            answered.then((outcome) => {
              // If legacy answers, the caller gets legacy's outcome.
              if (phase === "read_only" || phase === "shadow_mode")
                expect(outcome).toBe(
                  legacy === "answers" ? `${pnl}` : legacy === "throws" ? "thrown" : "rejected",
                );
              return outcome;
            }),
          );
          if (waitMs > 0) clock.advance(waitMs);
          if (random.chance(0.5)) await turn();
          for (const counters of Object.values(service.$bridge.counters)) expectToAddUp(counters);
        }
        for (let left = 5; left > 0; left--) {
          await turn();
          clock.advance(100);
        }
        await Promise.all(ended);
        await service.$bridge.idle();
        const { read, write } = service.$bridge.counters;
        expect([read?.underWay, (read?.calls ?? 0) + (write?.calls ?? 0), write?.eligible]).toEqual([
          0,
          calls.length,
          0,
        ]);
        expect(service.$bridge.inFlightPeak).toBeLessThanOrEqual(5);
      }),
      { numRuns: 200 },
    );
  });
});

/** A thenable that is not a promise. */
function thenable(
  then: (resolve: (value: unknown) => void, reject: (failure: unknown) => void) => void,
): PromiseLike<unknown> {
  return Object.defineProperty({}, thenName, { value: then }) as PromiseLike<unknown>;
}

const uninspectable = (): object =>
  Object.defineProperty({}, thenName, { get: () => expect.fail("was inspected") });

const thenName = "then";

function thrownBy(work: () => unknown): { readonly thrown: unknown } | undefined {
  try {
    work();
    return undefined;
  } catch (thrown) {
    return { thrown };
  }
}

async function outcomeOf(work: () => Promise<Answer>): Promise<string> {
  try {
    return `${(await work()).pnl}`;
  } catch (failure) {
    return (failure as Error).message;
  }
}
