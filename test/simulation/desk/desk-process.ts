/**
 * One process of a desk in tests: `node desk-process.ts JSON`. It makes reads in a loop through
 * `createPnlBridge`, and writes through `createServiceBridge` behind `admitWrite`. It reports each answer on
 * its standard output as a JSON array on one line, synchronously, so that a killed process has reported
 * everything that it has done.
 *
 * Commands on its standard input: `clock MS` shifts this process's Date (the monotonic clock stays). The end
 * of the input ends the process.
 */
import { appendFileSync, statSync, writeSync } from "node:fs";
import { flushCompileCache } from "node:module";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

export interface DeskProcessOptions {
  readonly config: string;
  /** The time between two calls; a call does not wait for the answer of the one before. */
  readonly everyMs: number;
  readonly writes: boolean;
  /** The initial shift of this process's Date. */
  readonly clockOffMs: number;
}

/** The machine's monotonic clock, which all processes share. */
const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;
const report = (...what: readonly unknown[]): void => void writeSync(1, `${JSON.stringify(what)}\n`);

const options: DeskProcessOptions = JSON.parse(process.argv[2] ?? "");
let offMs = options.clockOffMs;
shiftDate();
// Imported here, so that the bridge loads under the shifted Date.
const { createPnlBridge, createServiceBridge } = await import("../../../src/app/index.ts");

const folder = dirname(options.config);
/** The length of each line in the ledgers. */
const lineBytes = 24;
const sizeOf = (name: string): number => statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0;
/** The writes that modern accepted and legacy's ledger lacks. The test carries them to legacy. */
const owed = {
  owedToLegacy: () => ({ count: (sizeOf("to-legacy") - sizeOf("carried")) / lineBytes, oldestMs: 1 }),
};

const bridge = await createPnlBridge({ config: options.config, owed, log: () => {} });
const { control, service } = bridge;
if (control === undefined) throw new Error("the desk's configuration names no control store");
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
  report("event", nowMs(), kind, what, epoch);
});
// Node writes its compile cache here, because most of these processes are killed.
flushCompileCache();
report("ready", nowMs(), follower.effective.plan.epoch, new Date().toISOString());

let ends = false;
createInterface({ input: process.stdin })
  .on("line", (line) => {
    const [word, value] = line.split(" ");
    if (word === "clock") offMs = Number(value);
  })
  .on("close", () => {
    ends = true;
  });

async function read(): Promise<void> {
  const began = nowMs();
  try {
    const { value, source, epoch, stale, fellBack } = await service.call(
      "totals",
      {},
      { user: "amy", book: "UST" },
    );
    const { by, missing } = value as unknown as { readonly by: string; readonly missing: number };
    report("read", began, nowMs(), epoch, source, stale, fellBack ?? null, by, missing);
  } catch (failure) {
    report("failed", began, nowMs(), String(failure));
  }
}

let written = 0;
async function write(): Promise<void> {
  const began = nowMs();
  const id = `${process.pid}-${++written}`;
  try {
    const { side, at, epoch } = await books.book(id);
    report("write", began, at, epoch, side, id);
  } catch (failure) {
    report("refused", began, nowMs(), (failure as { readonly code?: string }).code ?? String(failure), id);
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
  report("closed", nowMs());
}
void serve();

/** Shifts Date but not the monotonic clock, as on a machine whose clock is wrong. */
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
