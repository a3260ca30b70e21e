/**
 * `node --expose-gc bench/overhead-variant.ts NAME` measures one way to call a function that does almost
 * nothing, in a process of its own, so that no variant affects another. Prints nanoseconds per call, the
 * median of its batches.
 */
import { systemClock } from "../src/adapters/host/index.ts";
import type { BridgeCore, BridgeOptions } from "../src/bridges/core/bridge-core.ts";
import { bridgeServices, type ServiceBridgeHost } from "../src/bridges/service/index.ts";
import type { PlanInput } from "../src/domain/migration/plan.ts";
import { median } from "./measure.ts";
import { launchDarkly, type TwoSides, withLaunchDarkly, withTzientist } from "./other-libraries.ts";

export interface Variant {
  readonly call: (request: Request) => unknown;
  /**
   * Awaited at the end of each batch and measured with it, so that work after the caller's answer counts as
   * well.
   */
  readonly drain?: () => Promise<void>;
  /** The number of calls that were compared. */
  readonly compared?: () => number;
}

interface Request {
  readonly book: string;
  readonly asOf: string;
}

type Answer = Readonly<Record<string, number>>;

const batches = 60;
const callsOfBatch = 2_500;
/**
 * A round of `withEvidence` has several batches, because systems count processor time in steps of 10 ms.
 */
const batchesOfRound = 8;
export const callsOfRound = batchesOfRound * callsOfBatch;
const request: Request = { book: "UST", asOf: "2025-07-24" };
const names = [
  "quantity",
  "averagePrice",
  "realized",
  "unrealized",
  "total",
  "fees",
  "mark",
  "high",
  "low",
  "delta",
];
const tolerance = 0.01;

/**
 * Answers of ten fields. Modern's fields are all equal to legacy's, or all different within the tolerance.
 */
const legacyAnswer: Answer = Object.fromEntries(names.map((name, at) => [name, 1000.25 * (at + 1)]));
const nearAnswer: Answer = Object.fromEntries(names.map((name, at) => [name, 1000.25 * (at + 1) + 0.001]));
const sidesWith = (modernAnswer: Answer): TwoSides<Request, Answer> => ({
  legacy: async () => ({ ...legacyAnswer }),
  modern: async () => ({ ...modernAnswer }),
  agree: (legacy, modern) => {
    for (const name of names)
      if (!(Math.abs((legacy[name] as number) - (modern[name] as number)) <= tolerance)) return false;
    return true;
  },
});
const [equal, near] = [sidesWith(legacyAnswer), sidesWith(nearAnswer)];

export const variants = {
  direct: async () => ({ call: near.legacy }),
  "ours, legacy only": async () => ours({ phase: "read_only" }, near),
  "ours, sampled out": async () => ours({ phase: "shadow_mode", shadowSampleRatio: 0 }, near),
  "ours, shadow, equal": async () => ours({ phase: "shadow_mode" }, equal),
  "ours, shadow, within tolerance": async () => ours({ phase: "shadow_mode" }, near),
  tzientist: async () => counted((onComparison) => withTzientist({ ...near, onComparison })),
  "LaunchDarkly, off": async () => ({ call: withLaunchDarkly(await launchDarkly("off"), near) }),
  "LaunchDarkly, shadow": async () => launchDarklyShadow("none"),
  "LaunchDarkly, shadow, events made": async () => launchDarklyShadow("made"),
} as const satisfies Record<string, () => Promise<Variant>>;
export type VariantName = keyof typeof variants;

async function launchDarklyShadow(events: "none" | "made"): Promise<Variant> {
  const client = await launchDarkly("shadow", events);
  return counted((onComparison) => withLaunchDarkly(client, { ...near, onComparison }));
}

type EvidenceOptions = Pick<BridgeOptions, "evidence" | "tally">;

/**
 * A bridge in shadow mode with equal answers that may keep its comparisons and count them for the gates.
 * Returns a function that makes a round of calls, waits until their comparisons are stored, and returns the
 * processor time of this thread in milliseconds, which does not include waiting for the disk.
 */
export async function withEvidence(options: EvidenceOptions): Promise<() => Promise<number>> {
  const { call, drain, core } = ours({ phase: "shadow_mode" }, equal, options);
  await core.setEvidenceKey("key");
  return async () => {
    const before = process.threadCpuUsage();
    for (let batch = 0; batch < batchesOfRound; batch++) {
      for (let left = callsOfBatch; left > 0; left--) await call(request);
      await drain?.();
      await core.flush();
    }
    const { user, system } = process.threadCpuUsage(before);
    if (core.evidenceDropped > 0) throw new Error(`${core.evidenceDropped} comparisons were not kept`);
    return (user + system) / 1_000;
  };
}

/**
 * A bridge as a desk would have it, except that it never sheds a comparison because the machine is
 * overloaded.
 */
function ours(
  plan: PlanInput,
  { legacy, modern }: TwoSides<Request, Answer>,
  options: EvidenceOptions = {},
): Variant & { readonly core: BridgeCore } {
  const host: ServiceBridgeHost = {
    clock: systemClock,
    load: { overload: () => undefined },
    draw: Math.random,
  };
  const bridge = bridgeServices<{ calculatePnl: typeof legacy }>(
    {
      ...options,
      legacy: { calculatePnl: legacy },
      modern: { calculatePnl: modern },
      plan,
      methods: {
        calculatePnl: {
          compare: { tolerances: Object.fromEntries(names.map((name) => [name, `${tolerance}`])) },
        },
      },
    },
    host,
  );
  return {
    core: bridge.$bridge as BridgeCore,
    call: (request) => bridge.calculatePnl(request),
    drain: () => bridge.$bridge.idle(),
    compared: () => {
      const { equal: alike = 0, within_tolerance: near = 0 } =
        bridge.$bridge.counters.calculatePnl?.verdicts ?? {};
      return alike + near;
    },
  };
}

function counted(make: (onComparison: (agreed: boolean) => void) => Variant["call"]): Variant {
  let compared = 0;
  const call = make((agreed) => {
    if (agreed) compared += 1;
  });
  return { call, compared: () => compared };
}

async function nanosecondsPerCall({ call, drain, compared }: Variant): Promise<number> {
  const times: number[] = [];
  for (let batch = 0; batch < batches; batch++) {
    // Timers and the garbage collector run outside the measured time. A full collection would also discard
    // compiled code that depends on objects which are not alive between two batches, and each batch would
    // then measure the compiler.
    await new Promise(setImmediate);
    globalThis.gc?.({ type: "minor" });
    const startedMs = performance.now();
    for (let left = callsOfBatch; left > 0; left--) await call(request);
    await drain?.();
    times.push(((performance.now() - startedMs) * 1e6) / callsOfBatch);
  }
  const wanted = batches * callsOfBatch;
  if (compared !== undefined && ![0, wanted].includes(compared()))
    throw new Error(`${compared()} of ${wanted} calls were compared`);
  return median(times);
}

if (import.meta.main) {
  const make = variants[process.argv[2] as VariantName];
  console.log(await nanosecondsPerCall(await make()));
  process.exit(0);
}
