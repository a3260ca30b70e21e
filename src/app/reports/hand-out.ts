/** Hands out the workbook of a day: that of the named side, or else the one that the plan gives the user. */
import { createHash } from "node:crypto";
import { readFile, rm } from "node:fs/promises";
import { messageOf } from "../../base/errors.ts";
import { present } from "../../base/present.ts";
import { reportSideOf } from "../../bridges/reports/index.ts";
import type { Config } from "../../config/index.ts";
import { otherSide, phasePolicies, type Side } from "../../domain/migration/phase.ts";
import type { MigrationPlan } from "../../domain/migration/plan.ts";
import { writeWhole } from "../../platform/output.ts";
import type { ReportDiff } from "../../ports/report-diff.ts";
import { type BuiltReport, buildReport, canBuild, type ReportInput, reportWorld } from "./build.ts";
import { checkUnlocked } from "./check-unlocked.ts";
import { diffBooks } from "./diff.ts";

export interface HandOutOptions {
  readonly input: ReportInput;
  readonly config: Config;
  readonly plan: MigrationPlan;
  /** A side that was asked for by name; otherwise the plan decides. */
  readonly side?: Side | undefined;
  readonly user?: string | undefined;
}

/** A report that will be handed out, before it is written. */
export interface PreparedReport {
  readonly side: Side;
  readonly because: string;
  readonly report: Omit<BuiltReport, "workbook" | "bytes"> & { readonly bytes: Uint8Array };
  /** Present in phases that compare, unless the other report is legacy's and cannot be built here. */
  readonly diff?:
    | { readonly found: ReportDiff; readonly hashes: Readonly<Record<Side, string>> }
    | { readonly error: string };
}

/**
 * Builds the report that is handed out: that of the named side, or else that of the side which the plan gives
 * the user. In phases that compare, also builds the other report, if it can be built here, and compares both.
 * A failure there changes nothing about the report that is handed out.
 */
export async function prepareReport(options: HandOutOptions): Promise<PreparedReport> {
  const { input, config, plan, user } = options;
  const { side, because } =
    options.side === undefined
      ? reportSideOf(plan, user === undefined ? {} : { user })
      : { side: options.side, because: `${options.side} was asked for by name` };
  const world = await reportWorld(input, config);
  const { workbook, bytes, ...built } = await buildReport(side, world, "written");
  const report = { ...built, bytes: present(bytes, "a report that is written has bytes") };
  if (!phasePolicies[plan.phase].compares || !canBuild(otherSide(side), input, config))
    return { side, because, report };
  try {
    const other = await buildReport(otherSide(side), world, "compared");
    const own = { workbook, contentHash: report.contentHash };
    const [legacy, modern] = side === "legacy" ? [own, other] : [other, own];
    const found = diffBooks(legacy.workbook(), modern.workbook(), config);
    return {
      side,
      because,
      report,
      diff: { found, hashes: { legacy: legacy.contentHash, modern: modern.contentHash } },
    };
  } catch (failure) {
    return { side, because, report, diff: { error: messageOf(failure) } };
  }
}

/** The paths of a workbook and of the documents beside it. */
export const pathsBeside = (workbook: string) => {
  const stem = workbook.replace(/\.xlsx$/i, "");
  return { workbook, figures: `${stem}.json`, diff: `${stem}.diff.json` };
};

/** A report whose file is kept under another name, because its path is written again. */
export interface ReplacedReport {
  readonly date: string;
  readonly side: Side;
  readonly version: number;
  /** The workbook's new path. */
  readonly path: string;
}

export interface ReplacedFiles {
  readonly report: ReplacedReport;
  /** The kept files by their new paths. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

interface WrittenFiles {
  readonly workbook: string;
  readonly replaced?: ReplacedFiles | undefined;
  /** The hash of the workbook that exists with this content, if any; only the comparison is written then. */
  readonly keptHash: string | undefined;
  readonly inputs: readonly string[];
}

/**
 * Writes the workbook, its exact figures and the comparison beside it, each whole or not at all; without a
 * comparison, removes that of an earlier report. Throws UNWRITABLE, and changes nothing, if a workbook that
 * must be written is open in a spreadsheet program. Returns the SHA-256 of the workbook's bytes.
 */
export async function writeReport(
  { report, diff }: PreparedReport,
  { workbook, replaced, keptHash, inputs }: WrittenFiles,
): Promise<string> {
  const paths = pathsBeside(workbook);
  if (keptHash === undefined) await checkUnlocked(workbook);
  const found = diff !== undefined && "found" in diff ? diff.found : undefined;
  const files = new Map<string, string | Uint8Array | Iterable<string>>(replaced?.files);
  if (keptHash === undefined) files.set(paths.figures, report.document());
  if (found !== undefined) files.set(paths.diff, `${JSON.stringify(found)}\n`);
  if (keptHash === undefined) files.set(paths.workbook, report.bytes);
  await writeWhole(files, inputs);
  // The comparison of an earlier report would be taken for that of this one.
  if (found === undefined) await rm(paths.diff, { force: true });
  return keptHash ?? digestOf(report.bytes);
}

const digestOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** SHA-256 of a file; undefined if it cannot be read. */
export const digestOfFile = (path: string): Promise<string | undefined> =>
  readFile(path).then(digestOf, () => undefined);
