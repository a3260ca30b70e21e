/** Measures the memory that both systems need for one history, and records it as evidence of the gates. */
import { resolve } from "node:path";
import { systemClock } from "../../adapters/host/index.ts";
import { BridgeError } from "../../base/errors.ts";
import type { Side } from "../../domain/migration/phase.ts";
import { threadFile } from "../../platform/thread-rpc.ts";
import { runApart } from "../apart.ts";
import { dayRulesOf, netsBooks } from "../builtin-systems.ts";
import { auditActions } from "../control/audit-rows.ts";
import { byOf, type StoreOptions, settingsOf, withOperator } from "../control/session.ts";
import { programBuild } from "../evidence-key.ts";
import type { MemoryOrder } from "./memory-process.ts";
import { pinnedPrices, runPnl } from "./pnl-run.ts";

export interface MeasuredMemory {
  readonly kind: "memory";
  readonly at: string;
  readonly build: string;
  /** Modern's peak divided by legacy's, for each pair. */
  readonly ratios: readonly number[];
  /** Legacy's and modern's peak in bytes, for each pair. */
  readonly peaks: readonly (readonly [number, number])[];
}

interface MemoryOptions extends StoreOptions {
  readonly trades: readonly string[];
  readonly prices?: readonly string[] | undefined;
  readonly pairs: number;
  readonly actor: string;
  readonly onProgress: (text: string) => void;
}

/**
 * Lets each system compute the history in a new process for each pair, in alternating order, and records the
 * peaks in the audit. Throws the errors of reading the ledgers and of the systems, and REFUSED for a system
 * that is reached over HTTP.
 */
export async function measureMemory({
  pairs,
  actor,
  onProgress,
  ...options
}: MemoryOptions): Promise<MeasuredMemory> {
  const { config, folder } = await settingsOf(options);
  const { systems } = config;
  for (const { kind, name } of Object.values(systems))
    if (kind === "http")
      throw new BridgeError("REFUSED", {
        what: `the memory of ${name} cannot be measured over HTTP`,
        fix: "measure it on its own machine, and record the file with evidence add",
      });
  const rules = dayRulesOf(systems);
  const netBooks = netsBooks(systems);
  const { trades, prices } = options;
  const world = await runPnl({ trades, prices, dayRule: rules.legacy, netBooks });
  const history = {
    ledgers: world.ledgers.map((path) => resolve(path)),
    closes: pinnedPrices({ ...world, ...world.input }),
  };
  const peakOf = (side: Side): Promise<number> =>
    runApart<MemoryOrder, number>(
      threadFile("memory-process", import.meta.url),
      { system: systems[side], folder, history, run: { trades, prices, dayRule: rules[side], netBooks } },
      { work: `measures the memory of ${systems[side].name}` },
    );
  const peaks: (readonly [number, number])[] = [];
  for (let pair = 0; pair < pairs; pair++) {
    onProgress(`measuring pair ${pair + 1} of ${pairs}`);
    if (pair % 2 === 0) peaks.push([await peakOf("legacy"), await peakOf("modern")]);
    else {
      const modern = await peakOf("modern");
      peaks.push([await peakOf("legacy"), modern]);
    }
  }
  const ratios = peaks.map(([legacy, modern]) => Number((modern / legacy).toFixed(4)));
  const at = new Date(systemClock.nowMs()).toISOString();
  const measured = { kind: "memory", at, build: programBuild(), ratios, peaks } as const;
  const reason = `memory of ${pairs} pairs, measured by this program`;
  await withOperator(options, "changes", ({ store }) =>
    store.note({
      ...byOf({ actor, reason }),
      action: auditActions.evidence,
      evidence: { ...measured, peaks: peaks.map((pair) => [...pair]) },
    }),
  );
  return measured;
}
