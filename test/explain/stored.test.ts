import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openSqliteEvidenceStore } from "../../src/adapters/sqlite/index.ts";
import { createPnlBridge, type PnlBridge } from "../../src/app/bridge/pnl-bridge.ts";
import { ComparisonExplainer } from "../../src/app/parity/explain-stored.ts";
import { defaultConfig } from "../../src/config/index.ts";
import type { StoredComparison } from "../../src/ports/evidence.ts";
import type { ComparisonExplanation } from "../../src/ports/explanation.ts";
import type { LaneDay } from "../../src/ports/tallies.ts";
import { type Gateway, startGateway } from "../../src/surfaces/gateway/index.ts";
import { comparison } from "../../src/testing/evidence-store-contract.ts";
import { until } from "../../src/testing/until.ts";
import { isLongRun } from "../campaigns.ts";
import { ledger, pnlBridge, root } from "../cli/run-cli.ts";
import { commandsOf, outputPattern } from "../tidy/page-commands.ts";

const [ZN, TN, option] = [
  "XCMEFFDPSX20250919U0ZN",
  "XCMEFFDPSX20250919U0TN",
  "XCMEOPADPS20250725Q0OZN/110.5",
];

/**
 * A desk with the figures of the engine under LIFO; for trades with the id `doubled`, under FIFO and twice as
 * large.
 */
const desk = `
  import { computePnl } from ${JSON.stringify(join(root, "src/app/engine.ts"))};
  export default {
    calculatePnl: async (request) => {
      const isDoubled = request.trades.some(({ id }) => id === "doubled");
      const instruments = { ${ZN}: { multiplier: "2000" } };
      return computePnl({ ...request, ...(isDoubled ? { instruments } : { method: "lifo" }) });
    },
    totals: async () => ({ totals: { USD: { realized: "1", unrealized: "0", total: "1" } } }),
  };`;

/** A desk that closes the newest lot first, over the ledgers in its folder. */
const lifoDesk = (folder: string): string => `
  import { LedgerWorld } from ${JSON.stringify(join(root, "src/app/bridge/systems/ledger-world.ts"))};
  import { ModernEngineService } from ${JSON.stringify(join(root, "src/app/bridge/systems/modern-service.ts"))};
  const folder = [${JSON.stringify(folder)}];
  const service = new ModernEngineService(new LedgerWorld({ trades: folder, prices: folder }));
  const lifo = (name) => (request) => service[name]({ ...request, method: "lifo" });
  export default Object.fromEntries(
    ["openPositions", "dailyPnl", "positionDetail"].map((name) => [name, lifo(name)]),
  );`;

const ledgers = {
  "trades_20250721.csv": ledger(
    `1,${ZN},2025-07-21 09:00:00,B,1,110`,
    `2,${ZN},2025-07-21 09:01:00,B,2,111`,
    `3,${ZN},2025-07-21 09:02:00,B,1,113`,
    `4,${TN},2025-07-21 09:03:00,B,1,113`,
  ),
  "trades_20250722.csv": ledger(
    `5,${ZN},2025-07-22 09:00:00,S,2,112`,
    `6,${ZN},2025-07-22 09:01:00,B,1,111`,
    `7,${TN},2025-07-22 09:02:00,S,1,114`,
  ),
  "Futures_20250721_1600.csv": "SYMBOL,PX_LAST,PX_SETTLE,\nTY,111.08,111.08,\n",
  "Futures_20250722_1600.csv": "SYMBOL,PX_LAST,PX_SETTLE,\nTY,111.16,111.16,\n",
};

let folder: string;
const opened: PnlBridge[] = [];
let gateway: Gateway;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "explain-stored-"));
  writeFileSync(join(folder, "desk.mjs"), desk);
  writeFileSync(join(folder, "lifo-desk.mjs"), lifoDesk(folder));
  for (const [name, text] of Object.entries(ledgers)) writeFileSync(join(folder, name), text);
});
afterAll(async () => {
  await gateway?.close();
  for (const bridge of opened) await bridge.close();
  rmSync(folder, { recursive: true });
});

/** The path of a configuration with a control store of its own. */
function configured(name: string, more: object): string {
  const path = join(folder, `${name}.yaml`);
  const stores = { control: `sqlite:./${name}/control.db` };
  writeFileSync(path, JSON.stringify({ migration: { phase: "shadow_mode" }, stores, ...more }));
  return path;
}

