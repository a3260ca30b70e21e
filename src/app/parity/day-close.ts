/**
 * The close of a trading day: explains the lanes that are apart on closed days, and marks those whose whole
 * difference is due to causes that people accept. The gates do not count a marked lane-day as an event.
 */
import { randomUUID } from "node:crypto";
import { PeriodicWork } from "../../base/periodic-work.ts";
import { SystemFailure } from "../../domain/migration/system-failure.ts";
import type { AcceptedTerms } from "../../explain/index.ts";
import type { Clock } from "../../ports/clock.ts";
import type { EvidenceStore, StoredComparison } from "../../ports/evidence.ts";
import type { Explanation } from "../../ports/explanation.ts";
import type { LaneDay } from "../../ports/tallies.ts";
import type { ComparisonExplainer } from "./explain-stored.ts";

interface DayCloseOptions {
  readonly evidence: EvidenceStore;
  readonly explainer: Pick<ComparisonExplainer, "explain">;
  readonly register: () => Promise<readonly AcceptedTerms[]>;
  /** The key under which evidence is counted now; empty while no evidence is counted. */
  readonly key: () => string;
  /** The running trading day, YYYY-MM-DD. */
  readonly today: () => string;
  readonly clock: Clock;
  readonly onFailure: (failure: unknown) => void;
}

const everyMs = 60_000;
/** The number of divergences that are read at a time. */
const pageLength = 2_000;

export class DayClose {
  readonly #options: DayCloseOptions;
  readonly #periodic: PeriodicWork;
  /** The accepted causes, as JSON, with which each lane-day was tried last. A change causes another try. */
  readonly #tried = new Map<string, string>();

  constructor(options: DayCloseOptions) {
    this.#options = options;
    this.#periodic = new PeriodicWork(options.clock, everyMs, () =>
      this.#work().catch((failure: unknown) => {
        if (!this.#periodic.isClosed) options.onFailure(failure);
      }),
    );
  }

  /** Explains and marks the new lane-days. Calls at the same time share one run. Never throws. */
  work(): Promise<void> {
    return this.#periodic.run();
  }

  /** Resolves when no run is under way. The caller closes the explainer first, which ends an explanation. */
  close(): Promise<void> {
    return this.#periodic.close();
  }

  async #work(): Promise<void> {
    const { evidence, key, today } = this.#options;
    const terms = await this.#options.register();
    const counted = key();
    if (terms.length === 0 || counted === "") return;
    const register = JSON.stringify(terms);
    const { laneDays } = await evidence.evidence(counted);
    const open = laneDays.filter(
      (one) =>
        one.source !== "replay" &&
        one.day < today() &&
        one.apart !== null &&
        one.accepted === null &&
        this.#tried.get(idOf(one)) !== register,
    );
    if (open.length === 0) return;
    const ids = await this.#explainable(open);
    const explained = new Map<string, readonly Explanation[]>();
    const marked: LaneDay[] = [];
    for (const laneDay of open) {
      if (this.#periodic.isClosed) return;
      const id = ids.get(laneDay.at);
      let found = id === undefined ? [] : explained.get(id);
      if (found === undefined && id !== undefined) {
        found = await this.#explanationsOf(id);
        explained.set(id, found);
      }
      const accepted = acceptedIn(found ?? [], laneDay);
      if (accepted === undefined) this.#tried.set(idOf(laneDay), register);
      else marked.push({ ...laneDay, accepted });
    }
    if (marked.length === 0) return;
    const at = new Date(this.#options.clock.nowMs()).toISOString();
    const process = `day close ${randomUUID()}`;
    await evidence.append([], {
      ...{ key: counted, process, at, day: "", ended: true, laneDays: marked, tallies: [] },
    });
  }

  /**
   * Finds for each lane-day the comparison that can explain it, and returns the ids by the time of the
   * lane-day. This is the last comparison of the lane-day if its request is kept, else the newest one with
   * the same fields and a kept request. Reads the stored divergences page by page, from the newest one.
   */
  async #explainable(laneDays: readonly LaneDay[]): Promise<ReadonlyMap<string, string>> {
    const wanted = new Set(laneDays.map(({ at }) => at));
    const ids = new Map<string, string>();
    /** The contents of the last comparisons whose requests are not kept, by time. */
    const lacking = new Map<string, string>();
    /** The newest comparison with a kept request, by content. */
    const kept = new Map<string, string>();
    let before: string | undefined;
    do {
      const query = {
        verdict: "diverged",
        limit: pageLength,
        ...(before !== undefined && { before }),
      } as const;
      const page = await this.#options.evidence.find(query);
      for (const one of page) {
        const isKept = one.request === "kept";
        const isWanted = one.kind === "ab" && wanted.delete(one.at);
        if (isWanted && isKept) ids.set(one.at, one.id);
        const content = isWanted || isKept ? contentOf(one) : undefined;
        if (content === undefined) continue;
        if (!isKept) lacking.set(one.at, content);
        else if (!kept.has(content)) kept.set(content, one.id);
      }
      for (const [at, content] of lacking) {
        const id = kept.get(content);
        if (id !== undefined && lacking.delete(at)) ids.set(at, id);
      }
      before = page.length < pageLength ? undefined : page.at(-1)?.id;
    } while (before !== undefined && wanted.size + lacking.size > 0 && !this.#periodic.isClosed);
    return ids;
  }

  async #explanationsOf(id: string): Promise<readonly Explanation[]> {
    const document = await this.#options.explainer.explain(id).catch((failure) => {
      // Too many explanations are under way: this one is tried again.
      if (this.#periodic.isClosed || (failure instanceof SystemFailure && failure.failure === "BUSY"))
        throw failure;
      this.#options.onFailure(failure);
    });
    if (document === undefined) return [];
    const { comparison: _, others, first, ...largest } = document;
    return first === null ? others : [{ ...largest, first }, ...others];
  }
}

const idOf = ({ source, day, book, symbol, method, at }: LaneDay): string =>
  JSON.stringify([source, day, book, symbol, method, at]);

/** A text that divergences share if all their fields are the same; undefined if not all fields are stored. */
const contentOf = ({ method, unit, fields, more }: StoredComparison): string | undefined =>
  more > 0 ? undefined : JSON.stringify([method, unit, fields]);

/** The ids of the accepted causes of a lane, for its mark; undefined unless they prove all its differences. */
function acceptedIn(explanations: readonly Explanation[], { book, symbol }: LaneDay): string | undefined {
  const own = explanations.filter(({ component }) =>
    component.lanes.some((lane) => lane.symbol === symbol && (lane.book ?? book) === book),
  );
  const causes = own.map(({ accepted }) => accepted);
  if (causes.length === 0 || causes.includes(undefined)) return undefined;
  return [...new Set(causes.flatMap((accepted) => accepted?.map(({ id }) => id) ?? []))].join(" ");
}
