/**
 * The close of a trading day: explains the lanes that are apart on closed days, and marks those whose whole
 * difference is due to causes that people accept. The gates do not count a marked lane-day as an event.
 */
import { randomUUID } from "node:crypto";
import { PeriodicWork } from "../../base/periodic-work.ts";
import type { SettledDays } from "../../control/index.ts";
import { SystemFailure } from "../../domain/migration/system-failure.ts";
import type { AcceptedTerms } from "../../explain/index.ts";
import type { Clock } from "../../ports/clock.ts";
import type { EvidenceStore, StoredComparison } from "../../ports/evidence.ts";
import type { Explanation } from "../../ports/explanation.ts";
import { idsIn, type LaneDay, markOf } from "../../ports/tallies.ts";
import { withoutRevoked } from "../control/gate-facts.ts";
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
/** A comparison is stored within this time, unless the store cannot be written. */
const writtenMs = 60_000;

/** No run has ended yet. */
export const nothingSettled: SettledDays = { key: "", day: "", atMs: 0, markedMs: 0 };

export class DayClose {
  readonly #options: DayCloseOptions;
  readonly #periodic: PeriodicWork;
  /** The accepted causes, as JSON, with which each lane-day was tried last. A change causes another try. */
  readonly #tried = new Map<string, string>();
  #settled = nothingSettled;

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

  /** What the last run has tried. */
  get settled(): SettledDays {
    return this.#settled;
  }

