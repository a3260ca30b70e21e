/** Opens the pair under the plan in force for the commands of `db`, and records their work in the audit. */
import type { MigrationPlan } from "../../domain/migration/plan.ts";
import { keepHeapSmall } from "../../platform/small-heap.ts";
import type { JsonValue } from "../../ports/system.ts";
import { type ByOptions, byOf, openOperator, settingsOf } from "../control/session.ts";
import type { ControlSettings } from "../stores.ts";
import { directionOf, type OpenedDatabase, openDatabase, type PairEvent } from "./open.ts";
import { pairOf } from "./pair.ts";

export interface PairOptions {
  readonly config?: string;
}

/** Returns the plan in force: the control store's, else the file's. */
export async function planOfFleet(settings: ControlSettings): Promise<MigrationPlan> {
  if (settings.config.stores.control === null) return settings.config.plan;
  const session = await openOperator(settings);
  try {
    return (await session.operator.overview()).effective.plan;
  } finally {
    await session.close();
  }
}

/**
 * Opens the pair under the plan in force at this moment. If the plan changes while the command runs, the
 * command does not know it, so it never moves the authority back by itself.
 */
export async function withDatabase<T>(
  options: PairOptions & { readonly creates?: boolean; readonly onEvent?: (event: PairEvent) => void },
  work: (database: OpenedDatabase, plan: MigrationPlan, settings: ControlSettings) => Promise<T>,
): Promise<T> {
  keepHeapSmall();
  const settings = await settingsOf(options);
  const pair = pairOf(settings);
  const plan = await planOfFleet(settings);
  const { creates = false, onEvent } = options;
  const direction = () => directionOf(plan);
  const database = await openDatabase(pair, {
    ...{ direction, creates, isFresh: () => false },
    ...(onEvent && { onEvent }),
  });
  try {
    return await work(database, plan, settings);
  } finally {
    await database.close();
  }
}

/** Records the work of a command in the audit, if there is a control store. */
export async function note(
  settings: ControlSettings,
  by: ByOptions,
  action: string,
  evidence: JsonValue,
): Promise<void> {
  if (settings.config.stores.control === null) return;
  const session = await openOperator(settings);
  try {
    await session.store.note({ ...byOf(by), action, evidence });
  } finally {
    await session.close();
  }
}
