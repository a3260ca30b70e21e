/**
 * One process of a desk for tests, run by itself: `node desk-process.ts JSON`. It serves calls in a loop through `createPnlBridge`, and
 * writes through `createServiceBridge` behind `admitWrite`, and says each answer on its standard output, a JSON array a line. A line is
 * out before the next statement runs, so that a process that is killed has said what it has done.
 *
 * On its standard input: `clock MS` sets this process's time off by so much (its Date; what it measures by stays), an end ends it.
 */
import { appendFileSync, statSync, writeSync } from "node:fs";
import { flushCompileCache } from "node:module";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

export interface DeskProcessOptions {
  readonly config: string;
  /** A call every so often, each on its way before the last one is answered. */
  readonly everyMs: number;
  readonly writes: boolean;
  /** How far this process's Date is off from the beginning. */
  readonly clockOffMs: number;
}

/** By the machine's monotonic clock, which is one for all processes. */
const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;
const say = (...what: readonly unknown[]): void => void writeSync(1, `${JSON.stringify(what)}\n`);

const options: DeskProcessOptions = JSON.parse(process.argv[2] ?? "");
let offMs = options.clockOffMs;
shiftDate();
// Loaded under the shifted Date.
const { createPnlBridge, createServiceBridge } = await import("../../../src/app/index.ts");

const folder = dirname(options.config);
/** A line of the ledgers. */
const lineBytes = 24;
const sizeOf = (name: string): number => statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0;
/** What was accepted under modern and is not in legacy's ledger yet: the test carries it over. */
const owed = { owedToLegacy: () => ({ count: (sizeOf("to-legacy") - sizeOf("carried")) / lineBytes, oldestMs: 1 }) };

const bridge = await createPnlBridge({ config: options.config, owed, log: () => {} });
const { control, service } = bridge;
if (control === undefined) throw new Error("a desk has a control store");
const { follower } = control;

const take = (side: string, id: string): { side: string; at: number; epoch: number } => {
  const line = `${id.padEnd(lineBytes - 1)}\n`;
  appendFileSync(join(folder, `${side}-ledger`), line);
  if (side === "modern") appendFileSync(join(folder, "to-legacy"), line);
  return { side, at: nowMs(), epoch: books.$bridge.plan.epoch };
};
const books = createServiceBridge({
  legacy: { book: async (id: string) => take("legacy", id) },
  modern: { book: async (id: string) => take("modern", id) },
  methods: { book: { kind: "write" } },
  plan: follower.effective.plan,
  admitWrite: follower.admitWrite,
  owed,
});
control.onEvent(({ kind, what, epoch }) => {
  if (kind === "plan") books.$bridge.setPlan(follower.effective.plan);
  say("event", nowMs(), kind, what, epoch);
});
// Most of these processes do not end by themselves.
flushCompileCache();
say("ready", nowMs(), follower.effective.plan.epoch, new Date().toISOString());

let ends = false;
createInterface({ input: process.stdin })
  .on("line", (line) => {
    const [word, value] = line.split(" ");
    if (word === "clock") offMs = Number(value);
    if (word === "serve") void serve();
  })
  .on("close", () => {
    ends = true;
  });

async function read(): Promise<void> {
  const began = nowMs();
  try {
    const { value, source, epoch, stale, fellBack } = await service.call("totals", {}, { user: "amy", book: "UST" });
    const { by, missing } = value as unknown as { readonly by: string; readonly missing: number };
    say("read", began, nowMs(), epoch, source, stale, fellBack ?? null, by, missing);
  } catch (failure) {
    say("failed", began, nowMs(), String(failure));
  }
}

let written = 0;
async function write(): Promise<void> {
  const began = nowMs();
  const id = `${process.pid}-${++written}`;
  try {
    const { side, at, epoch } = await books.book(id);
    say("write", began, at, epoch, side, id);
  } catch (failure) {
    say("refused", began, nowMs(), (failure as { readonly code?: string }).code ?? String(failure), id);
  }
}

async function serve(): Promise<void> {
  const running = new Set<Promise<void>>();
  const begin = (call: Promise<void>): void => {
    running.add(call);
    void call.finally(() => running.delete(call));
  };
  while (!ends) {
    begin(read());
    if (options.writes) begin(write());
    await sleep(options.everyMs);
  }
  await Promise.all(running);
  await bridge.close();
  say("closed", nowMs());
}
void serve();

/** Date, and nothing that measures: another time of day, as on a machine whose clock is wrong. */
function shiftDate(): void {
  const RealDate = Date;
  globalThis.Date = class extends RealDate {
    constructor(...given: [] | [number | string | Date]) {
      if (given.length === 0) super(RealDate.now() + offMs);
      else super(...given);
    }
    static override now(): number {
      return RealDate.now() + offMs;
    }
  } as DateConstructor;
}
