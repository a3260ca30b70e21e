import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { bundled } from "../../../test/bundled.ts";
import { isLongRun } from "../../../test/campaigns.ts";
import { BridgeError } from "../../base/errors.ts";
import { type Config, loadConfig } from "../../config/index.ts";
import type { PlanInput } from "../../domain/migration/plan.ts";
import { baseVariables } from "../../platform/child-environment.ts";
import { type PnlMethod, pnlMethods } from "../../ports/pnl-service.ts";
import { python, pythonMissing, pythonWorker, untilGone, Workshop } from "../../testing/worker-programs.ts";
import { generateDesk } from "../demo-desk/index.ts";
import type { CallComparison } from "../index.ts";
import { createPnlBridge, openSystem, type PnlBridge, type PnlBridgeOptions } from "./pnl-bridge.ts";

const run = promisify(execFile);
const workshop = new Workshop();
const base = mkdtempSync(join(tmpdir(), "pnl-bridge-app-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));

/** A folder with a configuration in it; JSON is YAML. */
let folders = 0;
function deskFolder(config: object, files: Readonly<Record<string, string>> = {}): string {
  const folder = join(base, `${++folders}`);
  mkdirSync(join(folder, "ledgers"), { recursive: true });
  for (const [name, text] of Object.entries({
    "pnl_migration_config.yaml": JSON.stringify(config),
    ...files,
  }))
    writeFileSync(join(folder, name), text);
  return folder;
}
const configIn = (folder: string): string => join(folder, "pnl_migration_config.yaml");

/**
 * The bridges of a test, closed after it. Their folder may be deleted by then; their child processes must not
 * live on.
 */
const bridges: PnlBridge[] = [];
afterEach(async () => {
  await Promise.all(bridges.splice(0).map((bridge) => bridge.close()));
});

interface Opened {
  readonly bridge: PnlBridge;
  readonly comparisons: readonly CallComparison[];
}
async function open(folder: string, options: Partial<PnlBridgeOptions> = {}): Promise<Opened> {
  const comparisons: CallComparison[] = [];
  const onComparison = (comparison: CallComparison) => void comparisons.push(comparison);
  // Every comparison must be made, also on a busy machine.
  const load = { overload: () => undefined };
  const bridge = await createPnlBridge({
    config: configIn(folder),
    onComparison,
    log: () => {},
    load,
    ...options,
  });
  bridges.push(bridge);
  return { bridge, comparisons };
}

const refusalOf = (opening: Promise<unknown>): Promise<BridgeError> =>
  opening.then(
    () => {
      throw new Error("was opened");
    },
    (failure: unknown) => {
      expect(failure).toBeInstanceOf(BridgeError);
      return failure as BridgeError;
    },
  );

const modernAnswers = {
  phase: "primary_switch",
  feature_flags: { use_new_calculator: true, use_new_storage: true },
};

const zn = "XCMEFFDPSX20250919U0ZN";
const ledger = `tradeId,instrumentName,marketTradeTime,buySell,quantity,price
1,${zn},2025-07-24 09:00:00.000,B,2.0,110
2,${zn},2025-07-24 09:01:00.000,S,1.0,112
`;
const withLedger = { "ledgers/trades_20250724.csv": ledger };

describe("the two built-in systems over one folder of ledgers", () => {
  const requests: Readonly<Record<PnlMethod, object>> = {
    calculatePnl: {
      trades: [
        { id: "1", symbol: zn, side: "B", quantity: "2", price: "110", time: "2025-07-24T09:00:00-05:00" },
        { id: "2", symbol: zn, side: "S", quantity: "1", price: "112", time: "2025-07-24T09:01:00-05:00" },
      ],
      marks: { [zn]: "112.5" },
    },
    openPositions: {},
    tradeHistory: { limit: 1 },
    dailyPnl: { from: "2025-07-24" },
    totals: {},
    positionDetail: { symbol: zn },
  };

  it("legacy answers in money, modern is its shadow, and they agree on every method", async () => {
    const { bridge, comparisons } = await open(
      deskFolder({ watch: { trade_ledger: "./ledgers" } }, withLedger),
    );
    const answers = new Map<PnlMethod, unknown>();
    for (const method of pnlMethods) {
      const { value, source, stale, epoch } = await bridge.service.call(method, requests[method] as never);
      expect([source, stale, epoch]).toEqual(["legacy", false, 1]);
      answers.set(method, value);
    }
    expect(answers.get("calculatePnl")).toMatchObject({
      positions: [{ quantity: "1", realized: "2000", unrealized: "2500", currency: "USD" }],
      totals: { USD: { realized: "2000", unrealized: "2500", total: "4500" } },
    });
    expect(answers.get("totals")).toEqual({
      totals: { USD: { realized: "2000", unrealized: "2000", total: "4000" } },
    });
    expect(answers.get("dailyPnl")).toMatchObject({
      daily: [{ symbol: zn, tradingDay: "2025-07-24", total: "4000" }],
    });
    expect(answers.get("tradeHistory")).toMatchObject({ trades: [{ id: "2" }] });
    await bridge.service.idle();
    expect(comparisons.map(({ method, verdict, answered }) => [method, verdict, answered])).toEqual(
      pnlMethods.map((method) => [method, "equal", "legacy"]),
    );
    expect(bridge.evidence).toBeUndefined();
  });

  it("an exclusion is counted and in force until its last day, and an expired one is reported", async () => {
    const source = `export const desk = {
      tradeHistory: () => ({
        trades: [
          { id: "2", symbol: "${zn}", side: "S", quantity: "1", price: "112", time: "1999-01-01T00:00:00" },
        ],
      }),
      totals: () => ({ totals: { USD: { realized: "1", unrealized: "1", total: "2" } } }) };`;
    const [ended, lasting] = ["2025-01-01", "9999-12-31"];
    const by = (path: string, until: string) => ({ path, reason: "not kept", owner: "desk-risk", until });
    const run = async (exclusions: readonly object[]) => {
      const lines: string[] = [];
      const config = {
        systems: { legacy: { kind: "module", path: "./desk.mjs#desk" } },
        watch: { trade_ledger: "./ledgers" },
        exclusions,
      };
      const folder = deskFolder(config, { ...withLedger, "desk.mjs": source });
      const { bridge, comparisons } = await open(folder, { log: (line) => void lines.push(line) });
      await bridge.service.call("tradeHistory", { limit: 1 });
      await bridge.service.idle();
      await bridge.service.call("totals", {});
      await bridge.service.idle();
      const told = comparisons.map(({ verdict, fields, excluded }) => [verdict, fields[0]?.path, excluded]);
      return { told, lines, counted: bridge.service.counters.tradeHistory?.fieldsExcluded };
    };
    const diverged = {
      trades: ["diverged", "trades[].time", undefined],
      totals: ["diverged", "totals.USD.realized", undefined],
    };
    expect(await run([])).toEqual({ told: [diverged.trades, diverged.totals], lines: [], counted: 0 });
    expect(await run([by("tradeHistory[].time", lasting), by("totals.USD", ended)])).toEqual({
      told: [["equal", undefined, 1], diverged.totals],
      lines: [`the exclusion of totals.USD (desk-risk) ended on ${ended}: remove it, or set a later day`],
      counted: 1,
    });
    expect((await run([by("trades[].time", lasting), by("totals", lasting)])).told).toEqual([
      ["equal", undefined, 1],
      ["equal", undefined, 1],
    ]);
  });

  it("modern follows its day_rule, else the one that legacy declares, else chicago-17", async () => {
    const evening = ledger.replace("09:01:00.000,S", "18:01:00.000,S");
    const days = async (legacy: object, modern: object) => {
      const systems = {
        legacy: { kind: "module", path: "./modern.mjs", ...legacy },
        modern: { kind: "builtin", name: "modern-engine", ...modern },
      };
      const files = { ...modules, "ledgers/trades_20250724.csv": evening };
      const migration = {
        phase: "dual_write",
        feature_flags: modernAnswers.feature_flags,
        traffic_routing: { new_system_percentage: 100 },
      };
      const { bridge } = await open(
        deskFolder({ migration, systems, watch: { trade_ledger: "./ledgers" } }, files),
      );
      const { value, source } = await bridge.service.call("dailyPnl", {}, { book: "UST" });
      return [source, ...value.daily.map(({ tradingDay }) => tradingDay)];
    };
    const [oneDay, twoDays] = [
      ["modern", "2025-07-24"],
      ["modern", "2025-07-24", "2025-07-25"],
    ];
    expect(await days({}, {})).toEqual(twoDays);
    expect(await days({ day_rule: "calendar" }, {})).toEqual(oneDay);
    expect(await days({ day_rule: "calendar" }, { day_rule: "chicago-17" })).toEqual(twoDays);
    expect(await days({}, { day_rule: "calendar" })).toEqual(oneDay);
  });

  it("both refuse a bad request, which counts as equal and not as a failure of modern", async () => {
    const everyone = {
      phase: "dual_write",
      feature_flags: modernAnswers.feature_flags,
      traffic_routing: { new_system_percentage: 100 },
    };
    const { bridge, comparisons } = await open(
      deskFolder({ migration: everyone, watch: { trade_ledger: "./ledgers" } }, withLedger),
    );
    const bad: readonly [PnlMethod, object][] = [
      ["calculatePnl", { trades: 5 }],
      ["tradeHistory", { limit: -1 }],
      ["dailyPnl", { from: "July" }],
      ["positionDetail", {}],
      ["openPositions", { method: "hifo" }],
    ];
    for (const [method, request] of bad)
      for (let call = 0; call < 25; call++)
        await expect(bridge.service.call(method, request as never, { book: "UST" })).rejects.toMatchObject({
          failure: "REFUSED",
          blamesRequest: true,
        });
    await bridge.service.idle();
    expect(new Set(comparisons.map(({ verdict }) => verdict))).toEqual(new Set(["equal"]));
    expect(comparisons.length).toBe(25 * bad.length);
    for (const [method] of bad)
      expect(bridge.service.counters[method]).toMatchObject({
        fellBack: { REFUSED: 25 },
        modernAsked: 0,
        modernFailed: 0,
      });
  });

  it("agree on a small desk with prices, until its ledgers repeat themselves on the third day", async () => {
    const verdictsOf = async (days: number): Promise<readonly CallComparison[]> => {
      const folder = deskFolder({
        watch: { trade_ledger: "./trade_ledger", market_prices: "./market_prices" },
      });
      await generateDesk(folder, { days, tradesPerDay: 40 });
      const { bridge, comparisons } = await open(folder);
      for (const method of ["openPositions", "totals", "tradeHistory"] as const)
        await bridge.service.call(method, {});
      await bridge.service.idle();
      return comparisons;
    };
    const withinTolerance = expect.stringMatching(/^(equal|within_tolerance)$/);
    expect((await verdictsOf(2)).map(({ method, verdict }) => [method, verdict])).toEqual([
      ["openPositions", withinTolerance],
      ["totals", withinTolerance],
      ["tradeHistory", "equal"],
    ]);
    // Legacy counts the last three rows of the second day a second time.
    const [, , history] = await verdictsOf(3);
    expect(history?.fields.map(({ path, modern }) => [path, modern])).toEqual(
      Array(3).fill(["trades[]", null]),
    );
  });

  it("both read a ledger that was added later", async () => {
    const folder = deskFolder({ watch: { trade_ledger: "./ledgers" } }, withLedger);
    const { bridge, comparisons } = await open(folder);
    await bridge.service.call("openPositions", {});
    // Wait for the shadow call, which would read the new ledger otherwise.
    await bridge.service.idle();
    writeFileSync(
      join(folder, "ledgers/trades_20250725.csv"),
      ledger.replaceAll("-24 ", "-25 ").replaceAll("\n1,", "\n3,"),
    );
    const { value } = await bridge.service.call("openPositions", {});
    expect(value.positions).toMatchObject([{ quantity: "2" }]);
    await bridge.service.idle();
    expect(comparisons.map(({ verdict }) => verdict)).toEqual(["equal", "equal"]);
  });

  it("use the marks of a request, or else those that the bridge pins, and agree", async () => {
    let known: (() => Readonly<Record<string, string>> | undefined) | undefined;
    const marks = () => known?.();
    const folder = deskFolder({ watch: { trade_ledger: "./ledgers" } }, withLedger);
    const { bridge, comparisons } = await open(folder, { marks });
    const unrealized = async (request: object) => {
      const { value } = await bridge.service.call("openPositions", request);
      return value.positions[0]?.unrealized;
    };
    const [named, pinned] = [{ marks: { [zn]: "113" } }, { [zn]: "114" }];
    expect([await unrealized(named), await unrealized({})]).toEqual(["3000", "2000"]);
    known = () => pinned;
    expect([await unrealized(named), await unrealized({})]).toEqual(["3000", "4000"]);
    const daily = await bridge.service.call("dailyPnl", {});
    const totals = await bridge.service.call("totals", {});
    const detail = await bridge.service.call("positionDetail", { symbol: zn });
    expect([daily.value.daily[0]?.total, totals.value.totals, detail.value.position?.unrealized]).toEqual([
      "6000",
      { USD: { realized: "2000", unrealized: "4000", total: "6000" } },
      "4000",
    ]);
    await bridge.service.idle();
    expect(comparisons.map(({ verdict, fields }) => [verdict, fields])).toEqual(Array(7).fill(["equal", []]));

    // A source of marks that fails counts as no source. Pinned marks do not affect calculatePnl, whose
    // request has all values.
    known = () => {
      throw new Error("no prices today");
    };
    expect(await unrealized({})).toBe("2000");
    expect(bridge.service.counters.openPositions?.broken).toBe(1);
    known = () => pinned;
    const alone = await bridge.service.call("calculatePnl", {
      ...requests.calculatePnl,
      marks: undefined,
    } as never);
    expect(alone.value.positions).toMatchObject([{ unrealized: null }]);
  });

  it.each([
    [{ [zn]: "a lot" }, `the mark of ${zn} is not a price: "a lot"`],
    [["110"], 'marks must be an object by symbol, not ["110"]'],
  ])("refuse invalid marks: %j", async (marks, message) => {
    const { bridge, comparisons } = await open(
      deskFolder({ watch: { trade_ledger: "./ledgers" } }, withLedger),
    );
    await expect(bridge.service.call("openPositions", { marks } as never)).rejects.toMatchObject({
      failure: "REFUSED",
      message: expect.stringContaining(message),
    });
    await bridge.service.idle();
    expect(comparisons.map(({ verdict }) => verdict)).toEqual(["equal"]);
  });

  it("without ledgers answer only calculatePnl, whose request has all trades", async () => {
    const { bridge } = await open(deskFolder({}));
    expect(
      (await bridge.service.call("calculatePnl", requests.calculatePnl as never)).value.positions,
    ).toHaveLength(1);
    await expect(bridge.service.call("totals", {})).rejects.toMatchObject({
      failure: "REFUSED",
      message: expect.stringContaining("no trade ledgers are configured (watch.trade_ledger)"),
    });
  });

  it("a parsed configuration has paths relative to the working folder", async () => {
    const folder = deskFolder({ watch: { trade_ledger: "./ledgers" } }, withLedger);
    const read = await loadConfig(configIn(folder));
    const config: Config = { ...read, watch: { ...read.watch, tradeLedger: join(folder, "ledgers") } };
    const { bridge } = await open(folder, { config });
    expect((await bridge.service.call("openPositions", {})).value.positions).toMatchObject([
      { quantity: "1" },
    ]);
    const elsewhere = await open(folder, { config: read });
    await expect(elsewhere.bridge.service.call("openPositions", {})).rejects.toMatchObject({
      failure: "REFUSED",
    });
  });
});

// --- systems of every kind ---

const usdTotals = '{ USD: { realized: "1", unrealized: "0", total: "1" } }';

/** A module that answers totals with its own name and the request that it received. */
const moduleSource = (name: string) => `export default {
  totals: (request) => ({ totals: ${usdTotals}, by: ${JSON.stringify(name)}, request }),
};`;
const pidOfWorker = 'answer "{\\"totals\\":{},\\"positions\\":[],\\"pid\\":$$}"';
/** A worker that answers totals as the module does, and its own process id for the positions. */
const workerOf = (name: string): readonly string[] =>
  workshop.shell({
    totals: `answer '{"totals":{"USD":{"realized":"1","unrealized":"0","total":"1"}},"by":"${name}","request":'"$request"'}'`,
    openPositions: pidOfWorker,
  });

interface Served {
  readonly url: string;
  readonly seen: {
    readonly path: string | undefined;
    readonly authorization: string | undefined;
    readonly body: unknown;
  }[];
}
/** A service over HTTP that answers as the module does. */
async function serve(name: string): Promise<Served> {
  const seen: Served["seen"] = [];
  const server = createServer(async (request, response) => {
    const body = JSON.parse(await textOf(request));
    seen.push({ path: request.url, authorization: request.headers.authorization, body });
    response.setHeader("content-type", "application/json");
    response.end(
      JSON.stringify({
        totals: { USD: { realized: "1", unrealized: "0", total: "1" } },
        by: name,
        request: body,
      }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  afterAll(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api`, seen };
}
async function textOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request) text += chunk;
  return text;
}

const pythonDesk = `
class Desk:
    def totals(self, request):
        totals = {"USD": {"realized": 1.0, "unrealized": 0, "total": 1}}
        return {"totals": totals, "by": "legacy", "request": request}
`;

const servers = { legacy: await serve("legacy"), modern: await serve("modern") };
const kinds = {
  module: (side: string) => ({ kind: "module", path: `./${side}.mjs` }),
  thread: (side: string) => ({ kind: "module", path: `./${side}.mjs`, isolation: "thread" }),
  command: (side: string) => ({ kind: "command", command: workerOf(side) }),
  http: (side: "legacy" | "modern") => ({ kind: "http", url: servers[side].url }),
};
const modules = { "legacy.mjs": moduleSource("legacy"), "modern.mjs": moduleSource("modern") };

/** A desk whose method for totals is `get_totals`, with further methods that the bridge must not call. */
const ownNames = {
  module: () => ({ kind: "module", path: "./own.mjs" }),
  thread: () => ({ kind: "module", path: "./own.mjs", isolation: "thread" }),
  command: () => ({
    kind: "command",
    command: workshop.shell({
      get_totals: `answer '{"totals":{},"request":'"$request"'}'`,
      totals: `answer '"never"'`,
      rebuild_database: `answer '"never"'`,
    }),
  }),
  http: () => ({ kind: "http", url: servers.legacy.url }),
};
const ownModule = `export default {
  get_totals: (request) => ({ totals: {}, request }),
  totals: () => "never",
  rebuild_database: () => "never",
  _secret: () => "never",
};`;
/** Each pair starts threads or processes, so a short run takes each kind once as legacy, once as modern. */
const pairs = Object.keys(kinds).flatMap((legacy, at) =>
  Object.keys(kinds)
    .filter((_, other) => isLongRun("systems") || other === (at + 1) % Object.keys(kinds).length)
    .map((modern) => [legacy, modern] as [keyof typeof kinds, keyof typeof kinds]),
);

describe("systems of every kind", () => {
  const ownKinds = Object.keys(ownNames) as (keyof typeof ownNames)[];
  it.each(isLongRun("systems") ? ownKinds : (["module", "http"] as const))(
    "a %s is called only by the names that `methods` gives",
    async (kind) => {
      const system = { ...ownNames[kind](), methods: { totals: "get_totals" } };
      const folder = deskFolder({ systems: { legacy: system } }, { "own.mjs": ownModule });
      const { bridge } = await open(folder);
      const { value } = await bridge.service.call("totals", {});
      expect(value).toMatchObject({ request: { method: "fifo" } });
      if (kind === "http") expect(servers.legacy.seen.at(-1)?.path).toBe("/api/get_totals");

      const { system: alone } = await openSystem("legacy", await loadConfig(configIn(folder)), folder);
      await alone.start?.();
      expect(alone.methods).toEqual(kind === "http" ? undefined : new Set(["totals"]));
      for (const name of ["get_totals", "rebuild_database", "_secret", "constructor", "__proto__"])
        await expect(alone.invoke(name, {}, { deadlineMs: 20_000 })).rejects.toMatchObject({
          code: "UNKNOWN_METHOD",
        });
      await alone.close();
    },
  );

  it.each(pairs)(
    "legacy as %s and modern as %s: each answers under its plan, and the answers are compared",
    async (legacy, modern) => {
      // Long enough for a busy machine to start a thread or a process.
      const timing = { timeout_ms: 60_000 };
      const systems = {
        legacy: { ...kinds[legacy]("legacy"), ...timing },
        modern: { ...kinds[modern]("modern"), ...timing },
      };
      const { bridge, comparisons } = await open(deskFolder({ systems }, modules));
      const asked = { asOf: "2025-07-24T15:00:00-05:00", method: "lifo" } as const;
      const first = await bridge.service.call("totals", asked);
      expect(first).toMatchObject({ source: "legacy", value: { by: "legacy", request: asked } });
      await bridge.service.idle();
      bridge.service.setPlan({
        epoch: 2,
        phase: "primary_switch",
        flags: { calculator: true, storage: true },
      });
      const second = await bridge.service.call("totals", asked);
      expect(second).toMatchObject({ source: "modern", epoch: 2, value: { by: "modern", request: asked } });
      expect(second).not.toHaveProperty("fellBack");
      await bridge.service.idle();
      expect(comparisons.map(({ verdict, answered, epoch }) => [verdict, answered, epoch])).toEqual([
        ["equal", "legacy", 1],
        ["equal", "modern", 2],
      ]);
    },
  );

  it.skipIf(python === undefined)(
    `legacy in Python answers (${pythonMissing ?? "with python3"})`,
    async () => {
      const command = [python, pythonWorker, "desk:Desk"];
      const systems = {
        legacy: { kind: "command", command, cwd: "./desk" },
        modern: { kind: "module", path: "./modern.mjs" },
      };
      const folder = deskFolder({ systems }, modules);
      mkdirSync(join(folder, "desk"));
      writeFileSync(join(folder, "desk/desk.py"), pythonDesk);
      const { bridge, comparisons } = await open(folder);
      const { value, source } = await bridge.service.call("totals", {});
      expect([source, value]).toMatchObject([
        "legacy",
        { by: "legacy", totals: { USD: { realized: "1", unrealized: 0 } } },
      ]);
      await bridge.service.idle();
      expect(comparisons).toMatchObject([{ verdict: "equal" }]);
    },
  );

  it("points of a foreign system become money before callers and comparisons get them", async () => {
    const source = `export const desk = { openPositions: () => ({ positions: [
      { symbol: "${zn}", quantity: 1, averagePrice: 110, realized: 2, unrealized: 2 }] }) };`;
    const systems = { legacy: { kind: "module", path: "./points.mjs#desk", pnl_in: "points" } };
    const config = { systems, watch: { trade_ledger: "./ledgers" } };
    const { bridge, comparisons } = await open(deskFolder(config, { "points.mjs": source, ...withLedger }));
    const { value } = await bridge.service.call("openPositions", {});
    expect(value.positions).toMatchObject([{ realized: "2000", unrealized: "2000", currency: "USD" }]);
    await bridge.service.idle();
    expect(comparisons).toMatchObject([{ verdict: "equal", fields: [] }]);
  });

  it("the output of a module in a thread reaches the caller's log", async () => {
    const lines: string[] = [];
    const source = `console.log("desk is up"); ${moduleSource("legacy")}`;
    const systems = { legacy: { kind: "module", path: "./legacy.mjs", isolation: "thread" } };
    const folder = deskFolder({ systems }, { "legacy.mjs": source });
    const { bridge } = await open(folder, { log: (line) => lines.push(line) });
    await bridge.service.call("totals", {});
    expect(lines.join("\n")).toContain("desk is up");
  });

  it("openSystem opens one system without the other", async () => {
    const { url, seen } = await serve("alone");
    const config = await loadConfig(
      configIn(deskFolder({ systems: { modern: { kind: "http", url, timeout_ms: 700 } } })),
    );
    const { system, convert, timeoutMs } = await openSystem("modern", config, base);
    expect([system.name, system.kind, timeoutMs]).toEqual([url, "http", 700]);
    const answer = await system.invoke("totals", {}, { deadlineMs: 20_000 });
    expect(convert("totals", answer, {})).toBe(answer);
    expect(seen).toHaveLength(1);
    await system.close();
  });
});

describe("secrets", () => {
  it("a foreign system gets the base environment and the variables of its env, and no secret", async () => {
    const given = {
      PNL_TEST_TOKEN: "Bearer of-bad-news",
      PGPASSWORD: "of-bad-news",
      PNL_TEST_LICENCE: "named",
    };
    const { url, seen } = await serve("modern");
    const env = ["PNL_TEST_LICENCE"];
    const source = "export const openPositions = () => ({ positions: [], environment: { ...process.env } });";
    const hosts = {
      process: {
        kind: "command",
        command: workshop.node(
          "methods.openPositions = (id) => answer(id, { positions: [], environment: process.env, said });",
        ),
        env,
      },
      thread: { kind: "module", path: "./desk.mjs", isolation: "thread", env },
    };
    Object.assign(process.env, given);
    try {
      for (const legacy of Object.values(hosts)) {
        const modern = { kind: "http", url, authorization_env: "PNL_TEST_TOKEN" };
        const { bridge } = await open(deskFolder({ systems: { legacy, modern } }, { "desk.mjs": source }));
        const { value } = await bridge.service.call("openPositions", {});
        const { environment, said } = value as unknown as {
          readonly environment: Record<string, string>;
          readonly said?: unknown;
        };
        expect(environment).toMatchObject({ PATH: process.env.PATH, PNL_TEST_LICENCE: "named" });
        for (const name of Object.keys(environment)) expect([...baseVariables, ...env]).toContain(name);
        expect(JSON.stringify(environment)).not.toContain("of-bad-news");
        // A child process is started as read-only.
        if (legacy.kind === "command") expect(said).toMatchObject({ readOnly: true });
        await bridge.service.idle();
        expect(seen.at(-1)?.authorization).toBe("Bearer of-bad-news");
      }
    } finally {
      for (const name of Object.keys(given)) delete process.env[name];
    }
  });
});

describe("the plan", () => {
  it("follows the file", async () => {
    const migration = {
      phase: "dual_write",
      feature_flags: { use_new_calculator: true, use_new_storage: true },
      traffic_routing: {
        new_system_percentage: 0,
        user_whitelist: ["amy"],
        user_denylist: ["eve"],
        bucket_by: "user",
      },
    };
    const systems = { legacy: kinds.module("legacy"), modern: kinds.module("modern") };
    const { bridge } = await open(deskFolder({ migration, systems }, modules));
    const source = async (key: { readonly user?: string; readonly book?: string }) =>
      (await bridge.service.call("totals", {}, key)).source;
    expect(await source({ user: "amy" })).toBe("modern");
    expect(await source({ user: "bob" })).toBe("legacy");
    expect(await source({ user: "eve" })).toBe("legacy");
    expect(await source({ book: "UST" })).toBe("legacy");
    expect(await source({})).toBe("legacy");
    expect(bridge.service.plan).toMatchObject({ phase: "dual_write", bucketBy: "user", epoch: 1 });
  });

  it("sends a share of the books to modern, each book always to the same side", async () => {
    const migration = {
      phase: "dual_write",
      feature_flags: { use_new_calculator: true, use_new_storage: true },
      traffic_routing: { new_system_percentage: 50 },
    };
    const systems = { legacy: kinds.module("legacy"), modern: kinds.module("modern") };
    const { bridge } = await open(deskFolder({ migration, systems }, modules));
    const books = Array.from({ length: 40 }, (_, at) => `book-${at}`);
    const ask = () =>
      Promise.all(books.map(async (book) => (await bridge.service.call("totals", {}, { book })).source));
    const first = await ask();
    expect(new Set(first)).toEqual(new Set(["legacy", "modern"]));
    expect(await ask()).toEqual(first);
    // The user does not matter, because the book is the unit.
    const other = await Promise.all(
      books.map(async (book) => (await bridge.service.call("totals", {}, { book, user: "amy" })).source),
    );
    expect(other).toEqual(first);
  });

  it("that is set applies from the next call, whose answer reports its epoch", async () => {
    const systems = { legacy: kinds.module("legacy"), modern: kinds.module("modern") };
    const { bridge, comparisons } = await open(deskFolder({ systems }, modules));
    const plans: readonly (readonly [PlanInput, string])[] = [
      [{ epoch: 2, phase: "primary_switch", flags: { calculator: true, storage: true } }, "modern"],
      [
        {
          epoch: 3,
          phase: "primary_switch",
          flags: { calculator: true, storage: true },
          useNewPnlSystem: false,
        },
        "legacy",
      ],
      [{ epoch: 4, phase: "read_only" }, "legacy"],
    ];
    for (const [plan, source] of plans) {
      bridge.service.setPlan(plan);
      expect(bridge.service.plan.epoch).toBe(plan.epoch);
      expect(await bridge.service.call("totals", {})).toMatchObject({ source, epoch: plan.epoch });
      await bridge.service.idle();
    }
    // Modern is not called under the kill switch, nor in read_only, which has no shadow.
    expect(comparisons.map(({ epoch }) => epoch)).toEqual([2]);
    expect(() => bridge.service.setPlan({ phase: "cleanup" })).toThrow(BridgeError);
    expect(bridge.service.plan.epoch).toBe(4);
  });
});

describe("a call", () => {
  const systems = {
    legacy: { kind: "module", path: "./legacy.mjs" },
    modern: { kind: "module", path: "./modern.mjs" },
  };

  it("gives both systems the same pinned moment and lot method", async () => {
    const spy = `export default {
      totals: (request) => {
        (globalThis.pinned ??= []).push(request);
        return { totals: {} };
      },
    };`;
    const { bridge } = await open(deskFolder({ systems }, { "legacy.mjs": spy, "modern.mjs": spy }));
    const seen: Record<string, string>[] = [];
    Object.assign(globalThis, { pinned: seen });
    const [before, request] = [Date.now(), Object.freeze({ book: "UST" })];
    await bridge.service.call("totals", request);
    await bridge.service.idle();
    const [legacy, modern] = seen;
    expect(seen).toHaveLength(2);
    expect(modern).toEqual(legacy);
    expect(legacy).toEqual({
      book: "UST",
      method: "fifo",
      asOf: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    });
    const asOf = Date.parse(legacy?.asOf ?? "");
    expect(asOf >= before && asOf <= Date.now()).toBe(true);
    expect(request).toEqual({ book: "UST" });
    await bridge.service.call("totals", { asOf: "2025-07-24T15:00:00-05:00", method: "average" });
    await bridge.service.idle();
    for (const one of seen.slice(2))
      expect(one).toEqual({ asOf: "2025-07-24T15:00:00-05:00", method: "average" });
  });

  it.each([
    ["fails", `() => { throw Object.assign(new Error("no price"), { code: "NO_PRICE" }); }`, "FAILED"],
    ["does not answer in time", "() => new Promise(() => {})", "TIMEOUT"],
  ])("that modern %s is answered by legacy, and reports the reason", async (_, method, reason) => {
    const files = { ...modules, "modern.mjs": `export default { totals: ${method} };` };
    const config = {
      migration: modernAnswers,
      systems: { ...systems, modern: { ...systems.modern, timeout_ms: 50 } },
    };
    const { bridge, comparisons } = await open(deskFolder(config, files));
    const answer = await bridge.service.call("totals", {}, { book: "UST" });
    expect(answer).toMatchObject({ source: "legacy", fellBack: reason, value: { by: "legacy" } });
    await bridge.service.idle();
    expect(comparisons).toMatchObject([{ verdict: "error" }]);
    expect(bridge.service.counters.totals).toMatchObject({ answered: { legacy: 1, modern: 0 } });
  });

  it("of a method that modern lacks is answered by legacy and compared as an error", async () => {
    const files = {
      ...modules,
      "modern.mjs": "export default { openPositions: () => ({ positions: [] }) };",
    };
    const { bridge, comparisons } = await open(deskFolder({ migration: modernAnswers, systems }, files));
    expect(await bridge.service.call("totals", {})).toMatchObject({
      source: "legacy",
      value: { by: "legacy" },
    });
    expect(await bridge.service.call("totals", {})).toHaveProperty("fellBack");
    await bridge.service.idle();
    expect(comparisons.map(({ verdict }) => verdict)).toEqual(["error", "error"]);
  });

  it("fails if the answering legacy fails, whatever modern answers", async () => {
    const files = {
      ...modules,
      "legacy.mjs": `export default { totals: () => { throw new Error("no such book"); } };`,
    };
    const { bridge, comparisons } = await open(deskFolder({ systems }, files));
    await expect(bridge.service.call("totals", {})).rejects.toMatchObject({
      name: "SystemFailure",
      failure: "REFUSED",
      message: expect.stringContaining("no such book"),
    });
    await bridge.service.idle();
    expect(comparisons).toMatchObject([{ verdict: "error" }]);
  });

  it("has the time limit that the file sets for legacy", async () => {
    const files = { ...modules, "legacy.mjs": "export default { totals: () => new Promise(() => {}) };" };
    const config = { systems: { ...systems, legacy: { ...systems.legacy, timeout_ms: 50 } } };
    const { bridge } = await open(deskFolder(config, files));
    await expect(bridge.service.call("totals", {})).rejects.toMatchObject({
      failure: "TIMEOUT",
      message: expect.stringContaining("did not answer within 50 ms"),
    });
  });

  it("with an unknown key is refused with the nearest known one, whichever side answers", async () => {
    for (const migration of [{ phase: "read_only" }, modernAnswers]) {
      const { bridge } = await open(
        deskFolder({ migration, watch: { trade_ledger: "ledgers" } }, withLedger),
      );
      const asked = bridge.service.call("openPositions", { sybmol: "TYU5" } as object);
      const failure = await refusalOf(asked);
      expect([failure.code, failure.message]).toEqual([
        "BAD_USAGE",
        'a request of openPositions has no key "sybmol"; did you mean "symbol"?',
      ]);
    }
  });

  it("may name a symbol in any dialect, whichever side answers", async () => {
    for (const migration of [{ phase: "read_only" }, modernAnswers]) {
      const { bridge } = await open(
        deskFolder({ migration, watch: { trade_ledger: "ledgers" } }, withLedger),
      );
      const { value } = await bridge.service.call("openPositions", { symbol: "TYU5" });
      expect(value.positions).toMatchObject([{ symbol: zn, quantity: expect.stringMatching(/^1(\.0)?$/) }]);
    }
  });

  it("of an unknown method is refused with the nearest known one", async () => {
    const { bridge } = await open(deskFolder({ systems }, modules));
    const failure = await refusalOf(bridge.service.call("opnPositions" as never, {} as never));
    expect([failure.code, failure.message]).toEqual([
      "BAD_USAGE",
      'the P&L service has no method "opnPositions"',
    ]);
    expect(failure.fix).toContain("did you mean openPositions?");
    for (const method of ["constructor", "__proto__", "", "toString"])
      expect((await refusalOf(bridge.service.call(method as never, {} as never))).code).toBe("BAD_USAGE");
  });

  it("of a system that cannot be loaded fails with the reason in one line", async () => {
    const files = { "legacy.mjs": "throw new Error('no licence');", "modern.mjs": moduleSource("modern") };
    const { bridge } = await open(deskFolder({ systems }, files));
    await expect(bridge.service.call("totals", {})).rejects.toMatchObject({
      failure: "DOWN",
      message: "./legacy.mjs cannot be loaded: no licence",
    });
  });
});

describe("evidence", () => {
  const disagreeing = {
    ...modules,
    "modern.mjs": moduleSource("modern").replace('realized: "1"', 'realized: "2"'),
  };
  const config = {
    systems: { legacy: kinds.module("legacy"), modern: kinds.module("modern") },
    stores: { control: "sqlite:./.pnl-bridge/control.db" },
  };

  it("is stored beside the control store, and is read again after a restart", async () => {
    const folder = deskFolder(config, disagreeing);
    const first = await open(folder);
    for (const book of ["UST", "ARB"]) await first.bridge.service.call("totals", { book }, { book });
    await first.bridge.service.idle();
    await first.bridge.close();
    expect(existsSync(join(folder, ".pnl-bridge/evidence.db"))).toBe(true);
    expect(existsSync(join(folder, ".pnl-bridge/control.db"))).toBe(true);

    const { bridge } = await open(folder);
    const kept = (await bridge.evidence?.find({ limit: 10 })) ?? [];
    expect(kept.map(({ unit, verdict, method, answered }) => [unit, verdict, method, answered])).toEqual([
      ["ARB", "diverged", "totals", "legacy"],
      ["UST", "diverged", "totals", "legacy"],
    ]);
    expect(kept[0]?.fields).toMatchObject([
      { path: "totals.USD.realized", verdict: "diverged", legacy: "1", modern: "2", difference: "1" },
    ]);
    expect(kept[0]?.fingerprint).not.toBe(kept[1]?.fingerprint);
    await bridge.service.call("totals", {});
    await bridge.service.idle();
    await bridge.close();
    const third = await open(folder);
    expect(await third.bridge.evidence?.counts()).toEqual([
      { method: "totals", kind: "ab", verdict: "diverged", count: 3 },
    ]);
    expect(third.bridge.service.evidenceDropped).toBe(0);
  });

  it.each([
    ["sqlite:control.db", "evidence.db"],
    ["sqlite://./deep/er/control.db", "deep/er/evidence.db"],
  ])("of the control store %s is in %s", async (control, file) => {
    const folder = deskFolder({ ...config, stores: { control } }, modules);
    await open(folder);
    expect(existsSync(join(folder, file))).toBe(true);
  });

  it("in a file that is not a database makes the start fail, and the file stays unchanged", async () => {
    const folder = deskFolder({ ...config, stores: { control: "sqlite:./control.db" } }, modules);
    const diary = "my diary, not a database, of more than sixteen bytes";
    writeFileSync(join(folder, "evidence.db"), diary);
    expect((await refusalOf(open(folder))).code).toBe("BAD_DATABASE");
    expect(readFileSync(join(folder, "evidence.db"), "utf8")).toBe(diary);
  });
});

describe("a start that fails", () => {
  const rows: readonly (readonly [string, object, string, string])[] = [
    [
      "an invalid configuration",
      { systems: { modern: { kind: "bultin" } } },
      "BAD_CONFIG",
      "systems.modern.kind",
    ],
    [
      "a variable that is not set",
      {
        systems: { modern: { kind: "http", url: "http://127.0.0.1:1", authorization_env: "PNL_TEST_UNSET" } },
      },
      "BAD_CONFIG",
      "PNL_TEST_UNSET",
    ],
    [
      "a URL with a query",
      { systems: { modern: { kind: "http", url: "http://127.0.0.1:1/api?key=hush-hush" } } },
      "BAD_CONFIG",
      "has a query",
    ],
    [
      "missing certificates",
      { systems: { modern: { kind: "http", url: "https://127.0.0.1:1", ca_file: "./none.pem" } } },
      "UNREADABLE",
      "certificates",
    ],
    [
      "a module that is not a file",
      { systems: { modern: { kind: "module", path: "https://x/y.js" } } },
      "BAD_CONFIG",
      "the module",
    ],
    [
      "a phase that contradicts the flags",
      { migration: { phase: "cleanup" } },
      "BAD_CONFIG",
      "needs the flags",
    ],
  ];
  it.each(rows)("reports the reason: %s", async (_, config, code, words) => {
    const failure = await refusalOf(open(deskFolder(config)));
    expect(failure.code).toBe(code);
    expect(failure.line).toContain(words);
    expect(failure.line).not.toContain("hush-hush");
    expect(failure.line).not.toContain("\n");
  });

  it("reports a missing file as UNREADABLE", async () => {
    expect((await refusalOf(createPnlBridge({ config: join(base, "none.yaml") }))).code).toBe("UNREADABLE");
  });
});

/** Runs a program over the bridge, in which `configs` are the folders' files; it must end by itself. */
async function program(folders: readonly string[], body: string): Promise<string> {
  const source = `
    import { createPnlBridge, loadConfig } from ${JSON.stringify(pathToFileURL(bundled("test/tidy/package-index")).href)};
    const configs = ${JSON.stringify(folders.map(configIn))};
    ${body}`;
  const file = join(folders[0] ?? "", "program.mjs");
  writeFileSync(file, source);
  const { stdout } = await run(process.execPath, [file], { timeout: 100_000 });
  return stdout;
}

describe("close", () => {
  it("ends processes, threads, connections and the store, and a failed start leaves nothing running, so that the program ends by itself", async () => {
    const { url } = await serve("modern");
    const systems = {
      legacy: { kind: "command", command: workerOf("legacy") },
      modern: { kind: "http", url },
    };
    const folder = deskFolder({ systems, stores: { control: "sqlite:./control.db" } });
    const thread = { kind: "module", path: "./busy.mjs", isolation: "thread" };
    const busy = { "busy.mjs": `setInterval(() => {}, 1_000); ${moduleSource("legacy")}` };
    const other = deskFolder({ systems: { legacy: thread, modern: thread } }, busy);

    const rest = { stores: { control: "sqlite:./control.db" } };
    const damaged = deskFolder(
      { systems: { legacy: thread }, ...rest },
      { ...busy, "evidence.db": "no database at all, really" },
    );
    const broken = deskFolder(
      { systems: { legacy: thread, modern: { kind: "module", path: "ftp://x" } } },
      busy,
    );
    // A configuration file is checked before anything is opened. A bad tolerance in a configuration that the
    // caller has parsed is found only when everything is open.
    const fine = deskFolder({ systems: { legacy: thread }, ...rest }, busy);
    const lines = await program(
      [folder, other, damaged, broken, fine],
      `for (const config of configs.slice(0, 2)) {
         const bridge = await createPnlBridge({ config });
         console.log((await bridge.service.call("totals", {})).source);
         await bridge.service.idle();
         await bridge.close();
         await bridge.close();
       }
       const read = await loadConfig(configs[4]);
       const bad = { ...read, validation: { ...read.validation, comparisonThreshold: "much" } };
       process.chdir(${JSON.stringify(fine)});
       for (const config of [...configs.slice(2, 4), bad])
         await createPnlBridge({ config }).catch(({ code }) => console.log(code));`,
    );
    expect(lines).toBe("legacy\nlegacy\nBAD_DATABASE\nBAD_CONFIG\nBAD_CONFIG\n");
  });

  it("kills the worker, and later calls fail DOWN", async () => {
    const command = workerOf("legacy");
    const { bridge } = await open(deskFolder({ systems: { legacy: { kind: "command", command } } }));
    const { pid } = (await bridge.service.call("openPositions", {})).value as unknown as {
      readonly pid: number;
    };
    await bridge.close();
    await untilGone(pid);
    await expect(bridge.service.call("openPositions", {})).rejects.toMatchObject({ failure: "DOWN" });
  });

  it("also writes the evidence and ends the other system if one cannot be closed", async () => {
    const stubborn = `export default class {
      totals() { return { totals: {} }; }
      async [Symbol.asyncDispose]() { throw new Error("not now"); }
    }`;
    const command = workshop.shell({ totals: pidOfWorker });
    const systems = {
      legacy: { kind: "module", path: "./legacy.mjs" },
      modern: { kind: "command", command },
    };
    const folder = deskFolder(
      { systems, stores: { control: "sqlite:./control.db" } },
      { "legacy.mjs": stubborn },
    );
    const { bridge } = await open(folder);
    await bridge.service.call("totals", {});
    await bridge.service.idle();
    bridge.service.setPlan({ epoch: 2, phase: "primary_switch", flags: { calculator: true, storage: true } });
    const { pid } = (await bridge.service.call("totals", {})).value as unknown as { readonly pid: number };
    await expect(bridge.close()).rejects.toThrow("not now");
    await untilGone(pid);
    await expect(bridge.evidence?.counts()).rejects.toMatchObject({
      message: "the evidence store is closed",
    });
  });
});
