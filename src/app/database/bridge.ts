import { resolve } from "node:path";
import { legacyOnly } from "../../adapters/sqlite/index.ts";
import { BridgeError } from "../../base/errors.ts";
import type { Drained, WriteAnswer } from "../../bridges/database/index.ts";
import { type Config, defaultConfig } from "../../config/index.ts";
import type { Phase } from "../../domain/migration/phase.ts";
import type { ReconcileReport } from "../../ports/reconcile.ts";
import type { BridgeRecord } from "../../ports/records.ts";
import { directionOfPhase, mustAgree, openDatabase, type PairEvent } from "./open.ts";
import { type ApartAsked, reconcileApart } from "./reconcile-apart.ts";
import { type DatabaseStatus, databaseStatus } from "./status.ts";

export interface DatabaseBridgeSettings {
  /** `sqlite:FILE`: the desk's `pnl_tracker.db`. Relative paths start in the working folder. */
  readonly legacy: string;
  /** `sqlite:FILE` or `postgres://…`. */
  readonly modern: string;
  /** The phase. It decides which store is authoritative, and whether the other one gets the writes. */
  readonly phase: Phase;
  /**
   * The place of the bridge's own tables: `inside` legacy's file, which is the default, or in a file `beside`
   * it. With `beside`, legacy's file gets only its own rows, one process writes, and modern never becomes
   * authoritative.
   */
  readonly bridgeTables?: Config["database"]["bridgeTables"];
  readonly onEvent?: (event: PairEvent) => void;
}

/**
 * Writes records to both databases of a migration, without a configuration file and without a control store.
 */
export interface OpenDatabaseBridge {
  /**
   * Writes records as one transaction. The same key with the same records has its effect once. Never rejects
   * before `close`; afterwards it rejects with CLOSED.
   */
  write(records: readonly BridgeRecord[], options: { readonly idempotencyKey: string }): Promise<WriteAnswer>;
  /**
   * Waits until the other store has every acknowledged write, only parked writes are left, a restored
   * database needs a repair, or the time is over.
   */
  drain(options: { readonly timeoutMs: number }): Promise<Drained>;
  /** Compares both stores in a separate process: all rows, or those of the requested kinds and days. */
  reconcile(asked?: ApartAsked): Promise<ReconcileReport>;
  status(): Promise<DatabaseStatus>;
  /**
   * Ends the relay and closes both stores. Writes that the other store lacks are carried after the next
   * start.
   */
  close(): Promise<void>;
}

/**
 * Opens the pair and creates what `db init` creates. The phase decides which store of a new pair is
 * authoritative. Throws REFUSED (AUTHORITY_DIFFERS) if the other store of an existing pair is authoritative,
 * and BAD_DATABASE, UNWRITABLE or DATABASE_BUSY.
 */
export async function openDatabaseBridge(settings: DatabaseBridgeSettings): Promise<OpenDatabaseBridge> {
  const { legacy, modern, phase, bridgeTables = "inside", onEvent } = settings;
  const direction = directionOfPhase(phase);
  if (bridgeTables === "beside" && direction.authority === "modern")
    throw new BridgeError("REFUSED", legacyOnly);
  const pair = {
    addresses: { legacy, modern },
    folder: resolve("."),
    database: { ...defaultConfig.database, bridgeTables },
  };
  const database = await openDatabase(pair, {
    direction: () => direction,
    // The phase may be out of date, so this process never moves the authority back.
    isFresh: () => false,
    writes: true,
    ...(onEvent && { onEvent }),
  });
  try {
    await mustAgree(database.pair, direction.authority);
  } catch (failure) {
    await database.close();
    throw failure;
  }
  return {
    write: (records, options) => database.bridge.write(records, options),
    drain: (options) => database.bridge.drain(options),
    reconcile: (asked = {}) => reconcileApart({ pair, validation: defaultConfig.validation }, asked),
    status: () =>
      databaseStatus(database.pair, { direction, mode: "dual_write", olderCopy: database.olderCopy }),
    close: () => database.close(),
  };
}
