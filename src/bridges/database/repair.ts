/**
 * Executes a repair plan. Each action is a compare-and-set in two steps. First, the store whose row is taken
 * must still have the row that the plan calls `seen`. Then the other store gets that row, in a transaction
 * that requires that its own row is still the `seen` one. If a write between the two steps gives the taken
 * row its next version, the relay replaces the repaired row by that version.
 */
import { BridgeError } from "../../base/errors.ts";
import { otherSide, type Side } from "../../domain/migration/phase.ts";
import type { RecordStore } from "../../ports/record-store.ts";
import type { RepairAnswer } from "../../ports/repair-calls.ts";
import type { Backfill } from "./backfill.ts";
import { actionsMax, type RepairAction, type RepairPlan, type RepairVerb } from "./repair-plan.ts";

export interface RepairOptions {
  readonly stores: Readonly<Record<Side, RecordStore>>;
  readonly backfill: Pick<Backfill, "importRow">;
  readonly plan: RepairPlan;
  /** Whether to compare only, and change nothing. */
  readonly dryRun: boolean;
  /** The new incarnation of a store that was restored from an older copy. */
  readonly incarnation: string;
  readonly onResult: (result: RepairResult) => void;
}

export interface RepairResult extends Pick<RepairAction, "kind" | "key" | "do"> {
  /**
   * `already`: the row needed no change. `would`: a dry run found the row as the plan describes it.
   * `skipped`: the row has changed since the plan was made, or a rule forbids the action. `left`: the action
   * was `leave`.
   */
  readonly result: "done" | "already" | "would" | "skipped" | "left";
  readonly because: string;
}

export interface RepairReport {
  /** Whether nothing was skipped. */
  readonly ok: boolean;
  readonly results: readonly RepairResult[];
  /** The number of owed writes that now count as received, because the mirror has their rows. */
  readonly covered: number;
  /**
   * Whether the relay may carry writes again: false if rows of a restored store were skipped or are missing
   * in the plan, and after a dry run for a restored store.
   */
  readonly carries: boolean;
}

const entriesMax = 10_000;
type Outcome = Pick<RepairResult, "result" | "because">;

export async function executeRepair(options: RepairOptions): Promise<RepairReport> {
  const { plan, dryRun, stores, onResult } = options;
  const results: RepairResult[] = [];
  const untouched = new Set<string>();
  for (const action of plan.actions) {
    const { kind, key, aggregate } = action;
    const outcome =
      action.do === "leave"
        ? ({ result: "left", because: action.why } as const)
        : action.do === "import"
          ? await imported(action, options)
          : await taken(action, action.do, options);
    const result = { kind, key, do: action.do, ...outcome };
    if (result.result === "left" || result.result === "skipped") untouched.add(aggregate);
    results.push(result);
    onResult(result);
  }
  const ok = results.every(({ result }) => result !== "skipped");
  if (dryRun) return { ok, results, covered: 0, carries: plan.restored === null };
  const carries = plan.restored === null || (ok && plan.actions.length < actionsMax);
  if (!carries) return { ok, results, covered: 0, carries };
  const store = stores[plan.authority];
  const mirror = stores[otherSide(plan.authority)];
  if (plan.restored !== null) await renewStore(plan.restored, options);
  const { incarnation: source } = await store.call("fence", null);
  const unsettled = await store.call("unsettled", { limit: entriesMax });
  // A write whose row was not repaired is not covered: the mirror may have another write under its version.
  const entries = unsettled.filter(({ rows }) => !rows.some(({ aggregate }) => untouched.has(aggregate)));
  const covered = await mirror.call("cover", { source, entries });
  await adoptFence(options);
  return { ok, results, covered, carries };
}

/**
 * Lets a restored store begin a new history: its writes have new numbers for the other store, and the other
 * store's writes up to the plan's place count as applied.
 */
async function renewStore(side: Side, { stores, plan, incarnation }: RepairOptions): Promise<void> {
  const [store, other] = [stores[side], stores[otherSide(side)]];
  if (side !== plan.authority) {
    // The other store has these writes under the old history. While it is the authority, none is carried.
    const entries = (await store.call("unsettled", { limit: entriesMax })).map(({ seq }) => ({
      ...{ seq, changes: [] },
    }));
    const received = await other.call("received", { source: plan.incarnation, entries });
    const answers = entries.flatMap(({ seq }, at) => {
      const place = received[at]?.place ?? null;
      return place === null ? [] : [{ seq, answer: { kind: "applied", place } as const }];
    });
    await store.call("settle", { answers, nowMs: Date.parse(plan.at) });
  }
  await store.call("renew", { from: plan.incarnation, to: incarnation });
  await store.call("skipTo", { place: plan.place });
}

/** Gives the fence in force to a store whose fence lacks a move of the authority. */
async function adoptFence({ stores, plan }: RepairOptions): Promise<void> {
  const { epoch, authority } = plan;
  for (const side of ["legacy", "modern"] as const) {
    const from = plan.fences[side];
    if (from.epoch === epoch) continue;
    if (!(await stores[side].call("moveFence", { from, to: { epoch, authority, step: "" } })))
      throw new BridgeError("REFUSED", authorityMoved);
  }
}

/** The refusal of a plan whose fences are no longer the ones in the stores. */
export const authorityMoved = {
  what: "the authority has moved, or is moving, since the plan was made",
  fix: "make a new plan: pnl-bridge db reconcile --plan FILE",
};

async function taken(
  { wants, seen }: RepairAction,
  verb: RepairVerb,
  { stores, plan, dryRun }: RepairOptions,
): Promise<Outcome> {
  const wanted = wants[verb];
  if (wanted === undefined)
    return {
      result: "skipped",
      because: `the plan does not say what ${verb} writes; set \`do\` to one of the words in \`mayDo\``,
    };
  const source = verb === "take_legacy" ? "legacy" : "modern";
  let last: RepairAnswer["kind"] = "already";
  for (const side of [source, otherSide(source)] as const) {
    const repair = wanted[side];
    if (dryRun) {
      const { table, key } = repair.change;
      const places = [{ aggregate: repair.aggregate, table, key }];
      const [now] = await stores[side].call("rowStates", { places });
      if (JSON.stringify(now) !== JSON.stringify(seen[side]))
        return { result: "skipped", because: `${side} has another row or version now` };
      continue;
    }
    const given = { fence: plan.fences[side], seen: seen[side], repair };
    const { kind, because } = await stores[side].call("repair", given);
    if (kind === "changed" || kind === "refused") return { result: "skipped", because };
    if (kind === "done") last = kind;
  }
  return { result: dryRun ? "would" : last, because: "" };
}

async function imported(
  { claim, seen }: RepairAction,
  { stores, backfill, dryRun }: RepairOptions,
): Promise<Outcome> {
  const [owner] = await stores.legacy.call("owners", { claims: [claim] });
  if (typeof owner === "string") return { result: "already", because: "" };
  if (dryRun) return { result: "would", because: "" };
  const [row] = seen.legacy.rows;
  const [table] = JSON.parse(claim);
  const answer = row === undefined ? "changed" : await backfill.importRow(table, row);
  if (answer === "done") return { result: "done", because: "" };
  return {
    result: "skipped",
    because:
      answer === "changed"
        ? "legacy has another row now"
        : "the row waits for a person: see pnl-bridge db review",
  };
}
