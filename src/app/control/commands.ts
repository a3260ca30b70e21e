/** The commands of the control plane: each opens the store, does one thing, and returns its result. */
import { BridgeError } from "../../base/errors.ts";
import { type MoveResult, type PhaseMove, rampDefaults, whyOutOfUse } from "../../control/index.ts";
import type { Phase } from "../../domain/migration/phase.ts";
import type { ControlRecord } from "../../ports/control-store.ts";
import { switchFileOf } from "../stores.ts";
import { publishedOf } from "./operator.ts";
import { type ByOptions, byOf, type StoreOptions, withOperator } from "./session.ts";
import type { Status } from "./status.ts";

export type { MoveResult };

/** The fleet's, and of this machine the switch file where it is set: then its processes go to legacy whatever the plan says. */
export const status = (options: StoreOptions): Promise<Status & { readonly switchFile: string | null }> =>
  withOperator(options, "looks", async (session, settings) => {
    const file = switchFileOf(settings);
    return { ...(await session.status()), switchFile: (await file.isSet()) ? file.path : null };
  });

export const gates = (options: StoreOptions & { readonly target?: Phase }) =>
  withOperator(options, "looks", ({ operator }) => operator.gates(options.target));

export const movePhase = (
  move: PhaseMove,
  options: StoreOptions & ByOptions & { readonly dryRun?: boolean },
): Promise<MoveResult> =>
  withOperator(options, options.dryRun === true ? "looks" : "changes", async ({ operator }, settings) => {
    const file = switchFileOf(settings);
    // A process beside it would take modern out of use again at once.
    if (move.kind === "set" && (await file.isSet())) {
      const { effective } = await operator.overview();
      if (effective.plan.phase === move.phase)
        throw new BridgeError("REFUSED", {
          what: "the switch file is set",
          where: file.path,
          mend: "remove it first, on every machine that has one",
        });
    }
    return operator.move(move, byOf(options), { dryRun: options.dryRun === true });
  });

export const signOff = (
  gate: string,
  options: StoreOptions & { readonly actor: string; readonly note: string; readonly phase?: Phase },
) => withOperator(options, "changes", ({ operator }) => operator.signOff(gate, options));

export const whitelist = (change: "add" | "remove", user: string, options: StoreOptions & ByOptions) =>
  withOperator(options, "changes", ({ operator }) => operator.whitelist(change, user, byOf(options)));

export interface TrafficOptions extends StoreOptions, ByOptions {
  /** Percentages, in order. */
  readonly ramp?: readonly number[];
  readonly dwellMs?: number;
}

/** The record as it is now, and why its percentage does not count, where it does not. */
export const traffic = (
  percentage: number | undefined,
  options: TrafficOptions,
): Promise<{ readonly record: ControlRecord; readonly note: string | undefined }> => {
  const { ramp, dwellMs } = options;
  if ((percentage === undefined) === (ramp === undefined))
    throw new BridgeError("BAD_USAGE", {
      what: ramp === undefined ? "no percentage is named" : "a percentage and a ramp are named",
      mend: "traffic 25 --reason TEXT, or traffic --ramp 10,25,50,100 --reason TEXT",
    });
  if (ramp === undefined && dwellMs !== undefined)
    throw new BridgeError("BAD_USAGE", { what: "--dwell is for a ramp", mend: "traffic --ramp 10,25 --dwell 10m --reason TEXT" });
  return withOperator(options, "changes", async ({ operator }) => {
    const by = byOf(options);
    const { effective } = await operator.overview();
    const record =
      ramp === undefined
        ? await operator.traffic(percentage as number, by)
        : await operator.ramp({ steps: ramp, dwellMs: dwellMs ?? rampDefaults.dwellMs, endsIn: "stay" }, by);
    return { record, note: whyNotCounted(record, effective.plan.phase) };
  });
};

function whyNotCounted(record: ControlRecord, phase: Phase): string | undefined {
  const out = whyOutOfUse(record);
  if (out !== undefined) return `modern is out of use (${out}): legacy answers everything`;
  return phase === "dual_write" ? undefined : `the phase is ${phase}: the percentage counts in dual_write`;
}

export const publishFile = (options: StoreOptions & ByOptions): Promise<ControlRecord> =>
  withOperator(options, "changes", ({ operator }, { config }) => operator.publish(publishedOf(config), byOf(options)));

export const verifyAudit = (options: StoreOptions) => withOperator(options, "looks", (session) => session.verifyAudit());