async function open(config: string): Promise<PnlBridge> {
  const bridge = await createPnlBridge({ config, load: { overload: () => undefined }, log: () => {} });
  opened.push(bridge);
  return bridge;
}

/** Makes a call, again if its shadow call was too slow, and returns its comparison when it is stored. */
async function compared(
  { service, evidence }: PnlBridge,
  ...[method, request]: Parameters<PnlBridge["service"]["call"]>
): Promise<StoredComparison> {
  const diverged = async () => (await evidence?.find({ method, verdict: "diverged", limit: 1_000 })) ?? [];
  const before = (await diverged()).length;
  let found: StoredComparison | undefined;
  await until(async () => {
    await service.call(method, request);
    await service.idle();
    await sleep(300);
    found = (await diverged()).at(-1 - before);
    return found !== undefined;
  }, "the comparison is stored");
  return found as StoredComparison;
}

const codesOf = ({ causes }: Pick<ComparisonExplanation, "causes">): readonly string[] =>
  causes.map(({ code }) => code);

const trades = (id: string) =>
  [
    { id, symbol: ZN, side: "B", quantity: "2", price: "110", time: "2025-07-24T09:00:00-05:00" },
    { id: "2", symbol: ZN, side: "B", quantity: "1", price: "111", time: "2025-07-24T09:01:00-05:00" },
    { id: "3", symbol: ZN, side: "S", quantity: "1", price: "112", time: "2025-07-24T09:02:00-05:00" },
    { id: "4", symbol: option, side: "B", quantity: "1", price: "0.5", time: "2025-07-24T09:03:00-05:00" },
  ] as const;
const marks = { [ZN]: "112.5", [option]: "0.75" };

/** A comparison of the list, as far as a test reads it. */
interface Found {
  readonly id: string;
}

