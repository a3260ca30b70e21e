/**
 * One process on a pair of databases in tests: `node pair-process.ts JSON`. It reports what it does on its standard
 * output as a JSON array on one line, synchronously: a killed process has reported everything that it has done.
 * The end of its standard input ends it.
 */
import { createHash } from "node:crypto";
import { readFileSync, writeSync } from "node:fs";
import { flushCompileCache } from "node:module";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "../../../src/adapters/host/index.ts";
import { openDatabase, tools } from "../../../src/app/database/open.ts";
import { openPair, type Pair, type PairSettings, thisHolder } from "../../../src/app/database/pair.ts";
import { holdRecordStore } from "../../../src/app/stores.ts";
import {
  Backfill,
  backfillLimits,
  backfillTables,
  Cutover,
  ForeignRows,
} from "../../../src/bridges/database/index.ts";
import { defaultConfig } from "../../../src/config/index.ts";
import type { Side } from "../../../src/domain/migration/phase.ts";
import type { RecordStore } from "../../../src/ports/record-store.ts";
import { positionRecord, tradeRecord } from "../../../src/testing/records.ts";

export interface PairProcessOptions {
  readonly addresses: PairSettings["addresses"];
  /** The folder with the file `wanted`, which names the side that the plan wants to be authoritative. */
  readonly folder: string;
  /**
   * `write` writes trades until it ends; `move` moves the authority to where the plan wants it; `settle` waits
   * until both stores have everything.
   */
  readonly role: "write" | "move" | "settle";
  /** The number of the first trade. */
  readonly first: number;
  /** Writes of a killed process whose answers are unknown: they are sent again. */
  readonly again: readonly number[];
}

export const keyOf = (id: number): string => `trade ${id}`;

const options: PairProcessOptions = JSON.parse(process.argv[2] ?? "");
const report = (...what: readonly unknown[]): void => void writeSync(1, `${JSON.stringify(what)}\n`);
const { folder, addresses, role } = options;
const settings: PairSettings = { addresses, folder, database: { ...defaultConfig.database } };
const wanted = (): Side =>
  readFileSync(join(folder, "wanted"), "utf8") === "modern" ? "modern" : "legacy";
const direction = () => ({ authority: wanted(), mirrors: true });

let ends = false;
process.stdin.on("end", () => {
  ends = true;
});
process.stdin.resume();

const backfillOf = (pair: Record<Side, RecordStore>, name = ""): Backfill => {
  const holder = thisHolder(3_000);
  return new Backfill({
    stores: pair,
    tools: { ...tools, digest: (text) => createHash("sha256").update(text).digest("hex"), book: "" },
    clock: systemClock,
    lease: { ...holder, name: `${holder.name}${name}` },
    tables: backfillTables,
    limits: backfillLimits,
    held: () => undefined,
    onEvent: () => {},
  });
};

async function work(): Promise<void> {
  const database = await openDatabase(settings, {
    direction,
    onEvent: (event) => report("event", event),
  });
  const { bridge, pair } = database;
  // Written now, because most of these processes are killed.
  flushCompileCache();
  report("ready");
  const backfill = backfillOf(pair);
  const filled = backfill.run({ pass: "backfill" }).catch((failure) => report("failed", "backfill", String(failure)));
  const foreign = new ForeignRows({
    backfill,
    clock: systemClock,
    isWanted: () => true,
    everyMs: 150,
    compareEveryMs: 1_000,
    onEvent: (event) => report("event", event),
  });
  const send = async (id: number, key = keyOf(id)): Promise<string> => {
    report("sent", id, key);
    const answer = await bridge.write([tradeRecord(id), positionRecord(String(id))], { idempotencyKey: key });
    report("answer", id, key, answer.kind, "code" in answer ? answer.code : "", answer.kind === "refused" ? answer.because : "");
    return answer.kind;
  };
  const writeAll = async (): Promise<void> => {
    for (const id of options.again) await send(id);
    for (let id = options.first; !ends; id += 2) {
      const kinds = await Promise.all([send(id), send(id + 1)]);
      if (id % 10 === 0 && kinds[0] === "acknowledged" && !ends) {
        await send(id);
        await send(id, `another key for ${id}`);
      }
      await sleep(kinds.includes("acknowledged") ? 4 : 20);
    }
  };
  if (role === "write") await writeAll();
  else {
    await filled;
    for (;;) {
      const { finished } = await backfill.run({ pass: "new_rows", isUrgent: true });
      const drained = await bridge.drain({ timeoutMs: 60_000 });
      if (!finished) continue;
      report("settled", drained);
      break;
    }
  }
  await foreign.end();
  await database.close();
  report("closed");
}

async function move(): Promise<void> {
  const pair: Pair = await openPair(settings, { authority: "legacy", creates: true });
  report("ready");
  const lease = thisHolder(3_000);
  const cutover = new Cutover({
    stores: pair,
    holdLegacy: (lastsMs) =>
      holdRecordStore(addresses.legacy, { folder, side: "legacy", authority: "legacy", creates: false, lastsMs }),
    clock: systemClock,
    lease,
    budgetMs: 4_000,
    drainMsMax: 10_000,
    lastReconcile: async () => ({ atMs: Date.now(), ok: true, position: 0 }),
    importForeign: async (legacy) => {
      const run = () =>
        backfillOf({ legacy, modern: pair.modern }, "").run({ pass: "new_rows", isUrgent: true });
      while (!(await run()).finished) await sleep(5);
      return (await pair.modern.call("quarantineCounts", null)).reviews;
    },
    onRung: (rung) => report("rung", rung),
  });
  for (let isMoved = false; !isMoved && !ends; ) {
    const side = wanted();
    try {
      const moved = await cutover.to(side);
      report("moved", side, moved);
      isMoved = moved.moved;
    } catch (failure) {
      report("moved", side, String(failure));
    }
    if (!isMoved) await sleep(50);
  }
  await Promise.all([pair.legacy.close(), pair.modern.close()]);
  report("closed");
}

await (role === "move" ? move() : work());
process.stdin.destroy();
