/**
 * A Python desk and the modern engine behind one bridge. Run it with `./run exec node
 * examples/python-desk/bridge.ts`.
 *
 * In a project of your own, import from "pnl-bridge". This example imports the sources, so that it runs
 * without a build.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { CommandSystem } from "../../src/adapters/worker/index.ts";
import { createServiceBridge } from "../../src/app/bridge/service.ts";
import { computePnl, type PnlRequest, type PnlResult, type TradeInput } from "../../src/app/engine.ts";
import { type CallComparison, currentCall } from "../../src/bridges/service/index.ts";

interface Desk {
  calculatePnl(request: PnlRequest): Promise<PnlResult>;
}

const here = fileURLToPath(new URL(".", import.meta.url));
const worker = fileURLToPath(new URL("../../python/pnl_bridge_worker.py", import.meta.url));

/** The desk, in a process of its own. The lines that it prints go to the log, never between its answers. */
const python = new CommandSystem({
  name: "python-desk",
  command: ["python3", worker, "desk:DeskService"],
  cwd: here,
  // Leaves no __pycache__ in this folder.
  env: { PYTHONDONTWRITEBYTECODE: "1" },
  // The example kills the process several times, so the pause before a restart is short.
  pauseMs: 10,
});

const pythonDesk: Desk = {
  calculatePnl: (request) => {
    // A shadow call has a deadline and a signal that ends it. An answering call has neither; here it gets ten
    // seconds.
    const { deadlineMs = 10_000, signal } = currentCall() ?? {};
    const call = { deadlineMs: Math.min(deadlineMs, 10_000), ...(signal && { signal }) };
    return python.invoke("calculatePnl", request as never, call) as Promise<unknown> as Promise<PnlResult>;
  },
};
const modernEngine: Desk = { calculatePnl: async (request) => computePnl(request) };

/**
 * Returns the fields that are compared: quantities, prices, P&L and fees. The other fields of the answers
 * (instrument, mark, lots, ...) are left out.
 */
const project = (answer: unknown): unknown => {
  const { positions, totals } = answer as PnlResult;
  return {
    positions: positions.map(({ symbol, quantity, averagePrice, realized, unrealized, fees }) => {
      return { symbol, quantity, averagePrice, realized, unrealized, fees };
    }),
    totals: Object.fromEntries(Object.entries(totals).filter(([, total]) => !Array.isArray(total))),
  };
};
const cents = { realized: "0.01", unrealized: "0.01", total: "0.01", fees: "0.01", averagePrice: "0.0001" };
const methods = {
  calculatePnl: { project, compare: { tolerances: cents, keys: { positions: ["symbol"] } } },
};

const trade = (id: number, symbol: string, side: "B" | "S", quantity: string, price: string): TradeInput => ({
  id: String(id),
  symbol,
  side,
  quantity,
  price,
  fee: "2.05",
  time: `2025-07-24T09:30:${String(id).padStart(2, "0")}-05:00`,
});
const zn = "XCMEFFDPSX20250919U0ZN";
const trades = [
  trade(1, zn, "B", "2", "110.5"),
  trade(2, zn, "B", "1", "110.75"),
  trade(3, zn, "S", "1", "110.515625"),
  trade(4, "BUND", "B", "3", "131.27"),
  trade(5, "BUND", "S", "1", "131.29"),
];
const instruments = { BUND: { multiplier: "1000", currency: "EUR" } };
const marks = { [zn]: "110.53125", BUND: "131.31" };

const say = (text: string): void => console.log(text);

function printComparison({ verdict, fields, legacy, modern }: CallComparison): void {
  const near = fields.filter((field) => field.verdict === "within_tolerance");
  const [first] = near;
  const failed = [legacy, modern]
    .flatMap(({ error }) => (error === undefined ? [] : [`, ${error.split(":")[0]}`]))
    .join("");
  say(`  compared: ${verdict}${failed}`);
  if (first !== undefined)
    say(
      `    ${near.length} values within tolerance, ` +
        `such as ${first.path}: legacy ${first.legacy}, modern ${first.modern}`,
    );
  for (const { path, entry, verdict: found, legacy: theirs, modern: ours } of fields)
    if (found !== "within_tolerance")
      say(`    ${path}${entry === null ? "" : ` of ${entry}`} ${found}: legacy ${theirs}, modern ${ours}`);
}

