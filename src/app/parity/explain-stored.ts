/** Explains comparisons of the evidence store by their id: for a command, and for callers over HTTP. */
import { resolve } from "node:path";
import { BridgeError } from "../../base/errors.ts";
import { SystemFailure } from "../../domain/migration/system-failure.ts";
import type { AcceptedTerms } from "../../explain/index.ts";
import { threadFile } from "../../platform/thread-rpc.ts";
import type { EvidenceStore, StoredComparison } from "../../ports/evidence.ts";
import type { ComparisonExplanation, Explanation } from "../../ports/explanation.ts";
import { runApart } from "../apart.ts";
import { markingAccepted } from "../control/accepted-causes.ts";
import { keptEvidence, listed, notKept, withEvidence } from "../control/comparisons.ts";
import type { StoreOptions } from "../control/session.ts";
import { wholeBudget } from "./explain.ts";
import { type ExplainSettings, explainComparison, type KeptComparison } from "./explain-comparison.ts";
import { witnessFiles } from "./witness-files.ts";

/** A comparison with its explanations, the largest difference first. */
interface ExplainedComparison {
  readonly stored: StoredComparison;
  readonly explanations: readonly Explanation[];
  /** The reason why there are no explanations. */
  readonly why?: string;
}

interface ExplainedForCommand extends ExplainedComparison {
  readonly settings: ExplainSettings;
  /** The JSON text of the request and both answers; absent if they are not kept. */
  readonly text?: string;
}

/**
 * Explains the comparison with an id, for a command. Throws NO_INPUT and REFUSED as `comparisons` does,
 * BAD_USAGE if the comparison does not exist, and the errors of reading the ledgers.
 */
export const explainStored = (
  options: StoreOptions & { readonly id: string },
): Promise<ExplainedForCommand> =>
  withEvidence(options, async (evidence, settings) => {
    const found = await lookUp(keptEvidence(evidence), options.id);
    if (found === undefined)
      throw new BridgeError("BAD_USAGE", {
        what: `the comparison ${JSON.stringify(options.id)} does not exist`,
        fix: "pnl-bridge comparisons lists the comparisons with their ids",
      });
    if (!("text" in found)) return { ...found, settings, explanations: [] };
    return { ...found, settings, explanations: await explainComparison(found, settings, wholeBudget) };
  });

/**
 * The files of `--out`: those of a report's explanations, with the marks of the request and, if the trades
 * are those of the request, the request with these trades only. `config` is the path of the configuration.
 */
export function caseFiles(
  { stored, explanations, settings, text }: ExplainedForCommand,
  folder: string,
  config: string | undefined,
): ReadonlyMap<string, string> {
  const { request } = text === undefined ? { request: {} } : JSON.parse(text);
  const isOfRequest = stored.method === "calculatePnl";
  const prices = isOfRequest ? [] : settings.config.watch.marketPrices;
  const inputs = [
    ...prices.map((path) => ({ kind: "prices" as const, path: resolve(settings.folder, path) })),
    ...(config === undefined ? [] : [{ kind: "config" as const, path: config }]),
  ];
  return witnessFiles(explanations, inputs, folder, ({ witness }) => ({
    ...(request.marks !== undefined && { "marks.json": request.marks }),
    ...(isOfRequest && {
      "request.json": { ...request, trades: witness?.trades.map(({ line }) => request.trades[line - 1]) },
    }),
  }));
}

/** Returns a comparison with its kept request, or with the reason why it cannot be explained. */
async function lookUp(
  evidence: EvidenceStore,
  id: string,
): Promise<KeptComparison | { readonly stored: StoredComparison; readonly why: string } | undefined> {
  const stored = await evidence.get(id);
  if (stored === undefined) return undefined;
  const { why } = listed(stored);
  const text = why === null ? await evidence.request(id) : undefined;
  return text === undefined
    ? { stored, why: why ?? notKept("it was removed with its comparison") }
    : { stored, text };
}

