import { BridgeError } from "../../base/errors.ts";
import { type By, type RollbackResult, rampDefaults, whyOutOfUse } from "../../control/index.ts";
import type { ControlRecord } from "../../ports/control-store.ts";
import { type ControlSettings, switchFileOf } from "../stores.ts";
import { type ByOptions, byOf, type OperatorSession, openFor, type StoreOptions, settingsOf, withOperator } from "./session.ts";

export interface RollbackOptions extends StoreOptions, ByOptions {
  /** How long to wait for processes; by default until each has acknowledged or its lease is over. */
  readonly waitMs?: number;
  readonly onProgress?: (line: string) => void;
}

export type RollbackReport =
  | (RollbackResult & { readonly via: "store"; readonly alertsPending: number })
  | { readonly via: "switch_file"; readonly path: string; readonly why: string };

/** How long a command waits for its alert once all is done; who comes after hears of it from the audit. */
const alertMsMax = 3_000;

/**
 * The emergency. Where the store cannot be written, the switch file of this machine takes its processes to legacy. Throws UNWRITABLE where
 * that cannot be written either.
 */
export async function rollback(options: RollbackOptions): Promise<RollbackReport> {
  const settings = await settingsOf(options);
  const by = byOf(options);
  const { waitMs, onProgress } = options;
  let session: OperatorSession | undefined;
  try {
    session = await openFor(options, settings, "changes");
    const result = await session.operator.rollback(by, {
      ...(waitMs === undefined ? {} : { waitMs }),
      ...(onProgress === undefined ? {} : { onProgress }),
    });
    return { via: "store", ...result, alertsPending: await session.alerts.settled(alertMsMax) };
  } catch (failure) {
    if (!(failure instanceof BridgeError) || isNoStore.has(failure.code)) throw failure;
    return await setSwitch(settings, by, failure);
  } finally {
    await session?.close();
  }
}

/** What was named is no store, so there is no fleet beside it. */
const isNoStore: ReadonlySet<string> = new Set(["BAD_USAGE", "BAD_CONFIG", "NO_INPUT"]);

async function setSwitch(settings: ControlSettings, { reason, actor }: By, store: BridgeError): Promise<RollbackReport> {
  const file = switchFileOf(settings);
  try {
    await file.set(reason, actor);
  } catch (cause) {
    throw new BridgeError("UNWRITABLE", {
      what: `neither the control store (${store.line}) nor the switch file can be written: ${(cause as Error).message}`,
      where: file.path,
      mend: "make that file as a user who may, or stop the processes",
      cause,
    });
  }
  return { via: "switch_file", path: file.path, why: store.line };
}

/**
 * Takes traffic back step by step, and rolls back when it is at 0: a ramp that a live process goes on with. Throws REFUSED where no
 * percentage decides who answers.
 */
export const rollbackGradually = (options: RollbackOptions & { readonly dwellMs?: number }): Promise<ControlRecord> =>
  withOperator(options, "changes", async ({ operator }) => {
    const { effective, record } = await operator.overview();
    const { phase, newSystemPercentage: now } = effective.plan;
    const out = whyOutOfUse(record);
    if (out !== undefined || phase !== "dual_write")
      throw new BridgeError("REFUSED", {
        what:
          out === undefined
            ? `in ${phase} no percentage decides who answers, so there is none to take back`
            : `modern is out of use already (${out})`,
        mend: "rollback without --gradual is never refused",
      });
    const steps = [...[...rampDefaults.steps].reverse().filter((step) => step < now), 0];
    return operator.ramp({ steps, dwellMs: options.dwellMs ?? rampDefaults.dwellMs, endsIn: "rollback" }, byOf(options));
  });
