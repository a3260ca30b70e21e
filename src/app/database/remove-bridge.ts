/** Removes the database bridge from both databases. */
import { modernKeys } from "../../bridges/database/index.ts";
import type { Side } from "../../domain/migration/phase.ts";
import type { OwnObject } from "../../ports/leaving-calls.ts";
import type { RecordStore } from "../../ports/record-store.ts";
import { openRecordStore } from "../stores.ts";
import type { PairSettings } from "./pair.ts";

type Has = Readonly<Record<Side, boolean>>;

/** What the bridge has put into each database that still has its tables. */
export async function ownObjects(pair: PairSettings, has: Has): Promise<Record<Side, readonly OwnObject[]>> {
  const objectsOf = (side: Side) =>
    has[side] ? withStore(pair, side, (store) => store.call("ownObjects", null)) : [];
  return { legacy: await objectsOf("legacy"), modern: await objectsOf("modern") };
}

/**
 * Removes the bridge from the databases that still have its tables, each in one transaction, and modern's first:
 * until legacy's fence is gone, it keeps every writer away from legacy. Answers the rows of modern's tables,
 * which were read and written without the bridge; null if modern had nothing of it any more.
 */
export async function removeBridge(
  pair: PairSettings,
  has: Has,
): Promise<Readonly<Record<string, number>> | null> {
  const proved = has.modern
    ? await withStore(pair, "modern", (store) => store.call("removeBridge", { keys: modernKeys }))
    : null;
  if (has.legacy) await withStore(pair, "legacy", (store) => store.call("removeBridge", { keys: {} }));
  return proved;
}

async function withStore<T>(
  { addresses, folder }: PairSettings,
  side: Side,
  work: (store: RecordStore) => Promise<T>,
): Promise<T> {
  const store = await openRecordStore(addresses[side], { folder, side, authority: "modern", creates: false });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}
