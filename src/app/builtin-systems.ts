/**
 * The built-in systems, one row each, and the properties that a configuration declares for the other systems.
 */
import type { BuiltinConfig, Config, SystemConfig } from "../config/index.ts";
import { defaultTradingDayRule, type TradingDayRuleName } from "../domain/market/trading-day.ts";
import type { Side } from "../domain/migration/phase.ts";
import { LegacyDesk, LegacyDeskService } from "../legacy-desk/index.ts";
import type { PnlService } from "../ports/pnl-service.ts";
import type { PnlSystem } from "../ports/pnl-system.ts";
import type { LedgerWorld } from "./bridge/systems/ledger-world.ts";
import { givenMarks, ModernEngineService, noLedgers } from "./bridge/systems/modern-service.ts";
import { pinnedPrices } from "./parity/pnl-run.ts";

/** Properties of a system's figures that the rest of the program depends on. */
interface Figures {
  /** The trading-day rule of its daily rows. Undefined: not declared. */
  readonly dayRule: TradingDayRuleName | undefined;
  /** False if the system matches lots across books; the engine on the other side then does the same. */
  readonly knowsBooks: boolean;
  readonly pnlIn: "money" | "points";
}

interface BuiltinSystem<System> {
  readonly figures: (system: System) => Figures;
  readonly service: (system: System, world: LedgerWorld | undefined) => PnlService;
  /**
   * A system that reads ledgers by itself, and writes a database if one is named. Null: the engine runs over
   * the ledgers.
   */
  readonly desk: ((system: System, database: string | undefined) => PnlSystem) | null;
}

const rows: {
  readonly [Name in BuiltinConfig["name"]]: BuiltinSystem<Extract<BuiltinConfig, { readonly name: Name }>>;
} = {
  "legacy-desk": {
    figures: () => ({ dayRule: "calendar", knowsBooks: false, pnlIn: "points" }),
    service: ({ mode }, world) =>
      new LegacyDeskService({
        mode,
        world: ({ marks }) => deskWorld(world, marks),
        nameOf: (symbol) => world?.nameOf(symbol) ?? symbol,
      }),
    desk: ({ mode }, database) => new LegacyDesk({ mode, ...(database === undefined ? {} : { database }) }),
  },
  "modern-engine": {
    figures: ({ dayRule }) => ({ dayRule, knowsBooks: true, pnlIn: "money" }),
    service: (_, world) => new ModernEngineService(world),
    desk: null,
  },
};

// Each row takes the configuration of its own name. TypeScript cannot infer that for a name known only at run
// time.
const rowOf = (system: BuiltinConfig) => rows[system.name] as BuiltinSystem<BuiltinConfig>;

export const builtinService = (system: BuiltinConfig, world: LedgerWorld | undefined): PnlService =>
  rowOf(system).service(system, world);

/** The built-in system that reads ledgers by itself; undefined if the modern engine runs over the ledgers. */
export const builtinDesk = (system: BuiltinConfig, database: string | undefined): PnlSystem | undefined =>
  rowOf(system).desk?.(system, database);

export const figuresOf = (system: SystemConfig): Figures =>
  system.kind === "builtin"
    ? rowOf(system).figures(system)
    : { dayRule: system.dayRule, knowsBooks: true, pnlIn: system.pnlIn };

/** Whether the engine must match lots across books, as one of the two systems does. */
export const netsBooks = ({ legacy, modern }: Config["systems"]): boolean =>
  !figuresOf(legacy).knowsBooks || !figuresOf(modern).knowsBooks;

/** Whether legacy's daily report can be built here. That of a foreign legacy is a file of the desk. */
export const hasOwnReport = (legacy: SystemConfig): boolean =>
  legacy.kind === "builtin" && legacy.name === "legacy-desk";

/**
 * The trading-day rules of both systems. The engine follows `given`, else its own `day_rule`, else the rule
 * declared for the other system, else chicago-17. A desk always follows its own rule.
 */
export function dayRulesOf(
  { legacy, modern }: Config["systems"],
  given: TradingDayRuleName | undefined = undefined,
): Readonly<Record<Side, TradingDayRuleName>> {
  const [ofLegacy, ofModern] = [figuresOf(legacy).dayRule, figuresOf(modern).dayRule];
  const legacyRule = ofLegacy ?? ofModern ?? defaultTradingDayRule;
  const isOpen = modern.kind === "builtin" && rowOf(modern).desk === null;
  return { legacy: legacyRule, modern: (isOpen ? given : undefined) ?? ofModern ?? legacyRule };
}

/** The input of the desk: the files and, for each symbol and day, the price that the engine uses. */
async function deskWorld(world: LedgerWorld | undefined, marks: unknown) {
  if (world === undefined) throw noLedgers();
  const run = await world.run({
    method: "fifo",
    asOf: undefined,
    marks: marks === undefined ? undefined : givenMarks(marks),
  });
  return { ledgers: run.ledgers, closes: pinnedPrices({ ...run, ...run.input }) };
}
