/** The work of the command `db reconcile`. */
import { resolve } from "node:path";
import { BridgeError } from "../../base/errors.ts";
import { parseDay } from "../../domain/market/trading-day.ts";
import { checkTargets, writeWhole } from "../../platform/output.ts";
import {
  type ReconcileBreak,
  type ReconcileKind,
  type ReconcileReport,
  reconcileKinds,
} from "../../ports/reconcile.ts";
import { auditActions } from "../control/audit-rows.ts";
import { settingsOf } from "../control/session.ts";
import { note } from "./command-session.ts";
import { reconcilePair, reconcileSettings, recordReconcile } from "./reconcile.ts";
import { FigureCsv } from "./reconcile-csv.ts";
import { repairPlan } from "./repair.ts";

export interface ReconcileCommand {
  readonly config?: string;
  /** The names of kinds, separated by commas. */
  readonly kinds?: string;
  readonly from?: string;
  readonly to?: string;
  readonly csv?: string;
  /** The file into which the plan of a repair is written. */
  readonly plan?: string;
  readonly onProgress?: (text: string) => void;
}

/**
 * Compares both databases of a configuration. The result of a pass over all rows is kept in modern's
 * database. Throws BAD_USAGE, BAD_CONFIG, UNWRITABLE, and the errors of `reconcilePair`.
 */
export async function reconcileDatabases(command: ReconcileCommand): Promise<ReconcileReport> {
  const { from, to, onProgress } = command;
  const kinds = kindsFrom(command.kinds);
  for (const day of [from, to])
    if (day !== undefined && parseDay(day) === undefined)
      throw new BridgeError("BAD_USAGE", {
        what: `${JSON.stringify(day)} is not a day`,
        fix: "write a day such as 2025-07-24",
      });
  const settings = await reconcileSettings(command);
  const { plan } = command;
  await checkTargets(
    [command.csv, plan].filter((target) => target !== undefined),
    [],
  );
  const breaks: ReconcileBreak[] = [];
  const csv = command.csv === undefined ? undefined : new FigureCsv(resolve(command.csv));
  try {
    const report = await reconcilePair(settings, {
      kinds,
      from,
      to,
      onProgress,
      ...(plan !== undefined && { onBreak: (found) => void breaks.push(found) }),
      ...(csv !== undefined && { onFigure: (figure) => csv.add(figure) }),
    });
    csv?.commit();
    if (isWhole(command)) await recordReconcile(settings, report);
    if (plan !== undefined) {
      const actions = await repairPlan(settings.pair, breaks);
      await writeWhole(new Map([[plan, `${JSON.stringify(actions, null, 2)}\n`]]));
    }
    return report;
  } finally {
    csv?.close();
  }
}

const isWhole = ({ kinds, from, to }: ReconcileCommand): boolean =>
  kinds === undefined && from === undefined && to === undefined;

/**
 * Notes a pass over all rows in the audit, for the gates. Without a control store no gate asks for it. Throws
 * the errors of the control store.
 */
export async function noteReconcile(
  command: ReconcileCommand,
  { unexplained, complete }: ReconcileReport,
): Promise<void> {
  if (!isWhole(command)) return;
  const evidence = { ok: unexplained === 0 && complete, unexplained, complete };
  await note(await settingsOf(command), { reason: "db reconcile" }, auditActions.reconcile, evidence);
}

function kindsFrom(text: string | undefined): readonly ReconcileKind[] | undefined {
  if (text === undefined) return undefined;
  const named = text.split(",").map((name) => name.trim());
  const unknown = named.find((name) => !reconcileKinds.some((kind) => kind === name));
  if (unknown !== undefined)
    throw new BridgeError("BAD_USAGE", {
      what: `${JSON.stringify(unknown)} is not a kind of rows`,
      fix: `name some of ${reconcileKinds.join(",")}`,
    });
  return reconcileKinds.filter((kind) => named.includes(kind));
}
