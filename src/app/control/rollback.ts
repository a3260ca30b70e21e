import { type RollbackResult, rampDefaults } from "../../control/index.ts";
import type { ControlStore } from "../../ports/control-store.ts";
import type { TrafficReport } from "./commands.ts";
import {
  type ByOptions,
  byOf,
  checkNamed,
  commandOperator,
  openNamed,
  type StoreOptions,
  settingsOf,
  withOperator,
} from "./session.ts";

export interface RollbackOptions extends StoreOptions, ByOptions {
  /** The longest wait for processes. Default: until each has acknowledged or its lease is over. */
  readonly waitMs?: number;
  readonly onProgress?: (line: string) => void;
}

export type RollbackReport = RollbackResult & { readonly alertsPending: number };

/** The longest time that a command waits for its alert. The audit has the rollback in any case. */
const alertMsMax = 3_000;

/** Rolls back, even if the store cannot be opened; see `Operator.rollback`. */
export async function rollback(options: RollbackOptions): Promise<RollbackReport> {
  const settings = await settingsOf(options);
  checkNamed(options, settings, "changes");
  let opened: Promise<ControlStore> | undefined;
  const { operator, alerts, close } = commandOperator(settings, () => (opened ??= openNamed(settings)));
  const { waitMs, onProgress } = options;
  try {
    const result = await operator.rollback(byOf(options), {
      ...(waitMs === undefined ? {} : { waitMs }),
      ...(onProgress === undefined ? {} : { onProgress }),
    });
    return { ...result, alertsPending: await alerts.settled(alertMsMax) };
  } finally {
    await close();
    const store = await opened?.catch(() => undefined);
    await store?.close();
  }
}

export const rollbackGradually = (
  options: RollbackOptions & { readonly dwellMs?: number },
): Promise<TrafficReport> =>
  withOperator(options, "changes", async ({ operator }) => {
    const record = await operator.rollbackGradually(byOf(options), options.dwellMs ?? rampDefaults.dwellMs);
    return { record, answers: operator.whoAnswers(record) };
  });