describe("a comparison of trades in a request", () => {
  let [config, bridge]: [string, PnlBridge | undefined] = ["", undefined];
  const running = async (): Promise<PnlBridge> => {
    if (bridge !== undefined) return bridge;
    // An exclusion of another method's field leaves the explanations of this one as they are.
    const exclusion = { path: "totals.totals.USD.realized", reason: "x", owner: "amy", until: "2999-12-31" };
    const legacy = { kind: "module", path: "./desk.mjs" };
    config = configured("requests", { systems: { legacy }, exclusions: [exclusion] });
    bridge = await open(config);
    gateway = await startGateway({
      ...{ host: "127.0.0.1", port: 0, tokens: [], allowedHosts: [], localActor: "amy", rateLimitPerS: 0 },
      bridge,
    });
    return bridge;
  };
  const explained = async (id: string): Promise<ComparisonExplanation> => {
    const answer = await fetch(`${gateway.url}/api/v1/comparisons/${id}/explanation`);
    expect(answer.status).toBe(200);
    return (await answer.json()) as ComparisonExplanation;
  };

  it("is explained over HTTP by the rule that legacy followed and by the trades that show it", async () => {
    const { id } = await compared(await running(), "calculatePnl", { trades: trades("lifo"), marks });
    expect(await explained(id)).toMatchObject({
      comparison: id,
      component: { lanes: [{ symbol: ZN }], files: ["request"] },
      first: { kind: "position", key: { symbol: ZN }, field: "averagePrice" },
      difference: "0.5",
      causes: [{ code: "LIFO", level: "proved", amount: "0.5", side: "legacy", rowsReproduced: 1 }],
      unexplained: "0",
      witness: { trades: [{ line: 1, id: "lifo" }, { line: 2 }, { line: 3 }], minimal: true },
      others: [],
    });
  });

  it("is explained by the command as docs/explain.md shows it", async () => {
    const page = await readFile(join(root, "docs/explain.md"), "utf8");
    const [call, shown] = commandsOf(page).slice(-2);
    const [, request = "{}"] = /-d '(.*)'$/.exec(call?.[0] ?? "") ?? [];
    expect(shown?.[0]).toBe("pnl-bridge explain 17 --config desk.yaml");
    const { id } = await compared(await running(), "calculatePnl", JSON.parse(request));
    const { code, out } = await pnlBridge(["explain", id, "--config", config]);
    expect(code).toBe(0);
    expect(out.trim()).toMatch(outputPattern((shown?.[1] ?? "").replace("17", id)));
  });

  it("is explained in the same way by the command, and the command writes a case; over HTTP an accepted cause is marked", async () => {
    const { id } = await compared(await running(), "calculatePnl", { trades: trades("doubled"), marks });
    const out = join(folder, "case");
    const {
      code,
      out: text,
      err,
    } = await pnlBridge(["explain", id, "--config", config, "--json", "--out", out]);
    expect(code, err + out).toBe(0);
    const shown = JSON.parse(text) as ComparisonExplanation;
    expect([codesOf(shown), shown.unexplained, shown.difference]).toEqual([["MULTIPLIER"], "0", "-2000"]);
    const { budget, ...same } = shown;
    expect(await explained(id)).toMatchObject(same);
    const place = join(out, `explain-${shown.id}`);
    const request = JSON.parse(readFileSync(join(place, "request.json"), "utf8"));
    expect(request.trades).toEqual(shown.witness?.trades.map(({ line }) => trades("doubled")[line - 1]));
    const command = readFileSync(join(place, "replay.sh"), "utf8");
    expect(command).toContain(`--marks ${join(place, "marks.json")}`);
    const found = async (cause: string) =>
      (
        (await (await fetch(`${gateway.url}/api/v1/comparisons?cause=${cause}`)).json()) as {
          comparisons: Found[];
        }
      ).comparisons;
    expect((await found("MULTIPLIER"))[0]).toMatchObject({ id, causes: ["MULTIPLIER"] });
    expect((await found("LIFO")).filter((one) => one.id === id)).toEqual([]);
    const terms = ["--scope", "all", "--limit", "2000", "--owner", "amy", "--until", "2999-12-31"];
    await pnlBridge(["causes", "accept", "MULTIPLIER", ...terms, "--reason", "a test", "--config", config]);
    expect(await explained(id)).toMatchObject({ accepted: [{ owner: "amy", until: "2999-12-31" }] });
  });

  it("of a closed day is no event if its cause is proved and accepted, until the acceptance is revoked", async () => {
    const { control, dayClose, evidence, service } = await running();
    const asOf = "2025-07-24T10:00:00-05:00";
    await compared(await running(), "calculatePnl", { trades: trades("lifo"), marks, asOf });
    const isClosed = ({ day, apart }: LaneDay): boolean => day === "2025-07-24" && apart !== null;
    const laneDay = async () => (await evidence?.evidence(service.core.evidenceKey))?.laneDays.find(isClosed);
    const isEvent = async () => {
      const facts = control && (await control.operator.evidence(await control.operator.overview()));
      const trials = typeof facts === "object" ? facts.trials.trials : [];
      return trials.find(isClosed)?.event;
    };
    await until(async () => (await laneDay()) !== undefined, "the lane-day is stored");
    await dayClose?.work();
    expect([(await laneDay())?.accepted, await isEvent()]).toEqual([null, true]);
    const terms = ["--scope", "all", "--limit", "any", "--owner", "amy", "--until", "2999-12-31"];
    const by = ["--reason", "a test", "--config", config];
    const { out } = await pnlBridge(["causes", "accept", "LIFO", ...terms, ...by, "--json"]);
    await dayClose?.work();
    expect((await laneDay())?.accepted).toBe(String(JSON.parse(out).id));
    await until(async () => (await isEvent()) === false, "the facts are read again");
    await pnlBridge(["causes", "revoke", JSON.parse(out).id, ...by]);
    await until(async () => (await isEvent()) === true, "a revoked cause accepts nothing");
  });

  it("says for each request that is not kept why it is not", async () => {
    const large = await compared(await running(), "calculatePnl", {
      trades: [...trades("lifo"), { ...trades("x".repeat(1_048_576))[0] }],
      marks,
    });
    const why = "request not kept: it is larger than 1 MB";
    const listed = await fetch(`${gateway.url}/api/v1/comparisons/${large.id}`);
    expect(await listed.json()).toMatchObject({ request: "too_large", explainable: false, why });
    expect(await explained(large.id)).toMatchObject({ comparison: large.id, causes: [], unexplained: why });
    const { code, out } = await pnlBridge(["explain", large.id, "--config", config]);
    expect([code, out]).toEqual([1, expect.stringContaining(`\n  unexplained: ${why}\n`)]);
    const missing = await fetch(`${gateway.url}/api/v1/comparisons/999/explanation`);
    expect(missing.status).toBe(404);
  });
});

