/** The return to legacy while modern's database is dead, with the rules for the people who decide it. */
import { randomUUID } from "node:crypto";
import { systemClock } from "../../adapters/host/index.ts";
import { BridgeError } from "../../base/errors.ts";
import { personName } from "../../base/person-name.ts";
import { abandonedStep, abandonModern, giveUpModern, takeBack } from "../../bridges/database/index.ts";
import type { By } from "../../control/index.ts";
import type { Fence } from "../../ports/record-store.ts";
import { byOf, type OperatorSession, openOperator, settingsOf } from "../control/session.ts";
import { directionOf } from "./open.ts";
import { openSide, type PairSettings, pairOf, prepared, withPair } from "./pair.ts";

export interface AbandonCommand {
  readonly config?: string;
  readonly reason: string;
  readonly actor?: string;
  /** Whether the abandoned database is given up because it never returns. */
  readonly lost: boolean;
}

export interface AbandonReport {
  /**
   * - `requested`: a second person must make the same request within an hour.
   * - `abandoned`: legacy is authoritative; the writes that modern owes are settled when its database
   * returns.
   * - `returned`: modern's database is back, and the owed writes that legacy lacks wait for a person.
   * - `given_up`: nothing waits for modern's database any longer.
   */
  readonly state: "requested" | "abandoned" | "returned" | "given_up";
  readonly epoch: number;
  /** The number of writes that this call put into the quarantine. */
  readonly quarantined: number;
}

const requestMsMax = 3_600_000;

/**
 * Makes legacy authoritative while modern's database, which is authoritative, cannot be opened. Two people
 * must agree: the first call records the request, and another person's call within an hour carries it out.
 * Throws REFUSED while the plan names modern, and BAD_CONFIG without a control store.
 */
export async function abandon(options: AbandonCommand): Promise<AbandonReport> {
  const settings = await settingsOf(options);
  const pair = pairOf(settings);
  const given = byOf(options);
  const by = { actor: personName(given.actor), reason: given.reason.trim() };
  if (by.reason === "" || by.actor === "")
    throw new BridgeError("BAD_USAGE", {
      what: "an abandonment needs a reason and a name",
      fix: "give both: --reason TEXT --actor NAME; the audit keeps them",
    });
  const session = await openOperator(settings);
  try {
    const { plan } = (await session.operator.overview()).effective;
    if (directionOf(plan)?.authority !== "legacy")
      throw new BridgeError("REFUSED", {
        what: `the plan (${plan.phase}, ${plan.migrationMode}) wants modern to be authoritative`,
        fix: "roll back first: pnl-bridge rollback --reason TEXT",
      });
    return await abandonUnder(session, { pair, by, isLost: options.lost });
  } finally {
    await session.close();
  }
}

interface Asked {
  readonly pair: PairSettings;
  readonly by: By;
  readonly isLost: boolean;
}

async function abandonUnder(session: OperatorSession, { pair, by, isLost }: Asked): Promise<AbandonReport> {
  const legacy = await openSide(pair, "legacy", prepared);
  try {
    const fence = await legacy.call("fence", null);
    const wasAbandoned = fence.step === abandonedStep;
    if (fence.authority === "legacy" && !wasAbandoned)
      throw new BridgeError("REFUSED", {
        what: "legacy is authoritative already: there is nothing to abandon",
        fix: "look at `pnl-bridge db status`",
      });
    if (wasAbandoned) {
      const quarantined = await returned(pair);
      if (quarantined !== undefined) return { state: "returned", epoch: fence.epoch, quarantined };
      if (!isLost) return { state: "abandoned", epoch: fence.epoch, quarantined: 0 };
    } else if (isLost)
      throw new BridgeError("REFUSED", {
        what: "modern's database is not abandoned, so it cannot be given up",
        fix: "abandon it first, without --lost",
      });
    const action = wasAbandoned ? "give-up" : "abandon";
    const requestedBy = await otherPerson(session, by, `${action} at epoch ${fence.epoch}`);
    const evidence = { epoch: fence.epoch, incarnation: fence.incarnation, requestedBy: requestedBy ?? null };
    const what = requestedBy === undefined ? `${action}-request` : action;
    await session.store.note({ ...by, action: what, evidence });
    if (requestedBy === undefined) return { state: "requested", epoch: fence.epoch, quarantined: 0 };
    const now: Fence = wasAbandoned
      ? await giveUpModern(legacy, fence)
      : await abandonModern(legacy, fence, randomUUID());
    return { state: wasAbandoned ? "given_up" : "abandoned", epoch: now.epoch, quarantined: 0 };
  } finally {
    await legacy.close();
  }
}

/**
 * Returns another person who has made the same request within the last hour. If there is none, records the
 * request.
 */
async function otherPerson({ store }: OperatorSession, by: By, gate: string): Promise<string | undefined> {
  const [{ grantedPhase }, signOffs] = [await store.read(), await store.signOffs()];
  const other = signOffs.find((one) => one.gate === gate && personName(one.actor) !== by.actor);
  if (other === undefined)
    await store.signOff({
      gate,
      phase: grantedPhase,
      actor: by.actor,
      note: by.reason,
      expiresAfterMs: requestMsMax,
    });
  return other?.actor;
}

/**
 * Settles the owed writes of modern's database if it is back, and returns the number of those that went to
 * the quarantine. Returns undefined if it is unreachable, or if it is another database.
 */
async function returned(settings: PairSettings): Promise<number | undefined> {
  return withPair(settings, prepared, (pair) => takeBack(pair, systemClock.nowMs()).catch(() => undefined));
}