  async #work(): Promise<void> {
    const { key, today, clock } = this.#options;
    const [day, counted, atMs] = [today(), key(), clock.nowMs() - writtenMs];
    await this.#mark(day, counted);
    this.#settled = { key: counted, day, atMs, markedMs: clock.nowMs() };
  }

  /** Marks the lane-days before a day. */
  async #mark(today: string, key: string): Promise<void> {
    const { evidence, clock } = this.#options;
    const terms = await this.#options.register();
    if (terms.length === 0 || key === "") return;
    const register = JSON.stringify(terms);
    // A lane-day whose cause was revoked may have another accepted cause now.
    const { laneDays } = withoutRevoked(await evidence.evidence(key), terms);
    const open = laneDays.filter(
      ({ source, day, apart, accepted }) =>
        source !== "replay" && day < today && apart !== null && accepted === null,
    );
    const untried = open.filter((one) => one.group !== "summary" && this.#tried.get(idOf(one)) !== register);
    const candidates = await this.#candidates(untried);
    const explained = new Map<string, readonly Explanation[]>();
    const marks = new Map<string, LaneDay>();
    for (const laneDay of untried) {
      const all = candidates.get(callOf(laneDay)) ?? [];
      const ofBook = all.filter(({ unit }) => unit === laneDay.book);
      const found: (readonly Explanation[])[] = [];
      for (const { id } of ofBook.length > 0 ? ofBook : all) {
        if (this.#periodic.isClosed) return;
        const explanations = id === undefined ? [] : (explained.get(id) ?? (await this.#explanationsOf(id)));
        if (id !== undefined) explained.set(id, explanations);
        found.push(explanations);
      }
      const accepted = acceptedIn(found, laneDay);
      if (accepted === null) this.#tried.set(idOf(laneDay), register);
      else marks.set(idOf(laneDay), { ...laneDay, accepted });
    }
    const marked = laneDays.map((one) => marks.get(idOf(one)) ?? one);
    for (const summary of open.filter(({ group }) => group === "summary")) {
      const accepted = acceptedByLanes(summary, marked);
      if (accepted !== null) marks.set(idOf(summary), { ...summary, accepted });
    }
    if (marks.size === 0) return;
    const at = new Date(clock.nowMs()).toISOString();
    const process = `day close ${randomUUID()}`;
    await evidence.append([], {
      ...{ key, process, at, day: "", ended: true, laneDays: [...marks.values()], tallies: [] },
    });
  }

  /**
   * Finds the comparisons that can explain the lane-days, by method and time. Several books may be compared
   * in one millisecond. If the request of a comparison is not kept, the newest one with the same fields and
   * a kept request replaces it. Reads the stored divergences page by page, from the newest one to those that
   * are older than the lane-days, and further while a replacement is missing.
   */
  async #candidates(laneDays: readonly LaneDay[]): Promise<ReadonlyMap<string, readonly Candidate[]>> {
    const candidates = new Map<string, Candidate[]>(laneDays.map((one) => [callOf(one), []]));
    if (laneDays.length === 0) return candidates;
    const oldestMs = Math.min(...laneDays.map(({ at }) => Date.parse(at))) - writtenMs;
    /** The candidates whose requests are not kept, with their contents. */
    const lacking = new Map<Candidate, string>();
    /** The newest comparison with a kept request, by content. */
    const kept = new Map<string, string>();
    let before: string | undefined;
    let isOlder = false;
    do {
      const query = {
        verdict: "diverged",
        limit: pageLength,
        ...(before !== undefined && { before }),
      } as const;
      const page = await this.#options.evidence.find(query);
      for (const one of page) {
        const isKept = one.request === "kept";
        const wanted = one.kind === "ab" ? candidates.get(callOf(one)) : undefined;
        const candidate: Candidate = { unit: one.unit, id: isKept ? one.id : undefined };
        wanted?.push(candidate);
        const content = isKept || wanted !== undefined ? contentOf(one) : undefined;
        if (content === undefined) continue;
        if (!isKept) lacking.set(candidate, content);
        else if (!kept.has(content)) kept.set(content, one.id);
      }
      for (const [candidate, content] of lacking) {
        candidate.id = kept.get(content);
        if (candidate.id !== undefined) lacking.delete(candidate);
      }
      isOlder = Date.parse(page.at(-1)?.at ?? "") < oldestMs;
      before = page.length < pageLength ? undefined : page.at(-1)?.id;
    } while (before !== undefined && (!isOlder || lacking.size > 0) && !this.#periodic.isClosed);
    return candidates;
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

/** A comparison of the call by which a lane-day was compared last. */
interface Candidate {
  readonly unit: string | null;
  /** The id of the comparison that is explained; undefined if no request is kept. */
  id: string | undefined;
}

/** The method and the time of a comparison, which several comparisons may share. */
const callOf = ({ method, at }: Pick<LaneDay, "method" | "at">): string => JSON.stringify([method, at]);

const idOf = ({ source, day, book, symbol, method, at }: LaneDay): string =>
  JSON.stringify([source, day, book, symbol, method, at]);

/** A text that divergences share if all their fields are the same; undefined if not all fields are stored. */
const contentOf = ({ method, unit, fields, more }: StoredComparison): string | undefined =>
  more > 0 ? undefined : JSON.stringify([method, unit, fields]);

/**
 * The mark of a lane by its accepted causes; null unless they prove all its differences.
 * If no explanation names the book of the lane, any candidate may be about another book. Then each candidate
 * must prove the differences.
 */
function acceptedIn(
  candidates: readonly (readonly Explanation[])[],
  { book, symbol }: LaneDay,
): string | null {
  const explaining = (isOwn: (given: string | undefined) => boolean): readonly (readonly Explanation[])[] =>
    candidates.map((explanations) =>
      explanations.filter(({ component }) =>
        component.lanes.some((lane) => lane.symbol === symbol && isOwn(lane.book)),
      ),
    );
  const named = explaining((given) => given === book).filter(({ length }) => length > 0);
  const own = named.length > 0 ? named : explaining((given) => given === undefined);
  const causes = own.flat().map(({ accepted }) => accepted);
  if (own.length === 0 || own.some(({ length }) => length === 0) || causes.includes(undefined)) return null;
  return markOf(causes.flatMap((accepted) => accepted?.map(({ id }) => id) ?? []));
}

/**
 * The mark of an answer without lanes, whose request does not show its trades; null if it is not
 * accepted. It is accepted if the lanes that are apart on its day and in its book all have accepted causes,
 * and differ by at least as much money as the answer. If a quantity in the answer differs, that of a lane
 * must differ, too. An answer whose book no lane has covers all books.
 */
function acceptedByLanes(summary: LaneDay, laneDays: readonly LaneDay[]): string | null {
  const { source, day, book, money } = summary;
  if (money === null || summary.apart === "error") return null;
  const all = laneDays.filter((one) => one.source === source && one.day === day && one.group !== "summary");
  const isOfBook = laneDays.some((one) => one.group !== "summary" && one.book === book);
  const apart = all.filter((one) => one.apart !== null && (!isOfBook || one.book === book));
  const amounts = new Map<string, number>();
  for (const one of apart) {
    const lane = JSON.stringify([one.book, one.symbol]);
    amounts.set(lane, Math.max(amounts.get(lane) ?? 0, one.money ?? 0));
  }
  const explained = [...amounts.values()].reduce((total, amount) => total + amount, 0);
  const isExplained = apart.length > 0 && apart.every(({ accepted }) => accepted !== null);
  if (!isExplained || money > explained) return null;
  if (summary.quantityApart && !apart.some((one) => one.quantityApart)) return null;
  return markOf(apart.flatMap(idsIn));
}