it("at most eight explanations run or wait, and closing ends them all", async () => {
  const evidence = await openSqliteEvidenceStore(join(folder, "many-evidence.db"));
  const kept = { ...comparison({ verdict: "diverged", request: "kept" }), requestText: "{}" };
  await evidence.append(Array.from({ length: 9 }, () => kept));
  const explainer = new ComparisonExplainer(evidence, { config: defaultConfig, folder }, async () => []);
  const explanations = Promise.allSettled(
    Array.from({ length: 9 }, async (_, at) => {
      try {
        return await explainer.explain(String(at + 1));
      } finally {
        explainer.close();
      }
    }),
  );
  const ended = (await explanations).map((one) => (one.status === "rejected" ? one.reason : one));
  expect(ended.map(({ failure, code }) => failure ?? code).toSorted()).toEqual([
    "BUSY",
    ...Array.from({ length: 8 }, () => "SYSTEM_DOWN"),
  ]);
  await evidence.close();
});

it("a comparison that is not explainable says why, by its verdict, kind, method and age", async () => {
  const config = configured("older", {});
  const store = await openSqliteEvidenceStore(join(folder, "older/evidence.db"));
  const diverged = comparison({ verdict: "diverged" });
  const expected = [
    [diverged, "request not kept: an earlier version stored the comparison"],
    [
      { ...diverged, request: "daily_limit" },
      "request not kept: the limit of requests for that day was reached",
    ],
    [{ ...diverged, request: "not_json" }, "request not kept: JSON cannot express it"],
    [{ ...diverged, method: "totals" }, "answers of totals have no figures by instrument"],
    [{ ...diverged, kind: "aa" }, "it compares the answering side with itself"],
    [comparison(), "both sides agree"],
    [comparison({ verdict: "error" }), "a side failed, so there is one answer at most"],
    [
      comparison({ verdict: "not_comparable" }),
      "some values could not be compared, and no other value diverges",
    ],
  ] as const;
  await store.append(expected.map(([given]) => given));
  await store.close();
  const { out } = await pnlBridge(["comparisons", "--config", config, "--json"]);
  const found = JSON.parse(out).comparisons.toReversed();
  expect(found.map(({ explainable }: { readonly explainable: boolean }) => explainable)).toEqual(
    expected.map(() => false),
  );
  for (const [index, [, why]] of expected.entries()) expect(found[index].why).toContain(why);
  const { code, out: text } = await pnlBridge(["explain", "1", "--config", config, "--json"]);
  expect([code, JSON.parse(text).unexplained]).toEqual([1, expected[0][1]]);
  const missing = await pnlBridge(["explain", "99", "--config", config]);
  expect([missing.code, missing.err]).toEqual([
    2,
    expect.stringContaining('the comparison "99" does not exist'),
  ]);
});

describe("a comparison of the desk's ledgers", () => {
  const requests = [
    ["positionDetail", { symbol: ZN }],
    ["dailyPnl", { from: "2025-07-22", symbol: ZN }],
    ["openPositions", {}],
    ["dailyPnl", {}],
  ] as const;
  it.each(isLongRun("explain") ? requests : requests.slice(0, 2))(
    "is explained from the ledgers and prices of the configuration: %s %j",
    async (method, request) => {
      const name = `ledgers-${method}-${Object.keys(request).length}`;
      const config = configured(name, {
        systems: { legacy: { kind: "module", path: "./lifo-desk.mjs" } },
        watch: { trade_ledger: ".", market_prices: ["."] },
      });
      const { id } = await compared(await open(config), method, request);
      const { code, out, err } = await pnlBridge(["explain", id, "--config", config, "--json"]);
      expect(code, err + out).toBe(0);
      const found = JSON.parse(out) as ComparisonExplanation;
      expect([codesOf(found), found.unexplained]).toEqual([["LIFO"], "0"]);
      expect(found.component.lanes).toEqual([{ symbol: ZN }]);
    },
  );
});
