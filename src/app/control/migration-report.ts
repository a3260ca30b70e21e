/**
 * Gathers the content of the report of a migration from the control store, the evidence and the databases.
 */
import { systemClock } from "../../adapters/host/index.ts";
import { migrationPage } from "../../adapters/report/migration-page.ts";
import { lineOf } from "../../base/errors.ts";
import { type EvidenceFacts, gateMeanings, metricsOf } from "../../control/index.ts";
import { phaseAfter } from "../../domain/migration/phase.ts";
import type { AcceptedTerms } from "../../explain/index.ts";
import { checkTargets, writeWhole } from "../../platform/output.ts";
import type { AuditRow, ControlStore } from "../../ports/control-store.ts";
import type { Deed, MigrationReport } from "../../ports/migration-report.ts";
import { readStatus } from "../database/commands.ts";
import { attentionOf } from "../files/status.ts";
import { type ControlSettings, isPairConfigured } from "../stores.ts";
import { productVersion } from "../version.ts";
import { applyCause, auditActions, auditRows } from "./audit-rows.ts";
import { type OperatorSession, type StoreOptions, withOperator } from "./session.ts";

/** Reads the report and writes it as a page. Throws the errors of a target that cannot be written. */
export async function writeMigrationReport(
  options: StoreOptions & { readonly out: string },
): Promise<MigrationReport> {
  await checkTargets([options.out], []);
  const report = await withOperator(options, "reads", async (session, settings) =>
    migrationReport(session, settings, { risks: await outsideRisks(options, settings), remarks: [] }),
  );
  await writeWhole(new Map([[options.out, migrationPage(report)]]));
  return report;
}

/** The report of a store. The caller adds the risks outside the store, and remarks for its readers. */
async function migrationReport(
  { operator, store, status }: Pick<OperatorSession, "operator" | "store" | "status">,
  { config }: ControlSettings,
  { risks, remarks }: Pick<MigrationReport, "risks" | "remarks">,
): Promise<MigrationReport> {
  const overview = await operator.overview();
  const found = await status(overview);
  const facts = await operator.evidence(overview);
  const evidence = typeof facts === "object" ? facts : undefined;
  const { moves, signed, causes } = await deedsIn(store);
  const { phase, epoch, answers, rollback, gates } = found;
  return {
    ...{ version: productVersion, at: new Date(systemClock.nowMs()).toISOString(), remarks },
    ...{ legacy: config.systems.legacy.name, modern: config.systems.modern.name },
    ...{ phase, epoch, answers },
    back: { ...rollback, command: "pnl-bridge rollback --reason TEXT" },
    profile: config.gates.profile,
    target: gates === null ? null : (phaseAfter(phase) ?? null),
    gates: (gates?.gates ?? []).map(({ needs: _, ...gate }) => ({
      ...gate,
      meaning: gateMeanings[gate.name] ?? null,
    })),
    evidence: evidence === undefined ? null : evidenceOf(evidence),
    metrics: evidence === undefined ? null : metricsOf(evidence),
    ...{ moves, signed, waivers: evidence?.waivers ?? [], causes },
    risks: [
      ...(found.outOfUse === null ? [] : [`modern is out of use: ${found.outOfUse}`]),
      ...(found.switchFile === null ? [] : [`the switch file ${found.switchFile} is set on this machine`]),
      ...found.held.map(({ value, asked, why }) => `${value} ${asked} was requested and is held: ${why}`),
      ...found.instances
        .filter(({ state }) => state !== "live")
        .map(({ name, state }) => `the process ${name} is ${state}`),
      ...(typeof facts === "string" ? [`the evidence cannot be read: ${facts}`] : []),
      ...(evidence === undefined ? [] : apartNow(evidence)),
      ...risks,
    ],
  };
}

function evidenceOf({ key, attempt, looks, build, stored, trials }: EvidenceFacts) {
  const days = [...new Set(trials.trials.map(({ day }) => day))].toSorted();
  return {
    ...{ key, attempt, looks, build, otherKeys: stored.others.length },
    ...{ days: days.length, firstDay: days[0] ?? null, lastDay: days.at(-1) ?? null },
  };
}

const lanesMax = 20;

function apartNow({ trials: { apartNow: lanes } }: EvidenceFacts): readonly string[] {
  const hidden = lanes.length - lanesMax;
  return [
    ...lanes
      .slice(0, lanesMax)
      .map(
        ({ book, symbol, apart, day, source }) =>
          `${[book, symbol].filter(Boolean).join(" ")} is apart (${apart}, ${source}) since ${day}`,
      ),
    ...(hidden > 0 ? [`${hidden} more lanes are apart`] : []),
  ];
}

