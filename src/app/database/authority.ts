import { BridgeError, codeOf } from "../../base/errors.ts";
import type { OlderCopy } from "../../bridges/database/index.ts";
import type { Side } from "../../domain/migration/phase.ts";
import type { Answered, DataAuthority } from "../../ports/data-authority.ts";
import { type ControlSettings, isPairConfigured } from "../stores.ts";
import type { OpenedDatabase } from "./open.ts";
import type { Pair } from "./pair.ts";

/**
 * Returns the authority over the records for one command; undefined if no pair is configured. Each question
 * opens the pair and creates no table; a move creates the tables that `db init` creates.
 */
export function commandAuthority(settings: ControlSettings): DataAuthority | undefined {
  if (!isPairConfigured(settings.config)) return undefined;
  // The modules are loaded late, because most commands need no pair and an operator in a hurry must not wait.
  const modules = async () => ({ ...(await import("./open.ts")), ...(await import("./pair.ts")) });
  const opened = async <T>(
    open: { readonly mirrors: boolean; readonly creates: boolean },
    work: (database: OpenedDatabase) => Promise<T>,
  ): Promise<T> => {
    const { mirrors, creates } = open;
    const direction = () => ({ authority: "modern", mirrors }) as const;
    const { openDatabase, pairOf } = await modules();
    const database = await openDatabase(pairOf(settings), { direction, creates });
    try {
      return await work(database);
    } finally {
      await database.close();
    }
  };
  // In a pair that `db init` has not prepared yet, nothing is owed and no row waits.
  const asked = async <T>(empty: T, work: (pair: Pair) => Promise<T>): Promise<T> => {
    const { isPrepared, looking, pairOf, withPair } = await modules();
    const pair = pairOf(settings);
    let isOpen = false;
    try {
      return await withPair(pair, looking, (stores) => {
        isOpen = true;
        return work(stores);
      });
    } catch (failure) {
      // Legacy's database lacks the bridge's tables. If modern's has them, legacy's was restored; otherwise,
      // `db init` has not run yet.
      if (isOpen || codeOf(failure) !== "BAD_DATABASE" || (await isPrepared(pair, "modern"))) throw failure;
      return empty;
    }
  };
  return {
    owedToLegacy: () =>
      asked(nothing, async (pair) => {
        const { findOlderCopy } = await import("../../bridges/database/index.ts");
        return lackingInLegacy(pair, await findOlderCopy(pair).catch(() => undefined));
      }),
    quarantined: () => asked(0, waitingRows),
    ready: (side) => opened({ mirrors: false, creates: false }, (database) => database.ready(side)),
    move: (side) =>
      opened({ mirrors: true, creates: true }, async (database) =>
        answeredBy(await database.cutover(side), side),
      ),
  };
}

const nothing = { count: 0, oldestMs: 0 };

/**
 * Returns the writes that legacy lacks. Throws if they are unknown: modern is authoritative and does not
 * answer, legacy's database is an older copy, or one fence lacks a move of the authority.
 */
export async function lackingInLegacy(pair: Pair, older: OlderCopy | undefined): Promise<typeof nothing> {
  const { mayLackWrites } = await import("../../bridges/database/index.ts");
  if (mayLackWrites(older, "legacy")) throw new BridgeError("REFUSED", { what: older.why });
  const { authority } = await pair.legacy.call("fence", null);
  return authority === "legacy" ? nothing : pair.modern.call("owed", { nowMs: Date.now() });
}

/**
 * Returns the number of rows of a pair that wait for a person. Throws SYSTEM_DOWN while an abandoned database
 * may have more.
 */
export async function waitingRows(pair: Pair): Promise<number> {
  const { abandonedStep } = await import("../../bridges/database/index.ts");
  const { step } = await pair.legacy.call("fence", null);
  if (step === abandonedStep)
    throw new BridgeError("SYSTEM_DOWN", {
      what: "modern's database was abandoned, and has not handed over the writes that legacy lacks",
      fix: "let it return, or give it up: pnl-bridge db drain --abandon --lost --reason TEXT",
    });
  const counts = [pair.modern, pair.legacy].map((store) => store.call("quarantineCounts", null));
  return (await Promise.all(counts)).reduce((sum, { rows, reviews }) => sum + rows + reviews, 0);
}

/** Returns the answer to a move from the report of its cut-over. */
export const answeredBy = (
  { authority, failed }: Awaited<ReturnType<OpenedDatabase["cutover"]>>,
  side: Side,
): Answered => ({
  open: authority === side,
  why: failed === null ? `${side} is authoritative` : `${failed.rung}: ${failed.why}`,
});
