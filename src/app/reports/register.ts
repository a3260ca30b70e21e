/**
 * The record of reports: which workbook was handed out to whom, and which comparison a person accepted. The
 * entries are rows of the audit, so that the control store keeps them and the chain of hashes protects them.
 */
import type { JudgedReport } from "../../control/index.ts";
import { isBusinessDay } from "../../domain/market/trading-day.ts";
import type { Side } from "../../domain/migration/phase.ts";
import type { AuditRow, ControlStore } from "../../ports/control-store.ts";
import type { ReportDiff } from "../../ports/report-diff.ts";
import type { JsonValue } from "../../ports/system.ts";
import { auditActions, auditRows } from "../control/audit-rows.ts";
import { dayOfText } from "./figures.ts";

/** The comparison of both workbooks of a day, as it is kept. */
interface KeptDiff {
  readonly ok: boolean;
  readonly counts: ReportDiff["counts"];
  /** A sentence for each total that is not equal or drift that is too large; absent in older entries. */
  readonly failedTotals?: readonly string[];
  /** The content of both sides. */
  readonly hashes: Readonly<Record<Side, string>>;
}

export interface HandedOut {
  /** YYYY-MM-DD. */
  readonly date: string;
  /** Counts the contents of this day and side that were handed out, from 1. */
  readonly version: number;
  readonly side: Side;
  readonly because: string;
  /** Null if the caller is not known by name. */
  readonly user: string | null;
  readonly path: string;
  readonly contentHash: string;
  /** SHA-256 of the file. */
  readonly fileHash: string;
  readonly phase: string;
  readonly epoch: number;
  /**
   * The number of rows that the side refused; a file that legacy refused counts as one row. Absent in records
   * of earlier versions.
   */
  readonly refused?: number;
  /** Present in phases that compare; with `error` if the other report could not be built. */
  readonly diff?: KeptDiff | { readonly error: string };
}

export interface AcceptedReport {
  readonly date: string;
  readonly hashes: Readonly<Record<Side, string>>;
  readonly tolerances: { readonly position: string; readonly pnl: string };
  readonly counts: ReportDiff["counts"];
  /** Sentences like those of `KeptDiff`; the person accepted these totals with the differences. */
  readonly failedTotals?: readonly string[];
  /** The differences that were accepted, without those of appearance, which are only counted. */
  readonly differences: ReportDiff["differences"];
  /** The number of further differences, which are only counted. */
  readonly leftOut: number;
}

/** A process that begins to build and compare the two reports of a closed day. */
interface BegunComparison {
  readonly date: string;
  readonly process: string;
}

/** An entry with the row of the audit that holds it. */
type Kept<Entry> = Entry & {
  readonly seq: number;
  readonly at: string;
  readonly actor: string;
  readonly reason: string;
};

/** The record of one day, without the differences that were accepted. Oldest first. */
export interface ReportRegister {
  readonly handedOut: Kept<HandedOut>[];
  readonly accepted: Kept<Omit<AcceptedReport, "differences">>[];
  readonly begun: Kept<BegunComparison>[];
}

/** The records of all days, by day. */
export type ReportRegisters = Map<string, ReportRegister>;

/** Reads the records of all days. Linear in the audit. */
export async function reportRegisters(store: ControlStore): Promise<ReportRegisters> {
  const registers: ReportRegisters = new Map();
  for await (const row of auditRows(store)) addReportRow(registers, row);
  return registers;
}

/** Reads the record of a day. Linear in the audit. */
export const reportRegister = async (store: ControlStore, date: string): Promise<ReportRegister> =>
  registerOf(await reportRegisters(store), date);

/** The record of a day, which is created if it is missing. */
export const registerOf = (registers: ReportRegisters, date: string): ReportRegister => {
  const register = registers.get(date) ?? { handedOut: [], accepted: [], begun: [] };
  registers.set(date, register);
  return register;
};

/** Adds the entry of a row of the audit to the record of its day; rows of other actions change nothing. */
export function addReportRow(registers: ReportRegisters, row: AuditRow): void {
  const { seq, at, actor, reason, action, evidence } = row;
  const list = lists[action];
  if (list === undefined || evidence === null) return;
  const { differences: _, ...entry } = JSON.parse(evidence);
  registerOf(registers, entry.date)[list].push({ ...entry, seq, at, actor, reason });
}

/** The list of a register to which a row of an action belongs. */
const lists: Readonly<Record<string, keyof ReportRegister>> = {
  [auditActions.handOutReport]: "handedOut",
  [auditActions.acceptReport]: "accepted",
  [auditActions.compareReports]: "begun",
};

export const keepHandOut = (store: ControlStore, entry: HandedOut, actor: string): Promise<void> =>
  store.note({
    actor,
    action: auditActions.handOutReport,
    reason: entry.because,
    evidence: plainJson(entry),
  });

