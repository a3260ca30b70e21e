import { existsSync } from "node:fs";
import { BridgeError } from "../../base/errors.ts";
import { agrees } from "../../domain/migration/verdict.ts";
import type { EvidenceQuery, EvidenceStore, RequestState, StoredComparison } from "../../ports/evidence.ts";
import { hasExplainableRows } from "../../ports/pnl-service.ts";
import { type ControlSettings, evidenceFile, noControlStore, openEvidenceStore } from "../stores.ts";
import { type StoreOptions, settingsOf } from "./session.ts";

type ComparisonsQuery = { readonly [Name in keyof EvidenceQuery]?: EvidenceQuery[Name] | undefined };

const limitDefault = 100;
const limitMax = 1_000;

/** Returns the evidence store. Throws REFUSED if no comparisons are kept. */
export function keptEvidence(evidence: EvidenceStore | undefined): EvidenceStore {
  if (evidence !== undefined) return evidence;
  throw new BridgeError("REFUSED", {
    ...noControlStore,
    what: `no comparisons are kept: ${noControlStore.what}`,
  });
}

/** A stored comparison, and whether `explain` can look for its causes, or why it cannot. */
export interface ListedComparison extends StoredComparison {
  readonly explainable: boolean;
  /** Null if it is explainable. */
  readonly why: string | null;
}

const whyNotKept: Readonly<Record<Exclude<RequestState, "kept">, string>> = {
  too_large: "it is larger than 1 MB",
  daily_limit: "the limit of requests for that day was reached (shadow.keep_requests)",
  not_json: "JSON cannot express it",
};

export const notKept = (why: string): string => `request not kept: ${why}`;

/** Says whether `explain` can look for the causes of a comparison. */
export function listed(stored: StoredComparison): ListedComparison {
  const why = whyNotExplainable(stored);
  return { ...stored, explainable: why === null, why };
}

function whyNotExplainable({ verdict, kind, method, request }: StoredComparison): string | null {
  if (request === "kept") return null;
  if (agrees(verdict)) return "both sides agree";
  if (verdict === "error") return "a side failed, so there is one answer at most";
  if (verdict === "not_comparable") return "some values could not be compared, and no other value diverges";
  if (kind === "aa") return "it compares the answering side with itself";
  if (!hasExplainableRows(method)) return `answers of ${method} have no figures by instrument`;
  return notKept(request === null ? "an earlier version stored the comparison" : whyNotKept[request]);
}

/** Returns kept comparisons, newest first. Throws REFUSED if none are kept, BAD_USAGE for a bad limit. */
export async function findComparisons(
  evidence: EvidenceStore | undefined,
  { method, verdict, unit, before, limit = limitDefault }: ComparisonsQuery,
): Promise<readonly ListedComparison[]> {
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > limitMax)
    throw new BridgeError("BAD_USAGE", {
      what: `the limit must be a whole number from 1 to ${limitMax}`,
      fix: "write --limit 20",
    });
  const found = await keptEvidence(evidence).find({
    limit,
    ...(method !== undefined && { method }),
    ...(verdict !== undefined && { verdict }),
    ...(unit !== undefined && { unit }),
    ...(before !== undefined && { before }),
  });
  return found.map(listed);
}

/**
 * Returns the comparisons that have one of these ids and match a query, newest first. Reads each of them.
 * Throws REFUSED if no comparisons are kept.
 */
export async function findAmong(
  evidence: EvidenceStore | undefined,
  ids: readonly string[],
  { method, verdict, unit, before, limit = limitDefault }: ComparisonsQuery,
): Promise<readonly ListedComparison[]> {
  const store = keptEvidence(evidence);
  const wanted = ids
    .filter((id) => before === undefined || Number(id) < Number(before))
    .toSorted((a, b) => Number(b) - Number(a));
  const found: ListedComparison[] = [];
  for (const id of wanted) {
    if (found.length === limit) break;
    const stored = await store.get(id);
    if (stored === undefined) continue;
    const isWanted =
      (method ?? stored.method) === stored.method &&
      (verdict ?? stored.verdict) === stored.verdict &&
      (unit === undefined || unit === stored.unit);
    if (isWanted) found.push(listed(stored));
  }
  return found;
}

/** Runs `findComparisons` for a command. Throws NO_INPUT if the file is missing, and never creates it. */
export const comparisons = (options: StoreOptions & ComparisonsQuery): Promise<readonly ListedComparison[]> =>
  withEvidence(options, (evidence) => findComparisons(evidence, options));

/** Opens the evidence store of a command. Throws NO_INPUT if its file is missing, and never creates it. */
export async function withEvidence<Result>(
  options: StoreOptions,
  use: (evidence: EvidenceStore | undefined, settings: ControlSettings) => Promise<Result>,
): Promise<Result> {
  const settings = await settingsOf(options);
  const file = evidenceFile(settings);
  if (file !== undefined && !existsSync(file))
    throw new BridgeError("NO_INPUT", {
      what: "no comparisons have been kept yet",
      where: file,
      fix: "the first process of the fleet creates this file; check the path in --config or --store",
    });
  const evidence = await openEvidenceStore(settings);
  try {
    return await use(evidence, settings);
  } finally {
    await evidence?.close();
  }
}
