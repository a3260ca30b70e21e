/** Builds the dashboard bridge of a configuration, with the source of each side's figures. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { hasLegacyTrades } from "../../adapters/sqlite/index.ts";
import { assert } from "../../base/errors.ts";
import { sqliteFile } from "../../base/store-address.ts";
import {
  controllerReads,
  controllerScreen,
  DashboardDataBridge,
  type ScreenSource,
  serviceScreen,
} from "../../bridges/dashboard/index.ts";
import { excludedPaths, type PnLServiceBridge } from "../../bridges/service/index.ts";
import type { Config } from "../../config/index.ts";
import type { Side } from "../../domain/migration/phase.ts";
import type { Clock } from "../../ports/clock.ts";
import type { BridgedSystem } from "../../ports/system.ts";
import { dayRulesOf, netsBooks } from "../builtin-systems.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import type { ControlSettings } from "../stores.ts";
import { describeSymbol } from "../symbols/symbols.ts";
import type { LedgerWorld } from "./systems/ledger-world.ts";

interface DashboardParts extends ControlSettings {
  readonly service: PnLServiceBridge;
  readonly control: () => ControlPlane | undefined;
  /** The controller of the desk's own dashboard; undefined if the legacy system itself is asked. */
  readonly controller: BridgedSystem | undefined;
  /** The ledgers as legacy reads them; undefined if none are configured. */
  readonly ledgers: LedgerWorld | undefined;
  readonly clock: Clock;
  /** Whether the systems are those of a rehearsal. They show one day, so zeros are right on a quiet day. */
  readonly isRehearsed: boolean;
}

/** The time limit of a method of the desk's own dashboard, if the configuration sets none. */
const legacyTimeoutMs = 30_000;

const currencyOf = (symbol: string): string | undefined => describeSymbol(symbol, undefined)?.currency;

export function dashboardOf({
  service,
  control,
  controller,
  ledgers,
  clock,
  isRehearsed,
  ...settings
}: DashboardParts): DashboardDataBridge {
  const { config } = settings;
  const rules = dayRulesOf(config.systems);
  const allBooks = netsBooks(config.systems)
    ? "one of the two systems does not know books, so the figures are of all books"
    : undefined;
  const sourceOf = (side: Side): ScreenSource => ({
    dayRule: rules[side],
    allBooks,
    read: (request) =>
      serviceScreen((method, asked) => service.ask(side, method, asked), request, currencyOf),
  });
  const legacy = sourceOf("legacy");
  return new DashboardDataBridge({
    core: service.core,
    modern: sourceOf("modern"),
    legacy: {
      ...legacy,
      ...(controller !== undefined && controllerSource(controller, config)),
      ...(!isRehearsed && { hasTrades: (book) => hasTrades(book, { settings, ledgers }) }),
    },
    pin: () => service.pin(),
    generation: () => control()?.follower.record.cacheGeneration ?? 0,
    doubt: () => {
      const freshness = control()?.freshness ?? "fresh";
      return freshness === "fresh" ? undefined : `the control store does not confirm the plan: ${freshness}`;
    },
    exclusions: excludedPaths(config.exclusions),
    clock,
    intervalMs: config.dashboard.intervalMs,
  });
}

function controllerSource(
  system: BridgedSystem,
  { dashboard }: Config,
): Pick<ScreenSource, "read" | "allBooks"> {
  const { controller, legacy } = dashboard;
  const timeoutMs = (legacy?.kind === "builtin" ? undefined : legacy?.timeoutMs) ?? legacyTimeoutMs;
  const allowed: readonly string[] = controllerReads[controller];
  return {
    allBooks: "the desk's own dashboard does not know books, so the figures are of all books",
    read: (request) =>
      controllerScreen(
        (method, asked) => {
          assert(allowed.includes(method), `${method} is on the list of methods that read`);
          return system.invoke(method, asked, { deadlineMs: timeoutMs });
        },
        request,
        { controller, currencyOf },
      ),
  };
}

/**
 * Whether legacy has trades, according to its database. The ledgers decide if the database is missing or
 * cannot be read now, and for a book of a database that has trades, because the database knows no books.
 * Undefined if there are no ledgers to decide.
 */
async function hasTrades(
  book: string | undefined,
  { settings, ledgers }: { readonly settings: ControlSettings; readonly ledgers: LedgerWorld | undefined },
): Promise<boolean | undefined> {
  const { config, folder } = settings;
  const file = sqliteFile(config.stores.legacy ?? "");
  const path = file === undefined ? undefined : resolve(folder, file);
  const stored = path === undefined || !existsSync(path) ? undefined : hasLegacyTrades(path);
  if (stored === false || (stored === true && book === undefined)) return stored;
  if (ledgers === undefined) return undefined;
  const { input } = await ledgers.run({ method: "fifo", asOf: undefined });
  if (book === undefined) return input.accepted > 0;
  return input.trades.instruments.some((instrument) => instrument.book === book);
}
