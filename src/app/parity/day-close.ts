/**
 * The close of a trading day: explains the lanes that are apart on closed days, and marks those whose whole
 * difference is due to causes that people accept. The gates do not count a marked lane-day as an event.
 */
import { randomUUID } from "node:crypto";
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
/** The number of the newest divergences that are searched for the last comparison of a lane-day. */
const comparisonsMax = 2_000;

export class DayClose {
  readonly #options: DayCloseOptions;
  readonly #stop: () => void;
  /** The accepted causes, as JSON, with which each lane-day was tried last. After a change it is tried again. */
  readonly #tried = new Map<string, string>();
  #running: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: DayCloseOptions) {
    this.#options = options;
    this.#stop = options.clock.every(everyMs, () => void this.work());
  }

  /** Explains and marks what is new since the last time. Calls at the same time share one run. Never throws. */
  work(): Promise<void> {
    this.#running ??= this.#work()
      .catch((failure: unknown) => {
        if (!this.#isClosed) this.#options.onFailure(failure);
      })
      .finally(() => {
        this.#running = undefined;
      });
    return this.#running;
  }

  /** Resolves when no run is under way. The caller closes the explainer first, which ends an explanation. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stop();
    await this.#running;
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
    const diverged = await evidence.find({ verdict: "diverged", limit: comparisonsMax });
    const explained = new Map<string, readonly Explanation[]>();
    const marked: LaneDay[] = [];
    for (const laneDay of open) {
      if (this.#isClosed) return;
      const id = explainableAs(laneDay, diverged);
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

  async #explanationsOf(id: string): Promise<readonly Explanation[]> {
    const document = await this.#options.explainer.explain(id).catch((failure) => {
      // Too many explanations are under way: this one is tried again.
      if (this.#isClosed || (failure instanceof SystemFailure && failure.failure === "BUSY")) throw failure;
      this.#options.onFailure(failure);
    });
    if (document === undefined) return [];
    const { comparison: _, others, first, ...largest } = document;
    return first === null ? others : [{ ...largest, first }, ...others];
  }
}

const idOf = ({ source, day, book, symbol, at }: LaneDay): string =>
  JSON.stringify([source, day, book, symbol, at]);

/**
 * The comparison that shows the difference of a lane-day and has its request: its last one, or another one of
 * the method with the same fields, since only some requests of a day are kept.
 */
function explainableAs({ at }: LaneDay, diverged: readonly StoredComparison[]): string | undefined {
  const last = diverged.find((one) => one.at === at && one.kind === "ab");
  if (last === undefined || last.request === "kept") return last?.id;
  if (last.more > 0) return undefined;
  const fields = JSON.stringify(last.fields);
  const isSame = ({ request, method, unit, more, fields: others }: StoredComparison): boolean =>
    request === "kept" &&
    method === last.method &&
    unit === last.unit &&
    more === 0 &&
    JSON.stringify(others) === fields;
  return diverged.find(isSame)?.id;
}

/** The codes of the accepted causes of a lane; undefined unless they prove all its differences. */
function acceptedIn(explanations: readonly Explanation[], { book, symbol }: LaneDay): string | undefined {
  const own = explanations.filter(({ component }) =>
    component.lanes.some((lane) => lane.symbol === symbol && (lane.book ?? book) === book),
  );
  const codes = own.map(({ accepted }) => accepted?.map(({ code }) => code).join(" "));
  return codes.length === 0 || codes.includes(undefined) ? undefined : [...new Set(codes)].join(" ");
}
