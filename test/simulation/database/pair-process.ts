/**
 * One process on a pair of databases in tests: `node pair-process.ts JSON`. It reports each of its actions on
 * its standard output as a JSON array on one line, synchronously, so that a killed process has reported all
 * of its actions. With the role `write` it ends at the end of its standard input; the other roles end when
 * their work is done.
 */
import { readFileSync, writeSync } from "node:fs";
import { flushCompileCache } from "node:module";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type OpenedDatabase, openDatabase } from "../../../src/app/database/open.ts";
import type { PairSettings } from "../../../src/app/database/pair.ts";
import { reconcilePair, recordReconcile } from "../../../src/app/database/reconcile.ts";
import { defaultConfig } from "../../../src/config/index.ts";
import type { Side } from "../../../src/domain/migration/phase.ts";
import { positionRecord, tradeRecord } from "../../../src/testing/records.ts";

export interface PairProcessOptions {
  readonly addresses: PairSettings["addresses"];
  /**
   * The folder with the file `wanted`, which replaces the plan: it names the side that should be
   * authoritative.
   */
  readonly folder: string;
  /**
   * `write` writes trades until it ends; `move` moves the authority to the side in `wanted`; `settle` waits
   * until both stores have everything.
   */
  readonly role: "write" | "move" | "settle";
  /** The number of the first trade. */
  readonly first: number;
  /** Writes of a killed process whose answers are unknown: they are sent again. */
  readonly again: readonly number[];
}

const keyOf = (id: number): string => `trade ${id}`;

const options: PairProcessOptions = JSON.parse(process.argv[2] ?? "");
const report = (...what: readonly unknown[]): void => void writeSync(1, `${JSON.stringify(what)}\n`);
const { folder, addresses, role } = options;
const settings: PairSettings = { addresses, folder, database: { ...defaultConfig.database } };
const wanted = (): Side => (readFileSync(join(folder, "wanted"), "utf8") === "modern" ? "modern" : "legacy");
const direction = () => ({ authority: wanted(), mirrors: true });

let ends = false;
process.stdin.on("end", () => {
  ends = true;
});
process.stdin.resume();

const database = role === "move" ? undefined : await openDatabase(settings, { direction, onEvent: told });
// Node writes its compile cache here, because most of these processes are killed.
flushCompileCache();
report("ready");
if (database === undefined) await move();
else await (role === "write" ? write(database) : settle(database));
await database?.close();
report("closed");
process.stdin.destroy();

function told(event: { readonly kind: string }): void {
  if (event.kind !== "progress" && event.kind !== "looked") report("event", event);
}

async function write({ bridge, backfill }: OpenedDatabase): Promise<void> {
  void backfill.run({ pass: "backfill" }).catch((failure) => report("note", "backfill", String(failure)));
  const send = async (id: number, key = keyOf(id)): Promise<string> => {
    report("sent", id, key);
    const answer = await bridge.write([tradeRecord(id), positionRecord(String(id))], { idempotencyKey: key });
    const why = answer.kind === "refused" ? [answer.code, answer.because] : [];
    report("answer", id, key, answer.kind, ...why);
    return answer.kind;
  };
  for (const id of options.again) await send(id);
  for (let id = options.first; !ends; id += 2) {
    const kinds = await Promise.all([send(id), send(id + 1)]);
    if (id % 10 === 0 && kinds[0] === "acknowledged" && !ends) {
      await send(id);
      await send(id, `another key for ${id}`);
    }
    await sleep(kinds.includes("acknowledged") ? 4 : 20);
  }
}

/** Waits until modern has every row of legacy, and the mirror every write. */
async function settle({ bridge, backfill }: OpenedDatabase): Promise<void> {
  for (const pass of ["backfill", "new_rows"] as const)
    for (let isDone = false; !isDone; ) {
      const found = await backfill.run({ pass, isUrgent: pass === "new_rows" });
      report("filled", pass, found);
      isDone = found.finished;
      if (!isDone) await sleep(20);
    }
  report("settled", await bridge.drain({ timeoutMs: 60_000 }));
}

/**
 * Moves the authority to the wanted side like an operator: reconciles, and repeats a move that failed.
 */
async function move(): Promise<void> {
  const { positionThreshold, comparisonThreshold } = defaultConfig.validation;
  const compared = { pair: settings, validation: { positionThreshold, comparisonThreshold } };
  for (;;) {
    try {
      const side = wanted();
      if (side === "modern") {
        const found = await reconcilePair(compared);
        report("reconciled", found.ok, found.complete, found.verdicts);
        await recordReconcile(compared, found);
      }
      const opened = await openDatabase(settings, { direction, onEvent: told });
      const moved = await opened.cutover(side, (rung) => report("rung", rung));
      report("moved", side, moved);
      await opened.close();
      if (moved.moved) return;
    } catch (failure) {
      report("note", "move", String(failure));
    }
    await sleep(50);
  }
}
