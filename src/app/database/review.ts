/** The rows that wait for a person. */
import { BridgeError } from "../../base/errors.ts";
import type { RecordStore } from "../../ports/record-store.ts";
import { settingsOf } from "../control/session.ts";
import { note, type PairOptions } from "./command-session.ts";
import { pairOf, prepared, withPair } from "./pair.ts";
import { type QuarantineEntry, settleRow } from "./quarantine.ts";

export interface ReviewOptions extends PairOptions {
  /** The row to settle, by its key, or all rows with a code. Without either, rows are only listed. */
  readonly settle?: string;
  readonly settleCode?: string;
  readonly reason?: string;
  readonly actor?: string;
}

export interface ReviewReport {
  /** The rows that still wait for a person after this call. */
  readonly waiting: readonly QuarantineEntry[];
  readonly settled: readonly QuarantineEntry[];
}

const reviewPage = 500;

/** Lists the rows that wait for a person, or settles some of them, which accepts them as they are. */
export async function review(options: ReviewOptions): Promise<ReviewReport> {
  const { settle, settleCode, reason, actor, ...rest } = options;
  if ((settle !== undefined || settleCode !== undefined) && reason === undefined)
    throw new BridgeError("BAD_USAGE", { what: "settling a row needs a reason", fix: "add --reason TEXT" });
  const settings = await settingsOf(rest);
  return withPair(pairOf(settings), prepared, async (pair) => {
    // Writes that legacy may or may not have stored (UNDECIDED) wait in legacy's quarantine.
    const found = [...(await waitingOf(pair.modern)), ...(await waitingOf(pair.legacy))];
    const isMeant = ({ key, code }: QuarantineEntry) => key === settle || code === settleCode;
    const settled = found.filter(isMeant);
    if (settle !== undefined && settled.length === 0)
      throw new BridgeError("NO_INPUT", {
        what: `no row with the key ${settle} waits for a decision`,
        fix: "pnl-bridge db review lists the keys",
      });
    for (const row of settled) await settleRow(pair, row);
    if (settled.length > 0) {
      const by = { reason: reason ?? "", ...(actor !== undefined && { actor }) };
      await note(settings, by, "review", { accepted: settled.map(({ key, code }) => ({ key, code })) });
    }
    return { waiting: found.filter((entry) => !isMeant(entry)), settled };
  });
}

async function waitingOf(store: RecordStore): Promise<readonly QuarantineEntry[]> {
  const found: QuarantineEntry[] = [];
  for (let after: QuarantineEntry | null = null; ; ) {
    const page: readonly QuarantineEntry[] = await store.call("quarantine", {
      after,
      limit: reviewPage,
    });
    found.push(...page);
    after = page.at(-1) ?? null;
    if (page.length < reviewPage) return found;
  }
}
