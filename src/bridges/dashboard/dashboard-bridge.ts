import { messageOf } from "../../base/errors.ts";
import { AnswerComparer, type AnswerComparison, type AnswerOptions } from "../../comparison/index.ts";
import { parseInstant } from "../../domain/market/chicago-time.ts";
import type { TradingDayRuleName } from "../../domain/market/trading-day.ts";
import { otherSide, type Side } from "../../domain/migration/phase.ts";
import type { MigrationPlan } from "../../domain/migration/plan.ts";
import { type CallKey, routeOf } from "../../domain/migration/route.ts";
import { SystemFailure } from "../../domain/migration/system-failure.ts";
import type { Clock } from "../../ports/clock.ts";
import type { BridgeCore } from "../core/bridge-core.ts";
import type { CallContext, RunnerMethod } from "../core/call.ts";
import type { CallAnswer, FallbackReason } from "../core/options.ts";
import { defaultTolerances, type PnlTolerances, tolerancesByField } from "../core/tolerances.ts";
import { isZeroText } from "./figures.ts";
import {
  comparedPart,
  comparison,
  contradictionIn,
  emptyScreen,
  isBlank,
  panels,
  type Screen,
  type ScreenRequest,
} from "./screen.ts";
import { type DashboardRequest, type DashboardValue, panelsOf, reachOf, viewOf } from "./view.ts";

/** The figures for a viewer, with all facts that a page must state about them. Numbers are exact text. */
export interface DashboardAnswer {
  readonly value: DashboardValue;
  readonly source: Side;
  readonly epoch: number;
  /** The generation of the caches (`DELETE FROM new_pnl_cache` raises it). */
  readonly generation: number;
  /** The instant for which the figures hold. */
  readonly asOf: string;
  /** The age of the oldest mark of an open position in milliseconds; null if it is not known. */
  readonly markAge: number | null;
  /** The time at which the system answered. */
  readonly answeredAt: string;
  /** The figures are older than they should be, or lack writes, or the plan could not be checked. */
  readonly stale: boolean;
  readonly staleWhy?: string;
  readonly fellBack?: FallbackReason;
  readonly dayRule: string;
  readonly zone: string;
  /** Whether no list was cut and no panel is missing. */
  readonly complete: boolean;
  /** The number of rows after which a list was cut. */
  readonly truncatedAt?: number;
  /** Why the figures are of all books although a book was named. */
  readonly allBooks?: string;
  readonly other?: OtherSystem;
}

interface Watched {
  /** Identifies the book, and the system that the plan gives the viewers. */
  readonly key: string;
  readonly book: string | undefined;
  /**
   * The question whose answer a viewer would get now, as an object that no other question shares; undefined
   * if the next viewer causes a new question. `ask` gives the same answer for the same question.
   */
  readonly question: () => object | undefined;
  readonly ask: () => Promise<DashboardAnswer>;
}

interface OtherSystem {
  readonly source: Side;
  readonly value: DashboardValue;
  /** Absent if one of the two systems could not answer. */
  readonly comparison?: Pick<AnswerComparison, "verdict" | "fields" | "more">;
}

export interface ScreenSource {
  /** All viewers of a book share the answer. The call must have a time limit of its own. */
  readonly read: (request: ScreenRequest) => Promise<Screen>;
  readonly dayRule: TradingDayRuleName;
  /** Why the system's figures are of all books; undefined if it knows books. */
  readonly allBooks: string | undefined;
  /**
   * Whether the system's store holds trades of a book, or of any; undefined if that is not known. It confirms
   * that an empty screen is right. Without this function, an empty screen counts as right.
   */
  readonly hasTrades?: (book: string | undefined) => Promise<boolean | undefined>;
}

