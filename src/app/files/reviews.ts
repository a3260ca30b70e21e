/** The reviews of files, and the results of people's decisions about them. */
import { systemClock } from "../../adapters/host/index.ts";
import { BridgeError } from "../../base/errors.ts";
import { pause } from "../../base/pause.ts";
import type { FileJournal, Review } from "../../ports/file-journal.ts";

/** Returns an open review. Throws NO_INPUT, and REFUSED (STALE_REVIEW) for a stale one. */
export async function openReview(journal: FileJournal, id: number): Promise<Review> {
  const found = (await journal.call("reviews", null)).find((review) => review.id === id);
  if (found !== undefined) return found;
  const outcome = await journal.call("outcome", { review: id });
  if (outcome === "stale") throw staleReview(id);
  throw noReview(String(id), outcome === "done");
}

export const noReview = (name: string, isDecided: boolean): BridgeError =>
  new BridgeError("NO_INPUT", {
    what: isDecided ? `review ${name} is decided already` : `there is no open review ${name}`,
    fix: "pnl-bridge watch review list shows the open ones",
  });

/**
 * Waits at most `msMax` until the process that watches has carried a decision out. `waits`: it will do so
 * later. Throws REFUSED (STALE_REVIEW) if the file no longer has the content that the review shows.
 */
export async function carriedOut(
  journal: FileJournal,
  review: number,
  msMax: number,
): Promise<"done" | "waits"> {
  const endMs = systemClock.monotonicMs() + msMax;
  for (;;) {
    const outcome = await journal.call("outcome", { review });
    if (outcome === "stale") throw staleReview(review);
    if (outcome !== "open") return "done";
    if (systemClock.monotonicMs() >= endMs) return "waits";
    await pause(systemClock, 50);
  }
}

const staleReview = (id: number): BridgeError =>
  new BridgeError("REFUSED", {
    what: `STALE_REVIEW: the file of review ${id} no longer has the content that was reviewed`,
    fix: "look at the present difference: pnl-bridge watch review list",
  });
