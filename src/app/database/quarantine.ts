/** The rows of both databases that wait for a person. */
import { systemClock } from "../../adapters/host/index.ts";
import type { Answer } from "../../ports/record-store.ts";
import type { Pair } from "./pair.ts";

export type QuarantineEntry = Answer<"quarantine">[number];

/** Accepts a row as it is, in both stores. Returns whether it was waiting in one of them. */
export async function settleRow(
  { modern, legacy }: Pair,
  { table, key }: Pick<QuarantineEntry, "table" | "key">,
): Promise<boolean> {
  const nowMs = systemClock.nowMs();
  let wasWaiting = false;
  for (const store of [modern, legacy])
    if (await store.call("settleQuarantine", { table, key, as: "accepted", nowMs })) wasWaiting = true;
  return wasWaiting;
}