export interface DashboardBridgeOptions {
  /** The core of the service bridge: routes, runs, compares and counts the calls. */
  readonly core: BridgeCore;
  readonly legacy: ScreenSource;
  readonly modern: ScreenSource;
  /** The as-of, the method and the marks on which both systems must agree. */
  readonly pin: () => Pick<ScreenRequest, "asOf" | "method" | "marks">;
  /** The generation of the caches. */
  readonly generation: () => number;
  /** Returns why the plan may no longer be in force; undefined if it is. */
  readonly doubt: () => string | undefined;
  readonly tolerances?: PnlTolerances;
  readonly exclusions?: AnswerOptions["exclusions"];
  readonly clock: Clock;
  /** The time for which one answer of a system serves all viewers of a book. Default 1 000. */
  readonly intervalMs?: number;
}

const zone = "America/Chicago";
/** The numbers of trades that a system is asked for: one more than the longest lists that are shown. */
const tradesAsked = [501, 10_001, 100_001] as const;
/** The time for which the last good answer of a system that fails is shown, as stale. */
const keptMs = 600_000;
/** The time after a viewer's last request during which its screen is watched for changes. */
const watchedMs = 30_000;
/** The largest number of questions, of last answers and of viewers that are kept. */
const keptMax = 64;
/** The most differences between two screens that a viewer gets. Stored comparisons have fewer. */
const differencesMax = 5_000;

/** One question under one plan and generation, the answers of the systems, and the calls for viewers. */
interface World {
  readonly request: ScreenRequest;
  readonly startedMs: number;
  readonly epoch: number;
  readonly generation: number;
  readonly answers: Partial<Record<Side, Promise<Dated>>>;
  readonly calls: Map<Side, Promise<Shown>>;
}

interface Dated {
  readonly screen: Screen;
  readonly answeredMs: number;
}

/** A screen that was routed and answered, or the reason why there is none. */
interface Shown extends Omit<CallAnswer<Screen>, "value"> {
  readonly screen: Screen;
  readonly world: World;
  readonly answeredMs: number;
  readonly why?: string;
}

/**
 * Answers dashboards from the system that the plan gives each user, and compares both. All viewers of a book
 * share one question to each system per interval. A failed read never becomes a zero: the figures are the
 * last good ones, marked stale, or null with the reason.
 */
export class DashboardDataBridge {
  readonly #options: DashboardBridgeOptions;
  readonly #method: RunnerMethod;
  /** Compares the two screens that one viewer sees side by side. */
  #sideBySide: AnswerComparer;
  readonly #intervalMs: number;
  /** The current question for each book and number of trades. */
  readonly #worlds = new Map<string, World>();
  /** The calls that are not answered yet, by system and question. */
  readonly #underWay = new Map<string, Promise<Shown>>();
  readonly #kept = new Map<string, Shown>();
  readonly #viewers = new Map<string, { readonly request: DashboardRequest; readonly atMs: number }>();

