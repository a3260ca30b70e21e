import { existsSync } from "node:fs";
import { BridgeError } from "../../base/errors.ts";
import type { EvidenceQuery, EvidenceStore, StoredComparison } from "../../ports/evidence.ts";
import { evidenceFile, noControlStore, openEvidenceStore } from "../stores.ts";
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

/** Returns kept comparisons, newest first. Throws REFUSED if none are kept, BAD_USAGE for a bad limit. */
export async function findComparisons(
  evidence: EvidenceStore | undefined,
  { method, verdict, limit = limitDefault }: ComparisonsQuery,
): Promise<readonly StoredComparison[]> {
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > limitMax)
    throw new BridgeError("BAD_USAGE", {
      what: `the limit must be a whole number from 1 to ${limitMax}`,
      fix: "write --limit 20",
    });
  return keptEvidence(evidence).find({
    limit,
    ...(method !== undefined && { method }),
    ...(verdict !== undefined && { verdict }),
  });
}

/** Runs `findComparisons` for a command. Throws NO_INPUT if the file is missing, and never creates it. */
export async function comparisons(
  options: StoreOptions & ComparisonsQuery,
): Promise<readonly StoredComparison[]> {
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
    return await findComparisons(evidence, options);
  } finally {
    await evidence?.close();
  }
}
