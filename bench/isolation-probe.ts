/**
 * `node bench/isolation-probe.ts LIBRARY PROBE` measures how one library affects its callers when the modern
 * side behaves badly in one way. Each probe has a process of its own, since some libraries end the process.
 * Prints a finding as JSON.
 */
import { CommandSystem } from "../src/adapters/worker/index.ts";
import { inThread } from "../src/app/bridge/in-thread.ts";
import { createServiceBridge } from "../src/app/bridge/service.ts";
import { type BridgedService, currentCall } from "../src/bridges/service/index.ts";
import { median } from "./measure.ts";
import {
  launchDarkly,
  type Shadowed,
  type TwoSides,
  withLaunchDarkly,
  withTrello,
  withTzientist,
} from "./other-libraries.ts";

export interface Finding {
  readonly ok: boolean;
  readonly what: string;
}

export interface Probe {
  /** The behaviour of the modern side. */
  readonly what: string;
  readonly wants: string;
  /** Runs the probe with any library; modern is a function in this process. */
  readonly inProcess?: (make: Make) => Promise<Finding>;
  /**
   * Runs the probe with our bridge and modern in a thread or a process, which the other libraries do not
   * offer.
   */
  readonly outside?: () => Promise<Finding>;
}

interface Request {
  pnl: number;
}
interface Answer {
  pnl: number;
}
interface Desk {
  calculate(request: Request): Promise<Answer>;
}
interface Made {
  readonly call: Shadowed<Request, Answer>;
  /** The number of timeouts that the library counted. Undefined if it counts none. */
  readonly timeouts: () => number | undefined;
}
type Sides = Pick<TwoSides<Request, Answer>, "legacy" | "modern" | "onComparison">;
type Make = (sides: Sides) => Promise<Made>;

const timeoutMs = 250;
const legacyMs = 2;

const agree = (legacy: Answer, modern: Answer): boolean => legacy.pnl === modern.pnl;
const noCount = { timeouts: () => undefined };

export const libraries = {
  ours: async (sides: Sides): Promise<Made> => {
    const service = oursWith(sides);
    return {
      call: (request) => service.calculate(request),
      timeouts: () => service.$bridge.counters.calculate?.timeouts,
    };
  },
  tzientist: async (sides: Sides): Promise<Made> => ({
    call: withTzientist({ ...sides, agree }),
    ...noCount,
  }),
  scientist: async (sides: Sides): Promise<Made> => ({ call: withTrello({ ...sides, agree }), ...noCount }),
  LaunchDarkly: async (sides: Sides): Promise<Made> => ({
    call: withLaunchDarkly(await launchDarkly("shadow"), { ...sides, agree }),
    ...noCount,
  }),
} as const satisfies Record<string, Make>;
export type LibraryName = keyof typeof libraries;

