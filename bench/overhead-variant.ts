/**
 * `node --expose-gc bench/overhead-variant.ts NAME`: one way to call a function that does next to nothing, in a process of its
 * own, so that nothing it does can be blamed on another. Prints nanoseconds per call, the median of its batches.
 */
import { systemClock } from "../src/adapters/host/index.ts";
import { bridgeServices, type ServiceBridgeHost } from "../src/bridges/service/index.ts";
import type { PlanInput } from "../src/domain/plan.ts";
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

const batches = 100;
const callsOfBatch = 2_500;
const names = ["quantity", "averagePrice", "realized", "unrealized", "total", "fees", "mark", "high", "low", "delta"];
const tolerance = 0.01;

/** Ten fields, each a little off: within tolerance, and equal in none. */
const legacyAnswer: Answer = Object.fromEntries(names.map((name, at) => [name, 1000.25 * (at + 1)]));
const modernAnswer: Answer = Object.fromEntries(names.map((name, at) => [name, 1000.25 * (at + 1) + 0.001]));
const sides: TwoSides<Request, Answer> = {
  legacy: async () => ({ ...legacyAnswer }),
  modern: async () => ({ ...modernAnswer }),
  agree: (legacy, modern) => {
    for (const name of names) if (!(Math.abs((legacy[name] as number) - (modern[name] as number)) <= tolerance)) return false;
    return true;
  },
};

export const variants = {
  direct: async () => ({ call: sides.legacy }),
  "ours, legacy only": async () => ours({ phase: "read_only" }),
  "ours, shadow": async () => ours({ phase: "shadow_mode" }),
  "ours, sampled out": async () => ours({ phase: "shadow_mode", shadowSampleRatio: 0 }),
  tzientist: async () => counted((told) => withTzientist({ ...sides, onComparison: told })),
  "LaunchDarkly, off": async () => ({ call: withLaunchDarkly(await launchDarkly("off"), sides) }),
  "LaunchDarkly, shadow": async () => {
    const client = await launchDarkly("shadow");
    return counted((told) => withLaunchDarkly(client, { ...sides, onComparison: told }));
  },
} as const satisfies Record<string, () => Promise<Variant>>;
export type VariantName = keyof typeof variants;

/** Everything that a desk would have but a machine that is short of something: then nothing would be compared. */
function ours(plan: PlanInput): Variant {
  const host: ServiceBridgeHost = { clock: systemClock, load: { overload: () => undefined }, draw: Math.random };
  const { legacy, modern } = sides;
  const bridge = bridgeServices<{ calculatePnl: typeof legacy }>(
    {
      legacy: { calculatePnl: legacy },
      modern: { calculatePnl: modern },
      plan,
      methods: { calculatePnl: { compare: { tolerances: Object.fromEntries(names.map((name) => [name, `${tolerance}`])) } } },
    },
    host,
  );
  return {
    call: (request) => bridge.calculatePnl(request),
    drain: () => bridge.$bridge.idle(),
    compared: () => bridge.$bridge.counters.calculatePnl?.verdicts.within_tolerance ?? 0,
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
    // Timers and the collector have their turn outside the time.
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
