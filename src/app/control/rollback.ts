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
  /** How long to wait for processes; by default until each has acknowledged or its lease is over. */
  readonly waitMs?: number;
  readonly onProgress?: (line: string) => void;
}

export type RollbackReport = RollbackResult & { readonly alertsPending: number };

/** How long a command waits for its alert once all is done; who comes after hears of it from the audit. */
const alertMsMax = 3_000;

/** The emergency, also where the store cannot even be opened: see `Operator.rollback`. */
export async function rollback(options: RollbackOptions): Promise<RollbackReport> {
  const settings = await settingsOf(options);
  checkNamed(options, settings, "changes");
  let opened: Promise<ControlStore> | undefined;
  const { operator, alerts } = commandOperator(settings, () => (opened ??= openNamed(settings)));
  const { waitMs, onProgress } = options;
  try {
    const result = await operator.rollback(byOf(options), {
      ...(waitMs === undefined ? {} : { waitMs }),
      ...(onProgress === undefined ? {} : { onProgress }),
    });
    return { ...result, alertsPending: await alerts.settled(alertMsMax) };
  } finally {
    alerts.close();
    const store = await opened?.catch(() => undefined);
    await store?.close();
  }
}

export const rollbackGradually = (options: RollbackOptions & { readonly dwellMs?: number }): Promise<TrafficReport> =>
  withOperator(options, "changes", async ({ operator }) => {
    const record = await operator.rollbackGradually(byOf(options), options.dwellMs ?? rampDefaults.dwellMs);
    return { record, answers: operator.whoAnswers(record) };
  });