/** One document: the explanation with the largest difference, and the others. */
export function explanationDocument({
  stored: { id, fields },
  explanations: [largest, ...others],
  why = "no figure of an instrument differs",
}: ExplainedComparison): ComparisonExplanation {
  if (largest !== undefined) return { comparison: id, ...largest, others };
  return {
    comparison: id,
    id,
    component: { lanes: [], files: [] },
    first: null,
    difference: fields.find(({ difference }) => difference !== null)?.difference ?? null,
    causes: [],
    unexplained: why,
    alternatives: [],
    witness: null,
    tried: [],
    budget: { runs: 0, runsMax: 0, trades: 0, tradesMax: 0, exhausted: false },
    others: [],
  };
}

/** A message to the process of one explanation. */
export interface ExplainOrder {
  readonly kept: KeptComparison;
  readonly settings: ExplainSettings;
}

/** An explanation that takes longer is given up. */
const explanationMsMax = 120_000;
/** The largest number of explanations that run or wait. One runs at a time. */
const underWayMax = 8;
/** The number of comparisons whose causes are kept. */
const explainedMax = 10_000;

/**
 * Explains comparisons while the bridge serves calls: one at a time, each in a process of its own, with the
 * budget of a report for each component.
 */
export class ComparisonExplainer {
  readonly #evidence: EvidenceStore | undefined;
  readonly #settings: ExplainSettings;
  readonly #register: () => Promise<readonly AcceptedTerms[]>;
  readonly #underWay = new Map<string, Promise<readonly Explanation[]>>();
  readonly #closing = new AbortController();
  readonly #causes = new Map<string, readonly string[]>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(
    evidence: EvidenceStore | undefined,
    settings: ExplainSettings,
    register: () => Promise<readonly AcceptedTerms[]>,
  ) {
    this.#evidence = evidence;
    const { systems, watch, validation, exclusions } = settings.config;
    this.#settings = { config: { systems, watch, validation, exclusions }, folder: settings.folder };
    this.#register = register;
  }

  /**
   * Returns undefined if the comparison does not exist. Throws REFUSED if no comparisons are kept, BUSY while
   * too many explanations wait, and the errors of reading the ledgers.
   */
  async explain(id: string): Promise<ComparisonExplanation | undefined> {
    const found = await lookUp(keptEvidence(this.#evidence), id);
    if (found === undefined) return undefined;
    if (!("text" in found)) return explanationDocument({ ...found, explanations: [] });
    const explanations = await (this.#underWay.get(id) ?? this.#inTurn(id, found));
    this.#causes.set(id, [...new Set(explanations.flatMap(({ causes }) => causes.map(({ code }) => code)))]);
    const [oldest = id] = this.#causes.keys();
    if (this.#causes.size > explainedMax) this.#causes.delete(oldest);
    const marked = markingAccepted(await this.#register());
    return explanationDocument({ ...found, explanations: explanations.map(marked) });
  }

  /** The codes of the causes of each comparison that was explained by this process; none if nothing fits. */
  get causes(): ReadonlyMap<string, readonly string[]> {
    return this.#causes;
  }

  /** Ends the explanations under way. */
  close(): void {
    this.#closing.abort();
  }

  #inTurn(id: string, kept: KeptComparison): Promise<readonly Explanation[]> {
    if (this.#underWay.size >= underWayMax)
      throw new SystemFailure("BUSY", `${this.#underWay.size} explanations are under way: try again later`);
    const explaining = this.#last
      .then(() =>
        runApart<ExplainOrder, readonly Explanation[]>(
          threadFile("explain-process", import.meta.url),
          { kept, settings: this.#settings },
          {
            work: "explains the comparison",
            withoutLimit: `run pnl-bridge explain ${id}, which has no time limit`,
            signal: AbortSignal.any([this.#closing.signal, AbortSignal.timeout(explanationMsMax)]),
          },
        ),
      )
      .finally(() => this.#underWay.delete(id));
    this.#underWay.set(id, explaining);
    this.#last = explaining.catch(() => {});
    return explaining;
  }
}
