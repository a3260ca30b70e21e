/** The two databases of a configuration, opened for the database bridge. */
import { hostname } from "node:os";
import { BridgeError, codeOf } from "../../base/errors.ts";
import type { LeaseHolder } from "../../bridges/database/index.ts";
import type { Config } from "../../config/index.ts";
import type { Side } from "../../domain/migration/phase.ts";
import type { RecordStore } from "../../ports/record-store.ts";
import { openRecordStore, type RecordOptions } from "../stores.ts";

/** Both addresses and the section `database` of a configuration. */
export interface PairSettings extends Pick<Config, "database"> {
  readonly addresses: Readonly<Record<Side, string>>;
  /** Relative paths in the addresses start here. */
  readonly folder: string;
}

export type Pair = Readonly<Record<Side, RecordStore>>;

export const isPairConfigured = ({ stores: { legacy, modern } }: Config): boolean =>
  legacy !== null && modern !== null;

/** Throws BAD_CONFIG if one of the two databases is not configured. */
export function pairOf({
  config,
  folder,
}: {
  readonly config: Config;
  readonly folder: string;
}): PairSettings {
  const { legacy, modern } = config.stores;
  if (legacy === null || modern === null)
    throw new BridgeError("BAD_CONFIG", {
      what: `the configuration names no ${legacy === null ? "legacy" : "modern"} database`,
      fix: "name both: stores: { legacy: sqlite:./pnl_tracker.db, modern: sqlite:./.pnl-bridge/newpnl.db }",
    });
  return { addresses: { legacy, modern }, folder, database: config.database };
}

/** Opens both stores. Throws what opening them throws. */
export async function openPair(
  { addresses, folder }: PairSettings,
  options: Pick<RecordOptions, "authority" | "creates">,
): Promise<Pair> {
  const open = (side: Side) => openRecordStore(addresses[side], { folder, side, ...options });
  const legacy = await open("legacy");
  try {
    return { legacy, modern: await open("modern") };
  } catch (failure) {
    await legacy.close();
    throw failure;
  }
}

let opened = 0;

/** One pair that this process has opened, as the holder of a lease. A holder of this host is dead when its process has ended. */
export const thisHolder = (lastsMs: number): LeaseHolder => ({
  name: `${hostname()}/${process.pid}/${++opened}`,
  lastsMs,
  isDead: (holder) => {
    const [, pid] = holder.startsWith(`${hostname()}/`)
      ? (/\/(\d+)\/\d+(?: \(cut-over\))?$/.exec(holder) ?? [])
      : [];
    return pid !== undefined && !isRunning(Number(pid));
  },
});

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (failure) {
    return codeOf(failure) !== "ESRCH";
  }
}