export const keepAcceptance = (
  store: ControlStore,
  entry: AcceptedReport,
  by: { readonly actor: string; readonly reason: string },
): Promise<void> => store.note({ ...by, action: auditActions.acceptReport, evidence: plainJson(entry) });

export const beginComparison = (
  store: ControlStore,
  entry: BegunComparison,
  by: { readonly actor: string; readonly reason: string },
): Promise<void> => store.note({ ...by, action: auditActions.compareReports, evidence: plainJson(entry) });

/** Entries are plain JSON; optional parts that are absent stay absent. */
const plainJson = (entry: object): JsonValue => JSON.parse(JSON.stringify(entry));

/** The version of a content: that of an earlier file with the same content, else the next one. */
export function versionOf({ handedOut }: ReportRegister, side: Side, contentHash: string): number {
  const ofSide = handedOut.filter((one) => one.side === side);
  const same = ofSide.findLast((one) => one.contentHash === contentHash);
  return same?.version ?? Math.max(0, ...ofSide.map(({ version }) => version)) + 1;
}

/** Whether the report of a day is accepted, with the reason. */
export interface ReportAcceptance extends JudgedReport {
  /** Present if a person accepted it. */
  readonly by?: { readonly actor: string; readonly at: string };
}

/**
 * Whether the report of a day is accepted: a person accepted exactly the last content of both sides, or the
 * last comparison found nothing to accept. If one side's content changes, the report is accepted no longer.
 */
export async function reportAcceptance(store: ControlStore, date: string): Promise<ReportAcceptance> {
  return acceptanceIn(await reportRegister(store, date), date);
}

/**
 * The reports of the last business day before `today` that were compared, or that could not be compared.
 * Reports of other days, such as a Saturday, are no evidence.
 */
export function lastReportBefore(registers: ReportRegisters, today: string): JudgedReport | undefined {
  const date = [...registers]
    .filter(
      ([day, { handedOut, accepted }]) =>
        day < today &&
        isBusinessDay(dayOfText(day)) &&
        (accepted.length > 0 || handedOut.some(({ diff }) => diff !== undefined)),
    )
    .map(([day]) => day)
    .toSorted()
    .at(-1);
  return date === undefined ? undefined : acceptanceIn(registerOf(registers, date), date);
}

/** The content of each side that was handed out or compared last; a side without any is absent. */
export function lastContent({ handedOut }: ReportRegister): Partial<KeptDiff["hashes"]> {
  let content: Partial<KeptDiff["hashes"]> = {};
  for (const { side, contentHash, diff } of handedOut)
    content =
      diff === undefined || "error" in diff ? { ...content, [side]: contentHash } : { ...diff.hashes };
  return content;
}

function acceptanceIn(register: ReportRegister, date: string): ReportAcceptance {
  const content = lastContent(register);
  const compared = register.handedOut.findLast(({ diff }) => diff !== undefined);
  const last = register.accepted.at(-1);
  const diff = compared?.diff;
  const found = diff === undefined || "error" in diff ? undefined : diff;
  const isJudgedByPerson = last !== undefined && last.seq > (compared?.seq ?? 0);
  const { counts, failedTotals = [] } = (isJudgedByPerson ? last : found) ?? {};
  const is = (state: JudgedReport["state"], because: string): ReportAcceptance => ({
    ...{ date, state, because },
    ...(counts !== undefined && { counts }),
    ...(failedTotals.length > 0 && { failedTotals }),
  });
  const fails = `${failedTotals.length} failing ${failedTotals.length === 1 ? "total" : "totals"}`;
  const what = failedTotals.length === 0 ? "the differences" : `the differences and the ${fails}`;
  if (diff !== undefined && "error" in diff && !isJudgedByPerson)
    return is("not compared", `the two reports of ${date} could not be compared: ${diff.error}`);
  const same = register.accepted.findLast(({ hashes }) => changedSides(hashes, content) === "");
  if (same !== undefined) {
    const { actor, at } = same;
    return { ...is("accepted", `${actor} accepted this content`), by: { actor, at } };
  }
  const changed = found && changedSides(found.hashes, content);
  if (changed === "" && found?.ok === true) return is("accepted", `the two reports of ${date} agree`);
  if (last !== undefined) {
    const sides = changedSides(last.hashes, content);
    return is("not accepted", `the acceptance of ${last.actor} is void: the content of ${sides} has changed`);
  }
  if (changed === undefined) return is("not compared", `the two reports of ${date} have not been compared`);
  return changed === ""
    ? is("not accepted", `nobody has accepted ${what} of the reports of ${date}`)
    : is("not compared", `the content of ${changed} has changed since the comparison of ${date}`);
}

/** Names the sides whose content has changed; empty if none has. */
export const changedSides = (before: KeptDiff["hashes"], now: Partial<KeptDiff["hashes"]>): string =>
  (["legacy", "modern"] as const)
    .filter((side) => before[side] !== now[side])
    .map((side) => `${side}'s report`)
    .join(" and ");