/** Starts the worker if it is down, and suspends it, so that the next call stays under way. */
async function freeze(): Promise<void> {
  for (let tries = 0; tries < 100 && python.pid === undefined; tries++)
    await python.start().catch(() => sleep(20));
  process.kill(python.pid as number, "SIGSTOP");
}

/** Ends the worker as a crash would. */
const kill = (): boolean => process.kill(python.pid as number, "SIGKILL");

const shadow = { timeoutMs: 10_000 };
try {
  say("1. Python is legacy and answers, the engine is its shadow");
  let comparisons = 0;
  const first = createServiceBridge<Desk>({
    legacy: pythonDesk,
    modern: modernEngine,
    plan: { phase: "shadow_mode" },
    methods,
    shadow,
    onComparison: (comparison) => {
      comparisons += 1;
      printComparison(comparison);
    },
  });
  const requests: readonly (readonly [string, PnlRequest])[] = [
    ["fifo", { method: "fifo", trades, instruments, marks }],
    ["average, which the desk does not know", { method: "average", trades, instruments, marks }],
    ["fifo without a mark for ZN", { method: "fifo", trades, instruments, marks: { BUND: marks.BUND } }],
  ];
  for (const [at, [what, request]] of requests.entries()) {
    const { positions } = await first.calculatePnl(request);
    say(`${what}: ${positions.map(({ symbol, realized }) => `${symbol} realized ${realized}`).join(", ")}`);
    await first.$bridge.idle();
    // A busy machine sheds shadows to protect the answers. Here each request is repeated until one has been
    // compared.
    while (comparisons <= at) await first.calculatePnl(request).then(() => first.$bridge.idle());
  }
  await freeze();
  const dying = first.calculatePnl({ trades, instruments, marks });
  kill();
  say(`its process is killed in the middle of a call: ${await outcome(dying)}`);
  await first.$bridge.idle();
  say(`the next call starts it again: ${await outcome(first.calculatePnl({ trades, instruments, marks }))}`);
  await first.$bridge.idle();
  await first.$bridge.close();

  say("2. the engine is legacy and answers, Python is its shadow");
  const second = createServiceBridge<Desk>({
    legacy: modernEngine,
    modern: pythonDesk,
    plan: { phase: "shadow_mode" },
    methods,
    shadow,
  });
  await freeze();
  const calls = Array.from({ length: 16 }, () =>
    outcome(second.calculatePnl({ trades, instruments, marks })),
  );
  const outcomes = await Promise.all(calls);
  kill();
  await second.$bridge.idle();
  const { eligible = 0, compared = 0 } = second.$bridge.counters.calculatePnl ?? {};
  say(
    `its process is killed while ${calls.length} calls run: ` +
      `${outcomes.filter((text) => text === "answered").length} answered`,
  );
  // Most shadow calls have failed with their process. A call that was not sent yet goes to the next process
  // and is compared, and a busy machine sheds some calls to protect the answers.
  say(`of their ${eligible} shadows, ${compared} have been compared`);
  await second.$bridge.close();

  say("3. Python is modern and answers; when it is killed, legacy answers instead");
  const third = createServiceBridge<Desk>({
    legacy: modernEngine,
    modern: pythonDesk,
    plan: { phase: "dual_write", flags: { calculator: true, storage: true }, userWhitelist: ["amy"] },
    keyOf: () => ({ user: "amy" }),
    methods,
  });
  await freeze();
  const fallen = third.calculatePnl({ trades, instruments, marks });
  kill();
  const answered = await outcome(fallen);
  const { legacy = 0, modern = 0 } = third.$bridge.counters.calculatePnl?.answered ?? {};
  say(
    `its process is killed in the middle of a call: ${answered}, ` +
      `${legacy} time by legacy and ${modern} by modern`,
  );
  await third.$bridge.close();
} finally {
  await python.close();
}

function outcome(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => "answered",
    (failure) => `failed, ${failure.failure ?? failure.name}`,
  );
}
