import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { BridgeError } from "../../base/errors.ts";
import type { WriteAnswer } from "../../bridges/database/index.ts";
import { defaultConfig } from "../../config/index.ts";
import { LegacyDesk } from "../../legacy-desk/index.ts";
import { threadFile } from "../../platform/thread-rpc.ts";
import { type OpenDatabaseBridge, openDatabaseBridge } from "../database/bridge.ts";
import { reconcilePair } from "../database/reconcile.ts";

export interface DualWrite {
  /** The number of trades that are in both databases. */
  readonly trades: number;
  /** The number of acknowledged writes after which the first process was killed. */
  readonly killedAfter: number;
  /** The number of compared figures of both databases, and of those that are not equal. */
  readonly compared: number;
  readonly differing: number;
}

const trades = 120;
const killedAfter = 40;
const symbol = "XCMEFFDPSX20250919U0ZN";

const addresses = (folder: string) => ({
  legacy: `sqlite:${join(folder, "pnl_tracker.db")}`,
  modern: `sqlite:${join(folder, "newpnl.db")}`,
});

export const openDemoBridge = (folder: string): Promise<OpenDatabaseBridge> =>
  openDatabaseBridge({ ...addresses(folder), phase: "dual_write" });

/** One trade and the position after it. The same number is the same write, under the same key. */
export const writeDemoTrade = (bridge: OpenDatabaseBridge, number: number): Promise<WriteAnswer> => {
  const time = "2025-07-25T09:00:00-05:00";
  return bridge.write(
    [
      {
        ...{ kind: "trade", id: String(number), symbol, side: "B", quantity: "1", price: "110.5", time },
        ...{ file: "trades_20250725.csv", line: number + 1 },
      },
      {
        ...{ kind: "position", symbol, quantity: String(number), averagePrice: "110.5", realized: "0" },
        ...{ unrealized: "0", asOf: time },
      },
    ],
    { idempotencyKey: `demo ${number}` },
  );
};

/**
 * Writes trades to a pair of databases in a new folder. The process that writes is killed with SIGKILL in the
 * middle; then this process sends all writes again under their keys, and both databases are compared.
 */
export async function dualWrite(folder: string): Promise<DualWrite> {
  await mkdir(folder);
  await new LegacyDesk({ database: join(folder, "pnl_tracker.db") }).history({ ledgers: [] });
  await writeUntilKilled(folder);
  const bridge = await openDemoBridge(folder);
  try {
    const answers = await Promise.all(
      Array.from({ length: trades }, (_, at) => writeDemoTrade(bridge, at + 1)),
    );
    const { drained } = await bridge.drain({ timeoutMs: 60_000 });
    if (!drained || answers.some(({ kind }) => kind !== "acknowledged"))
      throw new BridgeError("INTERNAL", { what: "the demo's writes did not reach both databases" });
  } finally {
    await bridge.close();
  }
  const { compared, verdicts } = await reconcilePair({
    pair: { addresses: addresses(folder), folder, database: defaultConfig.database },
    validation: defaultConfig.validation,
  });
  return { trades, killedAfter, compared, differing: compared - verdicts.equal };
}

async function writeUntilKilled(folder: string): Promise<void> {
  const child = fork(threadFile("dual-write-process", import.meta.url), { execArgv: [] });
  const exited = once(child, "exit");
  child.on("message", (number) => {
    if (number === killedAfter) child.kill("SIGKILL");
  });
  child.send(folder);
  const [, signal] = await exited;
  if (signal !== "SIGKILL")
    throw new BridgeError("INTERNAL", { what: "the demo's writing process ended by itself" });
}