function oursWith({ legacy, modern, onComparison }: Sides): BridgedService<Desk> {
  return createServiceBridge<Desk>({
    legacy: { calculate: legacy },
    modern: { calculate: modern },
    plan: { phase: "shadow_mode" },
    shadow: { timeoutMs },
    ...(onComparison === undefined
      ? {}
      : { onComparison: ({ verdict }) => onComparison(verdict === "equal") }),
  });
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const legacy = async ({ pnl }: Request): Promise<Answer> => {
  await sleep(legacyMs);
  return { pnl };
};
const never = (): Promise<never> => new Promise(() => {});

export const probes: Readonly<Record<string, Probe>> = {
  slow: {
    what: "takes 100 ms, legacy 2 ms",
    wants: "caller within 0.5 ms of a direct call",
    inProcess: async (make) =>
      delayed(await make({ legacy, modern: (request) => sleep(100).then(() => request) }), 30),
  },
  hangs: {
    what: "never settles",
    wants: "answered at once, and counted as a timeout",
    inProcess: async (make) => {
      const { call, timeouts } = await make({ legacy, modern: never });
      const answered = await answerOf(call);
      if (!answered.ok) return answered;
      await sleep(2 * timeoutMs);
      return timeouts() === 1
        ? { ok: true, what: "answered, 1 timeout" }
        : { ok: false, what: "answered, but the timeout is not reported" };
    },
  },
  "throws at once": {
    what: "throws before it returns a promise",
    wants: "answered",
    inProcess: async (make) => {
      const modern = (): never => {
        throw new Error("boom");
      };
      return answerOf((await make({ legacy, modern })).call);
    },
  },
  "callback throws": {
    what: "works, but the callback for comparisons throws",
    wants: "answered, and nothing unhandled",
    inProcess: async (make) => {
      const boom = (): never => {
        throw new Error("boom");
      };
      const { call } = await make({ legacy, modern: legacy, onComparison: boom });
      const answered = await answerOf(call);
      await sleep(50);
      return answered;
    },
  },
  "legacy throws 0": {
    what: "works, and legacy does `throw 0`",
    wants: "the caller's rejection is 0",
    inProcess: async (make) => {
      const { call } = await make({
        legacy: async () => {
          throw 0;
        },
        modern: legacy,
      });
      try {
        const answer = await within(1_000, call({ pnl: 100 }));
        return { ok: false, what: `the failure is lost: answered ${JSON.stringify(answer)}` };
      } catch (failure) {
        return { ok: failure === 0, what: failure === 0 ? "rejected with 0" : String(failure) };
      }
    },
  },
  "changes its input": {
    what: "writes 999 into the request while legacy works",
    wants: "legacy reads 100",
    inProcess: async (make) => {
      const { call } = await make({
        legacy: async (request) => {
          await sleep(20);
          return { pnl: request.pnl };
        },
        modern: async (request) => {
          request.pnl = 999;
          return { pnl: 999 };
        },
      });
      const { pnl } = await call({ pnl: 100 });
      return { ok: pnl === 100, what: `legacy read ${pnl}` };
    },
  },
  "caller changes the answer": {
    what: "takes 20 ms, while the caller changes its answer",
    wants: "compared equal, as the answers were before the change",
    inProcess: async (make) => {
      const comparisons: boolean[] = [];
      const { call } = await make({
        legacy,
        modern: (request) => sleep(20).then(() => ({ pnl: request.pnl })),
        onComparison: (agreed) => comparisons.push(agreed),
      });
      const answer = await call({ pnl: 100 });
      answer.pnl = -1;
      await sleep(100);
      return {
        ok: comparisons[0] === true,
        what: comparisons[0] === undefined ? "not compared" : comparisons[0] ? "equal" : "a false mismatch",
      };
    },
  },
  "burns CPU": {
    what: "computes for 20 ms (ours: in a thread)",
    wants: "caller within 0.5 ms of a direct call",
    inProcess: async (make) => {
      const burn = async (request: Request): Promise<Answer> => {
        for (const untilMs = performance.now() + 20; performance.now() < untilMs; );
        return { pnl: request.pnl };
      };
      return delayed(await make({ legacy, modern: burn }), 20);
    },
    outside: async () => {
      const thread = inThread<Desk>(new URL("isolation-worker.ts", import.meta.url), "burner");
      await thread.start();
      const service = oursWith({ legacy, modern: (request) => thread.service.calculate(request) });
      const finding = await delayed({ call: (request) => service.calculate(request), ...noCount }, 20);
      await service.$bridge.idle();
      const { equal = 0 } = service.$bridge.counters.calculate?.verdicts ?? {};
      await thread.close();
      return { ok: finding.ok && equal > 0, what: finding.what };
    },
  },
  burst: {
    what: "takes 20 ms, and 2 000 calls arrive at once",
    wants: "at most 64 in flight, callers done in legacy's time (+ 30 ms)",
    inProcess: async (make) => {
      let [inFlight, peak] = [0, 0];
      const { call } = await make({
        legacy,
        modern: async (request) => {
          inFlight += 1;
          peak = Math.max(peak, inFlight);
          await sleep(20);
          inFlight -= 1;
          return { pnl: request.pnl };
        },
      });
      const burst = async (work: Shadowed<Request, Answer>): Promise<number> => {
        const startedMs = performance.now();
        await Promise.all(Array.from({ length: 2_000 }, (_, pnl) => work({ pnl })));
        return performance.now() - startedMs;
      };
      await burst(legacy);
      const [directMs, bridgedMs] = [await burst(legacy), await burst(call)];
      return {
        ok: peak > 0 && peak <= 64 && bridgedMs <= directMs + 30,
        what: `${peak} in flight, ${Math.round(bridgedMs)} ms (direct ${Math.round(directMs)} ms)`,
      };
    },
  },
  "rejects late": {
    what: `rejects 50 ms after a deadline of ${timeoutMs} ms`,
    wants: "answered at once, and no unhandled rejection",
    inProcess: async (make) => {
      const { call } = await make({
        legacy,
        modern: async () => {
          await sleep(timeoutMs + 50);
          throw new Error("too late");
        },
      });
      const answered = await answerOf(call);
      await sleep(2 * timeoutMs);
      return answered;
    },
  },
  "prints garbage": {
    what: "is a worker that prints invalid lines between its answers",
    wants: "answered and compared equal",
    outside: () =>
      withWorker("garbage", {}, async ({ service, system }) => {
        const answered = await answerOf((request) => service.calculate(request));
        await service.$bridge.idle();
        const { equal = 0 } = service.$bridge.counters.calculate?.verdicts ?? {};
        const { garbage, unknown } = system.counters;
        return {
          ok: answered.ok && equal === 1,
          what: `${equal} of 1 equal, ${garbage + unknown} lines ignored`,
        };
      }),
  },
  "is killed": {
    what: "is a worker that is killed in the middle of a call",
    wants: "answered, counted as an error",
    outside: () =>
      withWorker("killed", {}, async ({ service, system }) => {
        const answered = await answerOf((request) => service.calculate(request));
        await sleep(20);
        if (system.pid !== undefined) process.kill(system.pid, "SIGKILL");
        await service.$bridge.idle();
        const errors = service.$bridge.counters.calculate?.errors;
        return {
          ok: answered.ok && errors === 1,
          what: `${answered.what}, counted errors: ${errors}: ${service.$bridge.samples[0]?.modern.error}`,
        };
      }),
  },
  "answers out of order": {
    what: "is a worker that answers the last of 8 calls first",
    wants: "each compared with its own answer",
    outside: () =>
      withWorker("disorder", {}, async ({ service }) => {
        const requests = Array.from({ length: 8 }, (_, pnl) => ({ pnl }));
        const answers = await Promise.all(requests.map((request) => service.calculate(request)));
        await service.$bridge.idle();
        const { equal = 0 } = service.$bridge.counters.calculate?.verdicts ?? {};
        return { ok: equal === 8 && answers.every(({ pnl }, at) => pnl === at), what: `${equal} of 8 equal` };
      }),
  },
  "answers 200 MB": {
    what: "is a worker that answers a line of 200 MB (limit 32 MiB)",
    wants: "answered, counted as an error, less than 100 MB of additional memory",
    outside: () =>
      withWorker("huge", { timeoutMs: 10_000 }, async ({ service }) => {
        const before = process.memoryUsage.rss();
        const answered = await answerOf((request) => service.calculate(request));
        let peak = 0;
        const watch = setInterval(() => {
          peak = Math.max(peak, process.memoryUsage.rss() - before);
        }, 5);
        await service.$bridge.idle();
        clearInterval(watch);
        const error = service.$bridge.samples[0]?.modern.error ?? "no error";
        return {
          ok: answered.ok && error.startsWith("TOO_LARGE") && peak < 100e6,
          what: `${answered.what}, ${error.split(":")[0]}, ${Math.round(peak / 1e6)} MB more`,
        };
      }),
  },
};

/**
 * Checks that the caller gets the right answer within 50 ms, which is generous for legacy's 2 ms on a busy
 * machine.
 */
async function answerOf(call: Shadowed<Request, Answer>): Promise<Finding> {
  const startedMs = performance.now();
  try {
    const answer = await within(1_000, call({ pnl: 100 }));
    if (answer === undefined) return { ok: false, what: "the caller hangs" };
    const ms = performance.now() - startedMs;
    return { ok: ms < 50 && answer.pnl === 100, what: `answered after ${ms.toFixed(1)} ms` };
  } catch (failure) {
    return { ok: false, what: `the caller is rejected: ${String(failure)}` };
  }
}

/** Measures the delay against a direct call; both kinds of calls alternate. */
async function delayed({ call }: Made, count: number): Promise<Finding> {
  const [direct, bridged]: [number[], number[]] = [[], []];
  for (let turn = -2; turn < count; turn++)
    for (const [work, times] of [
      [legacy, direct],
      [call, bridged],
    ] as const) {
      const startedMs = performance.now();
      await work({ pnl: turn });
      if (turn >= 0) times.push(performance.now() - startedMs);
      // Work that the last call left behind must not be measured with the next one.
      await sleep(30);
    }
  const laterMs = median(bridged) - median(direct);
  return { ok: laterMs <= 0.5, what: `${laterMs < 0 ? "" : "+"}${laterMs.toFixed(2)} ms` };
}

const within = <T>(ms: number, work: Promise<T>): Promise<T | undefined> =>
  Promise.race([work, sleep(ms).then(() => undefined)]);

async function withWorker(
  behaviour: string,
  limits: { readonly timeoutMs?: number },
  probe: (made: {
    readonly service: BridgedService<Desk>;
    readonly system: CommandSystem;
  }) => Promise<Finding>,
): Promise<Finding> {
  const script = new URL("isolation-worker.ts", import.meta.url).pathname;
  const system = new CommandSystem({ name: "probe", command: [process.execPath, script, behaviour] });
  await system.start();
  const service = createServiceBridge<Desk>({
    legacy: { calculate: legacy },
    modern: {
      calculate: async (request) => {
        const { deadlineMs, signal } = currentCall() as NonNullable<ReturnType<typeof currentCall>>;
        return (await system.invoke(
          "calculate",
          { ...request },
          { deadlineMs, signal },
        )) as unknown as Answer;
      },
    },
    plan: { phase: "shadow_mode" },
    shadow: { timeoutMs: 2_000, ...limits },
  });
  try {
    return await probe({ service, system });
  } finally {
    await system.close();
  }
}

if (import.meta.main) {
  let unhandled = "";
  process.on("unhandledRejection", (reason) => {
    unhandled = `unhandled rejection: ${String(reason)}`;
  });
  process.on("uncaughtException", (error) => {
    unhandled = `uncaught: ${String(error)}`;
  });
  const [library, name] = process.argv.slice(2) as [LibraryName, string];
  const { inProcess, outside } = probes[name] as Probe;
  const finding =
    library === "ours" && outside !== undefined
      ? await outside()
      : await inProcess?.((sides) => libraries[library](sides));
  console.log(JSON.stringify(unhandled === "" ? finding : { ok: false, what: unhandled }));
  process.exit(0);
}