const signedActions: ReadonlySet<string> = new Set(
  Object.values(auditActions).filter((action) => action !== auditActions.handOutReport),
);

/**
 * The rows of the audit that changed or tried to change the plan, those that record something, and the
 * register of accepted causes.
 */
async function deedsIn(store: Pick<ControlStore, "audit">) {
  const found: { moves: Deed[]; signed: Deed[] } = { moves: [], signed: [] };
  const register = new Map<string, AcceptedTerms>();
  for await (const row of auditRows(store)) {
    applyCause(register, row);
    const { at, actor, action, reason } = row;
    const changes = changesOf(row);
    const what = [action, changes || contentOf(row)].filter(Boolean).join(": ");
    const deed = { at, actor, what, reason };
    if (changes !== "" || action === "refused" || action === "hold") found.moves.push(deed);
    else if (signedActions.has(action)) found.signed.push(deed);
  }
  return { ...found, causes: [...register.values()] };
}

const hiddenColumns = new Set([
  "epoch",
  "granted_epoch",
  "updated_at",
  "updated_by",
  "published_hash",
  "ramp",
  "cache_generation",
]);

/** The columns of the plan that a row changed, as `phase shadow_mode → dual_write`. */
function changesOf({ before, after }: AuditRow): string {
  if (before === null || after === null) return "";
  const [was, is] = [JSON.parse(before), JSON.parse(after)];
  const shown = (value: unknown): string =>
    value === null || value === undefined ? "as published" : String(value);
  return Object.keys(is)
    .filter((name) => !hiddenColumns.has(name) && JSON.stringify(was[name]) !== JSON.stringify(is[name]))
    .map((name) => `${name} ${shown(was[name])} → ${shown(is[name])}`)
    .join(", ");
}

/** The content of a row: the gate or the kind of result, and whether it was good. */
function contentOf({ evidence }: AuditRow): string {
  const content = evidence === null ? {} : JSON.parse(evidence);
  const { gate, phase, kind, code, date, ok, acknowledgedMs, sha256 } = content;
  return [
    gate ?? kind ?? code ?? date,
    gate === "approved" ? phase : undefined,
    ok === undefined ? undefined : ok ? "good" : "failed",
    acknowledgedMs === undefined ? undefined : `in ${acknowledgedMs} ms`,
    sha256 === undefined ? undefined : `SHA-256 ${String(sha256).slice(0, 12)}`,
  ]
    .filter((text) => text !== undefined && text !== null)
    .join(" ");
}

/**
 * Lists what waits in the databases and in the watched files. A place that cannot be read is listed as a
 * risk, too.
 */
async function outsideRisks(options: StoreOptions, { config }: ControlSettings): Promise<readonly string[]> {
  const { tradeLedger, marketPrices } = config.watch;
  const hasFiles = tradeLedger !== null || marketPrices.length > 0;
  const orWhy = (what: string, read: () => Promise<readonly string[]>): Promise<readonly string[]> =>
    read().catch((failure: unknown) => [`${what} cannot be read: ${lineOf(failure)}`]);
  const parts = await Promise.all([
    isPairConfigured(config) ? orWhy("the databases", () => databaseRisks(options)) : [],
    hasFiles ? orWhy("the watched files", () => fileRisks(options)) : [],
  ]);
  return parts.flat();
}

async function databaseRisks(options: StoreOptions): Promise<readonly string[]> {
  const { owed, modernAway, parked, quarantine, reviews, unstorable } = await readStatus(options);
  const counts = {
    "writes are owed to legacy": owed.toLegacy?.count ?? 0,
    "writes are owed to modern": owed.toModern.count,
    "rows are parked: the other database refuses their writes": parked.length,
    "rows of legacy are in quarantine": quarantine ?? 0,
    "pairs of rows wait for a decision": reviews ?? 0,
    "trades cannot be stored in legacy's tables": unstorable,
  };
  return [
    ...(modernAway === null ? [] : [`modern's database does not answer: ${modernAway}`]),
    ...Object.entries(counts).flatMap(([what, count]) => (count === 0 ? [] : [`${count} ${what}`])),
  ];
}

async function fileRisks(options: StoreOptions): Promise<readonly string[]> {
  const { watchStatus } = await import("../files/commands.ts");
  const { failures, waiting } = attentionOf(await watchStatus(options));
  return [...failures, ...waiting];
}