  constructor(options: DashboardBridgeOptions) {
    this.#options = options;
    this.#intervalMs = options.intervalMs ?? 1_000;
    const side =
      (side: Side) =>
      async (args: readonly unknown[], { isRepeat }: CallContext): Promise<unknown> => {
        // The runner gives a copy of the question.
        const request = args[0] as ScreenRequest;
        const current = this.#worlds.get(worldKey(request));
        const world = current?.request.asOf === request.asOf ? current : this.#newWorld(request);
        const { screen } = await (isRepeat ? this.#read(side, world.request) : this.#ask(side, world));
        return { ...screen, tradesAsked: request.trades };
      };
    const tolerances = options.tolerances ?? defaultTolerances;
    this.#sideBySide = this.#comparer(tolerances, differencesMax);
    this.#method = options.core.add({
      name: "dashboard",
      isWrite: false,
      legacy: side("legacy"),
      modern: side("modern"),
      comparer: this.#comparer(tolerances),
      project: (answer) => comparedPart(answer as Parameters<typeof comparedPart>[0]),
    });
  }

  /** Sets the tolerances from the next comparison on. */
  setTolerances(tolerances: PnlTolerances): void {
    this.#method.comparer = this.#comparer(tolerances);
    this.#sideBySide = this.#comparer(tolerances, differencesMax);
  }

  /** Answers a view. Throws BAD_USAGE for an unknown cursor, and the SystemFailure of a refused request. */
  async getPnlData(request: DashboardRequest): Promise<DashboardAnswer> {
    const shown = await this.#shown(request);
    this.#note(request);
    return this.#answer(request, shown);
  }

  /**
   * The positions of each system and book of which a viewer requested any view in the last half minute. `ask`
   * asks for these positions again, as `getPnlData` does.
   */
  watched(): readonly Watched[] {
    const nowMs = this.#options.clock.monotonicMs();
    for (const [key, { atMs }] of this.#viewers) if (nowMs - atMs > watchedMs) this.#viewers.delete(key);
    // The plan may have moved viewers to another system since they asked.
    const requests = new Map(
      [...this.#viewers.values()].map(({ request }) => [this.#viewed(request), request]),
    );
    return [...requests].map(([key, request]) => ({
      key,
      book: request.book,
      question: () => this.#current(this.#asked(request)),
      ask: async () => this.#answer(request, await this.#shown(request)),
    }));
  }

  get plan(): MigrationPlan {
    return this.#options.core.plan;
  }

  #note({ user, book }: DashboardRequest): void {
    const request: DashboardRequest = { view: "positions", limit: Infinity, ...named({ user, book }) };
    const key = this.#viewed(request);
    this.#viewers.delete(key);
    this.#viewers.set(key, { request, atMs: this.#options.clock.monotonicMs() });
    dropOldest(this.#viewers);
  }

  /** The system that the plan gives a request, and its book. */
  #viewed(request: DashboardRequest): string {
    const { answer } = routeOf(this.plan, this.#keyOf(request), 0);
    return JSON.stringify([answer, request.book ?? null]);
  }

  /**
   * The key by which a request is routed. Where the plan routes by book, a request without a book is of all
   * books, so legacy answers it until modern answers all books; the lists of users still apply.
   */
  #keyOf({ user, book }: Pick<DashboardRequest, "user" | "book">): CallKey {
    const { plan } = this;
    const key: CallKey = named({ user, book });
    if (book !== undefined || plan.bucketBy !== "book") return key;
    if (plan.newSystemPercentage >= 100) return { ...key, book: "*" };
    return routeOf(plan, key, 0).because === "WITHIN_PERCENTAGE" ? {} : key;
  }

  /**
   * Returns the shared call for a request: one for each system and question. A call that is under way serves
   * later viewers too, so that a slow system is not asked repeatedly; viewers of the other system do not
   * wait.
   */
  #shown(request: DashboardRequest): Promise<Shown> {
    const key = this.#keyOf(request);
    const world = this.#world(request);
    const { answer: side } = routeOf(this.plan, key, 0);
    const id = `${side} ${world.epoch} ${world.generation} ${worldKey(world.request)}`;
    let shown = this.#underWay.get(id) ?? world.calls.get(side);
    if (shown === undefined) {
      shown = this.#call(world, key)
        .then(
          (good) => this.#keep(side, good),
          (failure) => this.#instead(failure, side, world),
        )
        .finally(() => this.#underWay.delete(id));
      world.calls.set(side, shown);
      this.#underWay.set(id, shown);
      // A failure of the request itself goes to the caller; a later caller may ask again.
      shown.catch(() => world.calls.delete(side));
    }
    return shown;
  }

  async #call(world: World, key: CallKey): Promise<Shown> {
    const { core, clock } = this.#options;
    const { value, ...facts } = await core.answer(this.#method, [world.request], key);
    const { tradesAsked: _, ...screen } = value as Screen & { readonly tradesAsked: number };
    const { answeredMs = clock.nowMs() } = (await world.answers[facts.source]) ?? {};
    return { ...facts, screen, world, answeredMs };
  }

  #keep(side: Side, good: Shown): Shown {
    // An empty screen is not worth showing once its system fails.
    if (isBlank(good.screen)) return good;
    const key = `${side} ${worldKey(good.world.request)}`;
    this.#kept.delete(key);
    this.#kept.set(key, good);
    dropOldest(this.#kept);
    return good;
  }

  /** Returns the last good answer of the same plan in place of a failed one, or no figures and the reason. */
  #instead(failure: unknown, side: Side, world: World): Shown {
    const { epoch, generation } = world;
    if (failure instanceof SystemFailure && failure.blamesRequest) throw failure;
    const why = `${side} does not answer: ${messageOf(failure)}`;
    const kept = this.#kept.get(`${side} ${worldKey(world.request)}`);
    const nowMs = this.#options.clock.nowMs();
    const isOfPlan = kept?.world.epoch === epoch && kept.world.generation === generation;
    if (isOfPlan && nowMs - kept.answeredMs <= keptMs) return { ...kept, stale: true, why };
    const screen = emptyScreen(`not available – ${side}: ${messageOf(failure)}`);
    return { screen, world, source: side, epoch, stale: true, why, answeredMs: nowMs };
  }

  /**
   * Returns the question of this interval, plan and generation for a book; a request for more trades has its
   * own question.
   */
  #world(request: DashboardRequest): World {
    const asked = this.#asked(request);
    const current = this.#current(asked);
    if (current !== undefined) return current;
    const world = this.#newWorld({ ...this.#options.pin(), ...asked });
    const key = worldKey(asked);
    this.#worlds.delete(key);
    this.#worlds.set(key, world);
    dropOldest(this.#worlds);
    return world;
  }

  /** Returns the book and the number of trades that a system is asked for. */
  #asked(request: DashboardRequest): Pick<ScreenRequest, "book" | "trades"> {
    const { legacy, modern } = this.#options;
    const reach = reachOf(request);
    const book = legacy.allBooks !== undefined && modern.allBooks !== undefined ? undefined : request.book;
    return { trades: tradesAsked.find((asked) => asked > reach) ?? tradesAsked[2], ...named({ book }) };
  }

  /** The question that still serves viewers; undefined if there is none of this interval and plan. */
  #current(asked: Pick<ScreenRequest, "book" | "trades">): World | undefined {
    const { clock, generation } = this.#options;
    const nowMs = clock.monotonicMs();
    for (const [key, { startedMs }] of this.#worlds)
      if (nowMs - startedMs >= this.#intervalMs) this.#worlds.delete(key);
    const current = this.#worlds.get(worldKey(asked));
    const isOfPlan = current?.epoch === this.plan.epoch && current.generation === generation();
    return isOfPlan ? current : undefined;
  }

  #newWorld(request: ScreenRequest): World {
    const { clock, generation } = this.#options;
    return {
      ...{ request, startedMs: clock.monotonicMs(), epoch: this.plan.epoch, generation: generation() },
      answers: {},
      calls: new Map(),
    };
  }

  /** Asks a system, at most once for each question. */
  #ask(side: Side, world: World): Promise<Dated> {
    world.answers[side] ??= this.#read(side, world.request);
    return world.answers[side];
  }

  async #read(side: Side, request: ScreenRequest): Promise<Dated> {
    const { clock, [side]: source, [otherSide(side)]: other } = this.#options;
    const { book, ...ofAllBooks } = request;
    const asked: ScreenRequest = source.allBooks === undefined ? request : ofAllBooks;
    const read = await source.read(asked);
    const answeredMs = clock.nowMs();
    const wrong = contradictionIn(read, request.trades);
    if (wrong !== undefined) throw contradiction(`${side} ${wrong}`);
    const isAlone = source.allBooks === undefined && other.allBooks !== undefined && isOfBooks(asked, read);
    const screen = isAlone ? { ...read, uncompared: panels } : read;
    if (!isBlank(screen) || source.hasTrades === undefined) return { screen, answeredMs };
    const hasTrades = await source.hasTrades(asked.book).catch(() => undefined);
    if (hasTrades === false) return { screen, answeredMs };
    if (hasTrades === true)
      throw contradiction(`${side} shows nothing but zeros, and its store holds trades`);
    const why = `${side} shows nothing but zeros, and nothing confirms that it has no trades`;
    return { screen: emptyScreen(why), answeredMs };
  }

  async #answer(request: DashboardRequest, shown: Shown): Promise<DashboardAnswer> {
    const { clock, doubt, [shown.source]: source } = this.#options;
    const { screen, world, answeredMs, source: side, epoch, fellBack } = shown;
    const { cut, ...value } = viewOf(request, screen, this.#madeBy(side, world));
    const lacking =
      shown.staleMs === undefined
        ? undefined
        : `legacy lacks writes, the oldest of them from ${shown.staleMs} ms ago`;
    const staleWhy = [shown.why, lacking, doubt()].filter((why) => why !== undefined).join("; ");
    const isWhole = panelsOf(request).every((panel) => value[panel] !== null);
    return {
      value,
      source: side,
      epoch,
      generation: world.generation,
      asOf: world.request.asOf,
      markAge: markAgeOf(screen, clock.nowMs()),
      answeredAt: new Date(answeredMs).toISOString(),
      stale: staleWhy !== "",
      ...(staleWhy !== "" && { staleWhy }),
      ...(fellBack !== undefined && { fellBack }),
      dayRule: source.dayRule,
      zone,
      complete: isWhole && cut === undefined,
      ...(cut !== undefined && { truncatedAt: cut }),
      ...(request.book !== undefined && source.allBooks !== undefined && { allBooks: source.allBooks }),
      ...(request.beside === true && { other: await this.#other(request, shown) }),
    };
  }

  #madeBy(side: Side, { request: { trades: tradesAsked } }: World) {
    return { dayRule: this.#options[side].dayRule, tradesAsked };
  }

  /** Returns the other system's screen for the same question, and the differences. */
  async #other(request: DashboardRequest, { source, screen: ours, world }: Shown): Promise<OtherSystem> {
    const side = otherSide(source);
    const shownOf = (screen: Screen): DashboardValue => {
      const { cut: _, ...value } = viewOf(request, screen, this.#madeBy(side, world));
      return value;
    };
    try {
      const { screen: theirs } = await this.#ask(side, world);
      const parts = [ours, theirs].map((one) => comparedPart({ ...one, tradesAsked: world.request.trades }));
      const [legacy, modern] = side === "modern" ? parts : parts.toReversed();
      const { verdict, fields, more } = this.#sideBySide.compare(legacy, modern, this.#options.clock.today());
      return { source: side, value: shownOf(theirs), comparison: { verdict, fields, more } };
    } catch (failure) {
      const why = `not available – ${side}: ${messageOf(failure)}`;
      return { source: side, value: shownOf(emptyScreen(why)) };
    }
  }

  #comparer(tolerances: PnlTolerances, fieldsMax?: number): AnswerComparer {
    const { exclusions = [] } = this.#options;
    return new AnswerComparer({
      ...comparison,
      tolerances: tolerancesByField(tolerances),
      exclusions,
      ...(fieldsMax !== undefined && { fieldsMax }),
    });
  }
}

