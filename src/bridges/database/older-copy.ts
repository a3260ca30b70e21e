/**
 * Finds a database of the pair that was restored from an older copy of itself. One of four signs shows it:
 * its fence lacks a move of the authority; the other database has applied a later write from it than its
 * last one; it has given the number of such a write to another write; or it lacks writes that it had
 * applied. An unfinished move of the authority shows none of these signs.
 */
import { otherSide, type Side } from "../../domain/migration/phase.ts";
import { olderCopy } from "../../durable/record-calls.ts";
import type { Fence, RecordStore } from "../../ports/record-store.ts";

type Stores = Readonly<Record<Side, RecordStore>>;
type Fences = Readonly<Record<Side, Fence>>;

export interface OlderCopy {
  readonly side: Side;
  /** Whether its fence lacks a move of the authority. Then neither database takes a write. */
  readonly lacksMove: boolean;
  /** Whether the relay sends it every write that it lacks, so that it needs no repair. */
  readonly isSentAgain: boolean;
  /** The sign that shows it, and what a person has to do. */
  readonly why: string;
}

/** Whether a side's database may lack writes, because it is the older copy or a fence lacks a move. */
export const mayLackWrites = (older: OlderCopy | undefined, side: Side): older is OlderCopy =>
  older !== undefined && (older.side === side || older.lacksMove);

const sides = ["legacy", "modern"] as const;
/** The number of pending writes whose numbers are looked up in the other database. */
const pendingMax = 200;

/** Returns the side whose fence lacks a move of the authority that the other fence has. */
export function sideBehind({ legacy, modern }: Fences): Side | undefined {
  const ahead = modern.epoch - legacy.epoch;
  // An unfinished move leaves modern's fence at most one epoch ahead, and with a step.
  if (ahead > 1 || (ahead === 1 && modern.step === "")) return "legacy";
  return ahead < 0 && legacy.authority === "modern" ? "modern" : undefined;
}

/** The fence in force: legacy's, unless legacy's database is an older copy. */
export const inForce = (fences: Fences): Fence =>
  fences[sideBehind(fences) === "legacy" ? "modern" : "legacy"];

/** Reads both fences as they are at one moment. */
export async function readFences({ legacy, modern }: Stores): Promise<Fences> {
  for (let before = await modern.call("fence", null); ; ) {
    const fences = { legacy: await legacy.call("fence", null), modern: await modern.call("fence", null) };
    if (JSON.stringify(fences.modern) === JSON.stringify(before)) return fences;
    before = fences.modern;
  }
}

/** Rejects with the errors of the calls while a database is unreachable. */
export async function findOlderCopy(stores: Stores): Promise<OlderCopy | undefined> {
  const fences = await readFences(stores);
  const behind = sideBehind(fences);
  if (behind !== undefined) {
    const [own, other] = [fences[behind].epoch, fences[otherSide(behind)].epoch];
    return found(behind, `its fence has epoch ${own}, and the other one's has ${other}`, { lacksMove: true });
  }
  const progress = {
    legacy: await stores.legacy.call("progress", null),
    modern: await stores.modern.call("progress", null),
  };
  for (const side of sides) {
    const [store, other] = [stores[side], stores[otherSide(side)]];
    const source = fences[side].incarnation;
    const applied = await other.call("applied", { source });
    // Writes may have come since the first read.
    const isShort =
      applied.seq > progress[side].last && applied.seq > (await store.call("progress", null)).last;
    if (isShort || (await hasReusedNumbers(store, other, source)))
      return found(side, "it has lost writes that the other database has");
  }
  for (const side of sides) {
    const { done, forgotten } = progress[otherSide(side)];
    const { place } = await stores[side].call("applied", { source: "" });
    if (place >= done) continue;
    const isSentAgain = fences.legacy.authority !== side && place >= forgotten;
    return found(side, "it lacks writes that it had applied", { isSentAgain });
  }
  return undefined;
}

async function hasReusedNumbers(store: RecordStore, other: RecordStore, source: string): Promise<boolean> {
  const entries = await store.call("pending", { limit: pendingMax });
  return entries.length > 0 && (await other.call("reusedNumbers", { source, entries })) > 0;
}

function found(
  side: Side,
  sign: string,
  { lacksMove = false, isSentAgain = false }: Partial<OlderCopy> = {},
): OlderCopy {
  const { message, fix } = olderCopy(side, sign);
  const mend = isSentAgain ? "they are sent to it again, see `pnl-bridge db drain`" : fix;
  return { side, lacksMove, isSentAgain, why: `${message}; ${mend}` };
}
