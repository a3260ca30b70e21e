/** The two databases of a configuration, opened for the database bridge. */
import { existsSync } from "node:fs";
import { hostname } from "node:os";
import { resolve } from "node:path";
import { systemClock } from "../../adapters/host/index.ts";
import { BridgeError, codeOf } from "../../base/errors.ts";
import { sqliteFile } from "../../base/store-address.ts";
import { abandonedStep, type LeaseHolder } from "../../bridges/database/index.ts";
import type { Config } from "../../config/index.ts";
import type { Side } from "../../domain/migration/phase.ts";
import type { Answer, Given, RecordCall, RecordStore } from "../../ports/record-store.ts";
import { openRecordStore, type RecordOptions } from "../stores.ts";

/** Both addresses and the section `database` of a configuration. */
export interface PairSettings extends Pick<Config, "database"> {
  readonly addresses: Readonly<Record<Side, string>>;
  /** Relative paths in the addresses start here. */
  readonly folder: string;
}

export type Pair = Readonly<Record<Side, RecordStore>>;

/** Returns the pair of a configuration. Throws BAD_CONFIG if one of the two databases is not configured. */
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

/** Returns the file of a database; undefined if it is on a server. */
export function pathOf({ addresses, folder }: PairSettings, side: Side): string | undefined {
  const file = sqliteFile(addresses[side]);
  return file === undefined ? undefined : resolve(folder, file);
}

function isMissing(settings: PairSettings, side: Side): boolean {
  const path = pathOf(settings, side);
  return path !== undefined && !existsSync(path);
}

/** Whether the bridge's tables are in a separate file beside legacy's database. */
export const isBeside = ({ database }: PairSettings): boolean => database.bridgeTables === "beside";

export const openSide = (
  pair: PairSettings,
  side: Side,
  options: Pick<RecordOptions, "authority" | "creates">,
): Promise<RecordStore> =>
  openRecordStore(pair.addresses[side], { folder: pair.folder, side, isBeside: isBeside(pair), ...options });

interface PairOpening extends Pick<RecordOptions, "authority" | "creates"> {
  /** Whether the pair is opened even if modern's store cannot be, for any reason. Default: no. */
  readonly mayLackModern?: boolean;
}

/**
 * Opens both stores. While legacy is authoritative, or with `mayLackModern`, modern's store may be
 * unreachable; then calls to it try to open it, at most once a second. Otherwise throws the errors of that.
 */
export async function openPair(
  settings: PairSettings,
  { mayLackModern = false, ...options }: PairOpening,
): Promise<Pair> {
  const open = (side: Side, creates = options.creates) => openSide(settings, side, { ...options, creates });
  const legacy = await open("legacy");
  try {
    const { authority, step, epoch } = await legacy.call("fence", null);
    const { place } = await legacy.call("applied", { source: "" });
    const isAbandoned = step === abandonedStep;
    const isUsed = authority === "modern" && (epoch > 1 || place > 0);
    // A new store in the place of one that has writes would hide that legacy lacks them.
    const mayCreate = () => options.creates && !isAbandoned && !(isUsed && isMissing(settings, "modern"));
    const modern = new LateStore("modern", () => open("modern", mayCreate()));
    await modern.opened().catch((failure) => {
      const isExpected = authority === "legacy" && (isAbandoned || codeOf(failure) === "SYSTEM_DOWN");
      if (!isExpected && !mayLackModern) throw failure;
    });
    return { legacy, modern };
  } catch (failure) {
    await legacy.close();
    throw failure;
  }
}

/** Opens both stores, runs `work`, and closes the stores. */
export async function withPair<T>(
  settings: PairSettings,
  options: PairOpening,
  work: (pair: Pair) => Promise<T>,
): Promise<T> {
  const pair = await openPair(settings, options);
  try {
    return await work(pair);
  } finally {
    await Promise.all([pair.legacy.close(), pair.modern.close()]);
  }
}

/** The options for a pair that is prepared already; its fence then decides which store is authoritative. */
export const prepared = { authority: "legacy", creates: false } as const;

/** Whether a database has the bridge's tables. Throws the other errors of opening it. */
export async function isPrepared(pair: PairSettings, side: Side): Promise<boolean> {
  if (isMissing(pair, side)) return false;
  try {
    await (await openSide(pair, side, prepared)).close();
    return true;
  } catch (failure) {
    if (codeOf(failure) === "BAD_DATABASE") return false;
    throw failure;
  }
}

/** The options for a look at the state of a pair that is prepared already. */
export const looking = { ...prepared, mayLackModern: true } as const;

/**
 * A store that is opened by its first call. After a failed attempt, calls try again when a second has passed.
 */
class LateStore implements RecordStore {
  readonly side: Side;
  readonly #open: () => Promise<RecordStore>;
  #attempt: Promise<RecordStore> | undefined;
  #againMs = Number.POSITIVE_INFINITY;

  constructor(side: Side, open: () => Promise<RecordStore>) {
    this.side = side;
    this.#open = open;
  }

  opened(): Promise<RecordStore> {
    if (this.#attempt !== undefined && systemClock.monotonicMs() < this.#againMs) return this.#attempt;
    this.#againMs = Number.POSITIVE_INFINITY;
    this.#attempt = this.#open();
    this.#attempt.catch(() => {
      this.#againMs = systemClock.monotonicMs() + openAgainMs;
    });
    return this.#attempt;
  }

  async call<Name extends RecordCall>(name: Name, given: Given<Name>): Promise<Answer<Name>> {
    return (await this.opened()).call(name, given);
  }

  async close(): Promise<void> {
    const store = await this.#attempt?.catch(() => undefined);
    await store?.close();
  }
}

const openAgainMs = 1_000;

let opened = 0;

/**
 * Returns the identity under which this process holds leases. A holder on this host counts as dead when its
 * process has ended.
 */
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
