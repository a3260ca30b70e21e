/**
 * Moves the authority back to legacy while modern's store, which is authoritative, cannot be opened.
 *
 * Legacy's fence alone decides which store is authoritative, so one transaction in legacy moves the
 * authority. Until modern's store returns, legacy's fence has the step `abandoned` and no write is carried.
 * Then modern's fence is moved first, so that modern takes no more writes, and every write that modern owed
 * and legacy does not have goes to the quarantine with both images. If a process dies in between, the next
 * one continues.
 */
import { BridgeError } from "../../base/errors.ts";
import type { Side } from "../../domain/migration/phase.ts";
import type { Fence, OutboxEntry, RecordStore } from "../../ports/record-store.ts";
import { preparedEntryRow } from "./prepared.ts";

/** The step of legacy's fence from the abandonment until modern's owed writes are in the quarantine. */
export const abandonedStep = "abandoned";

const pageMax = 200;

/**
 * Makes legacy authoritative under a new epoch and a new incarnation. Throws CONFLICT if the fence has moved.
 */
export async function abandonModern(legacy: RecordStore, from: Fence, incarnation: string): Promise<Fence> {
  const to = { epoch: from.epoch + 1, authority: "legacy", step: abandonedStep, incarnation } as const;
  await mustMove(legacy, from, to);
  return to;
}

/** Declares that the abandoned store never returns, so that nothing waits for it any longer. */
export async function giveUpModern(legacy: RecordStore, from: Fence): Promise<Fence> {
  const to = { ...from, step: "" };
  await mustMove(legacy, from, to);
  return to;
}

/** Whether modern's store was abandoned and its owed writes are not in the quarantine yet. */
export const isAbandoned = (legacy: Fence, modern: Fence): boolean =>
  legacy.step === abandonedStep ||
  (legacy.authority === "legacy" && modern.authority === "modern" && modern.epoch < legacy.epoch);

/**
 * Settles the writes that modern owed. Returns the number of those that went to the quarantine. Throws
 * REFUSED if the store is not the abandoned one, and the errors of its calls while it is unreachable.
 */
export async function takeBack(
  { legacy, modern }: Readonly<Record<Side, RecordStore>>,
  nowMs: number,
): Promise<number> {
  const [fence, theirs] = [await legacy.call("fence", null), await modern.call("fence", null)];
  if (!isAbandoned(fence, theirs)) return 0;
  const isResumed = theirs.authority === "legacy" && theirs.epoch === fence.epoch;
  if (!isResumed && (theirs.authority !== "modern" || theirs.epoch >= fence.epoch))
    throw new BridgeError("REFUSED", {
      what: "modern's database is not the one that was abandoned: its writes that legacy lacks are not in it",
      fix: "restore that database, or give it up: pnl-bridge db drain --abandon --lost --reason TEXT",
    });
  const { epoch, authority } = fence;
  if (!isResumed) await mustMove(modern, theirs, { epoch, authority, step: abandonedStep });
  await modern.call("unpark", null);
  let quarantined = 0;
  for (;;) {
    const entries = await modern.call("pending", { limit: pageMax });
    if (entries.length === 0) break;
    const owed = entries.map(owedEntry);
    const received = await legacy.call("received", { source: theirs.incarnation, entries: owed });
    const answers = entries.flatMap(({ seq }, at) => {
      const place = received[at]?.place ?? null;
      return place === null ? [] : [{ seq, answer: { kind: "applied", place } as const }];
    });
    await modern.call("settle", { answers, nowMs });
    const lost = owed.flatMap(({ seq, rows }, at) =>
      received[at]?.place === null
        ? [{ seq, rows: rows.map((row, place) => reviewed(row, received[at]?.rows[place] ?? null)) }]
        : [],
    );
    await modern.call("handOver", { entries: lost, nowMs });
    quarantined += lost.length;
  }
  for (const store of [modern, legacy]) {
    const from = await store.call("fence", null);
    if (from.step === abandonedStep) await store.call("moveFence", { from, to: { ...from, step: "" } });
  }
  return quarantined;
}

type OwedRow = ReturnType<typeof owedRow>;

function owedEntry({ seq, rows: sent }: OutboxEntry) {
  const rows = sent.map(owedRow);
  return { seq, rows, changes: rows.map(({ change }) => change) };
}

function owedRow(row: OutboxEntry["rows"][number]) {
  const { aggregate, change, claim } = preparedEntryRow(row).legacy;
  return { aggregate, version: row.version, image: row.image, change, claim };
}

/**
 * Returns the quarantine entry of an owed write. Each owed write of a row has its own entry, so that a later
 * write does not hide an earlier one.
 */
const reviewed = ({ aggregate, version, image, change, claim }: OwedRow, legacy: object | null) => ({
  aggregate,
  version,
  quarantined: {
    kind: "review",
    table: change.table,
    key: `${claim} version ${version}`,
    code: "ABANDONED",
    because: "modern acknowledged this write and was abandoned before legacy had it",
    legacy: legacy && JSON.stringify(legacy),
    modern: JSON.stringify(image),
  } as const,
});

async function mustMove(
  store: RecordStore,
  from: Fence,
  to: Omit<Fence, "incarnation"> & Partial<Fence>,
): Promise<void> {
  if (await store.call("moveFence", { from, to })) return;
  throw new BridgeError("CONFLICT", {
    what: `somebody else moved the authority over the records at the same time`,
    fix: "look at `pnl-bridge db status`, then try again",
  });
}
