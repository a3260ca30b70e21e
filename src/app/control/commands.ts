/** The commands of the control plane: each opens the store, does one thing, and returns its result. */
import { BridgeError } from "../../base/errors.ts";
import {
  type Guarded,
  type ListChange,
  type MoveOptions,
  type MoveResult,
  type PhaseMove,
  rampDefaults,
  type UserList,
} from "../../control/index.ts";
import type { Phase } from "../../domain/migration/phase.ts";
import type { ControlRecord } from "../../ports/control-store.ts";
import { publishedOf } from "./operator.ts";
import { type ByOptions, byOf, type StoreOptions, withOperator } from "./session.ts";
import type { Status } from "./status.ts";

export { metricWords } from "../../adapters/report/metric-words.ts";
export type { ListChange, MoveResult, UserList };

export const status = (options: StoreOptions): Promise<Status> =>
  withOperator(options, "reads", (session) => session.status());

export const gates = ({ target, ...options }: StoreOptions & { readonly target?: Guarded }) =>
  withOperator(options, "reads", ({ operator }) => operator.gatesOf(target));

export const movePhase = (
  move: PhaseMove,
  options: StoreOptions & ByOptions & MoveOptions,
): Promise<MoveResult> =>
  withOperator(options, options.dryRun === true ? "reads" : "changes", ({ operator }) =>
    operator.move(move, byOf(options), options),
  );

export const signOff = (
  gate: string,
  options: StoreOptions & { readonly actor: string; readonly note: string; readonly phase?: Phase },
) => withOperator(options, "changes", ({ operator }) => operator.signOff(gate, options));

export const changeList = (list: UserList, options: ListChange & StoreOptions & ByOptions) =>
  withOperator(options, "changes", ({ operator }) => operator.changeList(list, options, byOf(options)));

/** Returns the users on a list of the plan in force, sorted. */
export const userList = (list: UserList, options: StoreOptions): Promise<readonly string[]> =>
  withOperator(options, "reads", async ({ operator }) => {
    const { userWhitelist, userDenylist } = (await operator.overview()).effective.plan;
    return [...(list === "whitelist" ? userWhitelist : userDenylist)].toSorted();
  });

export interface TrafficOptions extends StoreOptions, ByOptions {
  /** The percentages of the ramp, in order. */
  readonly ramp?: readonly number[];
  readonly dwellMs?: number;
}

/** The record after the change, and a description of who answers under it. */
export interface TrafficReport {
  readonly record: ControlRecord;
  readonly answers: string;
}

export const traffic = (percentage: number | undefined, options: TrafficOptions): Promise<TrafficReport> => {
  const { ramp, dwellMs } = options;
  if ((percentage === undefined) === (ramp === undefined))
    throw new BridgeError("BAD_USAGE", {
      what:
        ramp === undefined
          ? "neither a percentage nor a ramp is given"
          : "both a percentage and a ramp are given",
      fix: "run traffic 25 --reason TEXT, or traffic --ramp 10,25,50,100 --reason TEXT",
    });
  if (ramp === undefined && dwellMs !== undefined)
    throw new BridgeError("BAD_USAGE", {
      what: "--dwell needs --ramp",
      fix: "run traffic --ramp 10,25 --dwell 10m --reason TEXT",
    });
  return withOperator(options, "changes", async ({ operator }) => {
    const by = byOf(options);
    const record =
      ramp === undefined
        ? await operator.traffic(percentage as number, by)
        : await operator.ramp({ steps: ramp, dwellMs: dwellMs ?? rampDefaults.dwellMs, endsIn: "stay" }, by);
    return { record, answers: operator.whoAnswers(record) };
  });
};

export const publishFile = (options: StoreOptions & ByOptions): Promise<ControlRecord> =>
  withOperator(options, "changes", ({ operator }, { config }) =>
    operator.publish(publishedOf(config), byOf(options)),
  );

export const verifyAudit = (options: StoreOptions) =>
  withOperator(options, "reads", (session) => session.verifyAudit());
