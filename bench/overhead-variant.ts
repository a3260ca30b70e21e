/**
 * `node --expose-gc bench/overhead-variant.ts NAME`: one way to call a function that does next to nothing, in a process of its
 * own, so that nothing it does can be blamed on another. Prints nanoseconds per call, the median of its batches.
 */
import { systemClock } from "../src/adapters/host/index.ts";
import { bridgeServices, type ServiceBridgeHost } from "../src/bridges/service/index.ts";
import type { PlanInput } from "../src/domain/migration/plan.ts";
import { median } from "./measure.ts";
import { launchDarkly, type TwoSides, withLaunchDarkly, withTzientist } from "./other-libraries.ts";

export interface Variant {
  readonly call: (request: Request) => unknown;
  /** Awaited at the end of each batch, inside the time: what goes on behind the caller's back is paid for as well. */
  readonly drain?: () => Promise<void>;
  /** How many calls were compared. */
  readonly compared?: () => number;
}

interface Request {
  readonly book: string;
  readonly asOf: string;
}

type Answer = Readonly<Record<string, number>>;

const batches = 60;
const callsOfBatch = 2_500;
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

/** Ten fields. Modern's are the same, or each a little off: within tolerance, and equal in none. */
const legacyAnswer: Answer = Object.fromEntries(names.map((name, at) => [name, 1000.25 * (at + 1)]));
const offAnswer: Answer = Object.fromEntries(names.map((name, at) => [name, 1000.25 * (at + 1) + 0.001]));
const sidesWith = (modernAnswer: Answer): TwoSides<Request, Answer> => ({
  legacy: async () => ({ ...legacyAnswer }),
  modern: async () => ({ ...modernAnswer }),
  agree: (legacy, modern) => {
    for (const name of names)
      if (!(Math.abs((legacy[name] as number) - (modern[name] as number)) <= tolerance)) return false;
    return true;
  },
});
const [equal, off] = [sidesWith(legacyAnswer), sidesWith(offAnswer)];

export const variants = {
  direct: async () => ({ call: off.legacy }),
  "ours, legacy only": async () => ours({ phase: "read_only" }, off),
  "ours, sampled out": async () => ours({ phase: "shadow_mode", shadowSampleRatio: 0 }, off),
  "ours, shadow, equal": async () => ours({ phase: "shadow_mode" }, equal),
  "ours, shadow, within tolerance": async () => ours({ phase: "shadow_mode" }, off),
  tzientist: async () => counted((told) => withTzientist({ ...off, onComparison: told })),
  "LaunchDarkly, off": async () => ({ call: withLaunchDarkly(await launchDarkly("off"), off) }),
  "LaunchDarkly, shadow": async () => launchDarklyShadow("none"),
  "LaunchDarkly, shadow, events made": async () => launchDarklyShadow("made"),
} as const satisfies Record<string, () => Promise<Variant>>;
export type VariantName = keyof typeof variants;

async function launchDarklyShadow(events: "none" | "made"): Promise<Variant> {
  const client = await launchDarkly("shadow", events);
  return counted((told) => withLaunchDarkly(client, { ...off, onComparison: told }));
}

/** Everything that a desk would have but a machine that is short of something: then nothing would be compared. */
function ours(plan: PlanInput, { legacy, modern }: TwoSides<Request, Answer>): Variant {
  const host: ServiceBridgeHost = {
    clock: systemClock,
    load: { overload: () => undefined },
    draw: Math.random,
  };
  const bridge = bridgeServices<{ calculatePnl: typeof legacy }>(
    {
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
    call: (request) => bridge.calculatePnl(request),
    drain: () => bridge.$bridge.idle(),
    compared: () => {
      const { equal: alike = 0, within_tolerance: near = 0 } =
        bridge.$bridge.counters.calculatePnl?.verdicts ?? {};
      return alike + near;
    },
  };
}

function counted(make: (told: (agreed: boolean) => void) => Variant["call"]): Variant {
  let compared = 0;
  const call = make((agreed) => {
    if (agreed) compared += 1;
  });
  return { call, compared: () => compared };
}

async function nanosecondsPerCall({ call, drain, compared }: Variant): Promise<number> {
  const times: number[] = [];
  for (let batch = 0; batch < batches; batch++) {
    // Timers and the collector have their turn outside the time. Not the whole collector: it would throw away compiled code that
    // depends on objects which happen not to be alive between two batches, and each batch would measure the compiler.
    await new Promise(setImmediate);
    globalThis.gc?.({ type: "minor" });
    const startedMs = performance.now();
    for (let left = callsOfBatch; left > 0; left--) await call({ book: "UST", asOf: "2025-07-24" });
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