/**
 * Returns the user and the book, and leaves out the one that is undefined, because an optional property must
 * not be undefined.
 */
const named = ({
  user,
  book,
}: {
  readonly user?: string | undefined;
  readonly book?: string | undefined;
}) => ({
  ...(user !== undefined && { user }),
  ...(book !== undefined && { book }),
});

/** Whether a system that knows books shows other figures than one that combines all books. */
const isOfBooks = ({ book }: ScreenRequest, { positions, trades }: Screen): boolean =>
  book !== undefined || [...(positions ?? []), ...(trades ?? [])].some((row) => row.book !== undefined);

const contradiction = (what: string): SystemFailure =>
  new SystemFailure("GARBLED", what, { code: "CONTRADICTION" });

const worldKey = ({ book, trades }: Pick<ScreenRequest, "book" | "trades">): string =>
  JSON.stringify([book ?? null, trades]);

function dropOldest(map: Map<string, unknown>): void {
  const [oldest] = map.keys();
  if (map.size > keptMax && oldest !== undefined) map.delete(oldest);
}

function markAgeOf({ positions }: Screen, nowMs: number): number | null {
  const times = (positions ?? [])
    .filter(({ mark, quantity }) => mark !== null && !isZeroText(quantity))
    .map(({ markAt }) => (markAt === null ? undefined : parseInstant(markAt)));
  const known = times.filter((time) => time !== undefined);
  if (known.length === 0 || known.length < times.length) return null;
  return Math.max(0, Math.round(nowMs - Math.min(...known) / 1_000));
}
