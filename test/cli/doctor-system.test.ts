import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { examineSystem } from "../../src/app/doctor.ts";
import { computePnl } from "../../src/app/engine.ts";
import { pnlMethods } from "../../src/ports/pnl-service.ts";
import { python, pythonMissing, pythonWorker } from "../../src/testing/worker-programs.ts";
import { isLongRun } from "../campaigns.ts";
import { pnlBridge, type Ran, root, withFiles } from "./run-cli.ts";

/** Tests of the long run; each starts a process or a thread of its own. */
const inLong = it.runIf(isLongRun("commands"));

type Findings = Awaited<ReturnType<typeof examineSystem>>;

const builtinChecks = [
  ...pnlMethods.map((method) => `answers ${method}`),
  "numbers are exact",
  "equal questions get equal answers",
  "survives bad input",
  "methods",
];
/** The checks of a system that describes its methods. */
const checks = [...builtinChecks, "left out"];

/** Calls `use` with a configuration that names `system` as modern, in a folder with `files`. */
const withDesk = <T>(
  system: object,
  files: Readonly<Record<string, string>>,
  use: (config: string) => Promise<T>,
): Promise<T> =>
  withFiles({ "desk.yaml": JSON.stringify({ systems: { modern: system } }), ...files }, (folder) =>
    use(join(folder, "desk.yaml")),
  );

/** Runs the program itself, as a user starts it. */
const doctor = (
  system: object,
  files: Readonly<Record<string, string>> = {},
  args: readonly string[] = ["--json"],
): Promise<Ran> =>
  withDesk(system, files, (config) =>
    pnlBridge(["doctor", "--system", "modern", "--config", config, ...args]),
  );

/** The doctor's findings, made in this process, since a start of the program costs a second. */
const findings = (system: object, files: Readonly<Record<string, string>> = {}): Promise<Findings> =>
  withDesk(system, files, (config) => examineSystem("modern", config)).then(shortLines);

/** Expects every finding to be one short line, and returns the findings. */
function shortLines(found: Findings): Findings {
  for (const { check, detail } of found) {
    expect(detail).not.toMatch(/\p{Cc}/u);
    if (check !== "printed output") expect(detail.length).toBeLessThan(1_000);
  }
  return found;
}

/** The findings in the JSON document of a run, whose shape and exit code are checked. */
function documentOf({ code, out, err }: Ran): Findings {
  expect(err).toBe("");
  const {
    ok,
    findings: found,
    ...rest
  } = JSON.parse(out) as { readonly ok: boolean; readonly findings: Findings };
  expect(rest).toEqual({});
  for (const finding of found) expect(Object.keys(finding)).toEqual(["check", "ok", "detail"]);
  expect(ok).toBe(found.every((finding) => finding.ok));
  expect(code).toBe(ok ? 0 : 1);
  return shortLines(found);
}

const good = (names: readonly string[]) => names.map((check) => [check, true]);
const allGood = good(checks);
const verdicts = (found: Findings) => found.map(({ check, ok }) => [check, ok]);
const failedOf = (found: Findings): Readonly<Record<string, string>> =>
  Object.fromEntries(found.flatMap(({ check, ok, detail }) => (ok ? [] : [[check, detail]])));

const engine = pathToFileURL(join(root, "src/app/engine.ts")).href;
/**
 * The source of a module with a good system; `changes` overrides its methods, `before` stands before them.
 */
const goodDesk = (changes = "", before = "") => `
import { computePnl } from ${JSON.stringify(engine)};
${before}
export default {
  calculatePnl: (request) => computePnl(request),
  openPositions: () => ({ positions: [] }), tradeHistory: () => ({ trades: [] }), dailyPnl: () => ({ daily: [] }),
  totals: () => ({ totals: {} }), positionDetail: () => ({ position: null }),
  ${changes}
};`;
const desk = (isolation: "none" | "thread" = "none") => ({ kind: "module", path: "./desk.mjs", isolation });

const legacyDesk = pathToFileURL(join(root, "src/legacy-desk/index.ts")).href;
/** The source of a module with the legacy desk, whose P&L is in points. */
const points = `import { LegacyDeskService } from ${JSON.stringify(legacyDesk)};
export default () => new LegacyDeskService({ world: () => ({ ledgers: [] }) });`;

describe("a good system passes", () => {
  it("if it is built in, without a configuration", async () => {
    const found = shortLines(await examineSystem("modern"));
    expect(verdicts(found)).toEqual(good(builtinChecks));
    expect(found.at(-1)?.detail).toBe("all methods of the P&L service");
  });

  it.each(["none", "thread"] as const)("if it is a module, with isolation %s", async (isolation) => {
    expect(verdicts(await findings(desk(isolation), { "desk.mjs": goodDesk() }))).toEqual(allGood);
  });

  it("if it counts in points and the configuration says so, and only then", async () => {
    expect(verdicts(await findings({ ...desk(), pnl_in: "points" }, { "desk.mjs": points }))).toEqual(
      allGood,
    );
    expect(failedOf(await findings(desk(), { "desk.mjs": points }))).toEqual({
      "answers calculatePnl": 'realized is "0.015625", not 15.625: P&L in points needs pnl_in: points',
    });
  });

  it("if it is an HTTP service, which does not describe its methods", async () => {
    const server = createServer(async (request, response) => {
      let body = "";
      for await (const chunk of request) body += chunk;
      response.setHeader("content-type", "application/json");
      if (request.url === "/calculatePnl") response.end(JSON.stringify(computePnl(JSON.parse(body))));
      else response.writeHead(404).end("{}");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const found = await findings({ kind: "http", url });
      expect(verdicts(found)).toEqual(good(builtinChecks));
      expect(found.at(-1)?.detail).toContain("does not announce its methods");
      expect(found[1]).toMatchObject({
        check: "answers openPositions",
        detail: expect.stringContaining("it refuses the call"),
      });
    } finally {
      server.close();
    }
  });

  it.skipIf(python === undefined)(
    `if it is the Python example (${pythonMissing ?? "with python3"})`,
    async () => {
      const command = [python, pythonWorker, "desk:DeskService"];
      const found = await findings({ kind: "command", command, cwd: join(root, "examples/python-desk") });
      expect(verdicts(found)).toEqual(
        good(checks.filter((check) => !/^answers (?!calculatePnl)/.test(check))),
      );
      expect(found.at(-2)?.detail).toContain(
        "; found calculatePnl(trades, marks=None, method='fifo', asOf=None, instruments=None)",
      );
    },
  );

  it("with a line for each check in the text output", async () => {
    const { code, out, err } = await pnlBridge(["doctor", "--system", "legacy"]);
    expect([code, err]).toEqual([0, ""]);
    const width = Math.max(...builtinChecks.map((check) => check.length));
    const lines = out.trimEnd().split("\n");
    expect(lines.map((line) => line.slice(0, 6 + width).trimEnd())).toEqual(
      builtinChecks.map((check) => `ok    ${check}`),
    );
  });
});

describe("the checks report a system", () => {
  it("that throws", async () => {
    const source = goodDesk(
      `calculatePnl: () => { throw Object.assign(new Error("no\\nprice"), { code: "NO_PRICE" }); },`,
    );
    const failed = failedOf(await findings(desk(), { "desk.mjs": source }));
    expect(failed["answers calculatePnl"]).toMatch(/^\.\/desk\.mjs\.calculatePnl: no.*price$/);
    expect(Object.keys(failed)).not.toContain("methods");
  });

  it("that cannot be loaded", async () => {
    for (const isolation of ["none", "thread"] as const) {
      const failed = failedOf(
        await findings(desk(isolation), { "desk.mjs": "throw new Error('no licence');" }),
      );
      expect(failed).toEqual({ starts: expect.stringContaining("no licence") });
    }
    expect(failedOf(await findings(desk())).starts).toContain("cannot be loaded");
  });

  it.each(["none", "thread"] as const)(
    "that hangs, when its configured timeout has passed; isolation %s",
    async (isolation) => {
      const source = goodDesk("calculatePnl: () => new Promise(() => {}),");
      const system = { ...desk(isolation), timeout_ms: 100 };
      const failed = failedOf(await findings(system, { "desk.mjs": source }));
      expect(failed["survives bad input"]).toBe("a bad trade must be refused, not TIMEOUT");
      // A thread may not even have started after 100 ms.
      expect(failed["answers calculatePnl"]).toContain("100 ms");
    },
  );

  inLong("that computes for ever in a thread of its own", async () => {
    const source = goodDesk("calculatePnl: () => { for (;;); },");
    const failed = failedOf(await findings({ ...desk("thread"), timeout_ms: 100 }, { "desk.mjs": source }));
    expect(failed).toHaveProperty(["answers calculatePnl"]);
  });

  it.each([
    ["null", "calculatePnl answers null, not { positions: … }"],
    ["[]", "calculatePnl answers a list"],
    ['"done"', "calculatePnl answers a string"],
    ["({ positions: {} })", "positions in the answer of calculatePnl is an object"],
    ["({ positions: [null, 5] })", "positions in the answer of calculatePnl is a list"],
    ["({ rows: [] })", "the answer of calculatePnl lacks positions (probably called rows)"],
    ["({ positions: [] })", "no position of XCMEFFDPSX20250919U0ZN in"],
    ["({ positions: [{ ...row, realized: null }] })", "realized is null, not 15.625"],
    ["({ positions: [{ ...row, quantity: '1' }] })", 'quantity is "1", not 0'],
    [
      "({ positions: [{ instrument: row.symbol, qty: 0, avgPrice: null, realized_pnl: 15.625, open_pnl: 0 }] })",
      "a row in positions of calculatePnl lacks symbol (probably called instrument), " +
        "quantity (probably called qty), averagePrice (probably called avgPrice), " +
        "realized (probably called realized_pnl), unrealized (probably called open_pnl)",
    ],
    [
      "({ positions: [row, { symbol: 'A' }] })",
      "a row in positions of calculatePnl lacks quantity, averagePrice",
    ],
    ["({ sum: () => 1 })", "the answer is not JSON: a function"],
    ["({ sum: NaN })", "the answer is not JSON: NaN"],
  ])("whose answer has another shape: %s", async (answer, why) => {
    for (const pnlIn of ["money", "points"]) {
      const system = { ...desk(), pnl_in: pnlIn };
      const row =
        'const row = { symbol: "XCMEFFDPSX20250919U0ZN", quantity: 0, averagePrice: null, ' +
        "realized: 15.625, unrealized: 0 };";
      const found = await findings(system, { "desk.mjs": goodDesk(`calculatePnl: () => ${answer},`, row) });
      if (pnlIn === "money") expect(failedOf(found)["answers calculatePnl"]).toContain(why);
      expect(found[0]?.ok).toBe(false);
    }
  });

  it("that counts in points and answers totals without positions, which cannot become money", async () => {
    const source = goodDesk(
      'totals: () => ({ totals: { USD: { realized: "18.909375", unrealized: "0", total: "18.909375" } } }),',
    );
    const failed = failedOf(await findings({ ...desk(), pnl_in: "points" }, { "desk.mjs": source }));
    expect(failed["answers totals"]).toContain(
      "totals answers totals with P&L in points that cannot become money",
    );
  });

  it("that lacks methods: its methods are checked, the missing ones are named", async () => {
    const found = await findings(desk(), {
      "desk.mjs": "export default { totals: () => ({ totals: {} }) };",
    });
    expect(found.map(({ check }) => check)).toEqual([
      "answers totals",
      "numbers are exact",
      "equal questions get equal answers",
      "methods",
      "left out",
    ]);
    expect(found.find(({ check }) => check === "methods")?.detail).toMatch(
      /^without calculatePnl, openPositions, tradeHistory, dailyPnl, positionDetail: /,
    );
  });

  it.each(["none", "thread"] as const)(
    "whose methods have other names: they are listed, proposed for the map of methods, and never called; isolation %s",
    async (isolation) => {
      const source = `export default {
        get_open_positions: (book, { limit = [1, 2] } = {}) => { throw 1; }, getTrades: async (request) => { throw 1; },
        _connect() { throw 1; }, rebuild_database() { throw 1; }, get_greeks: () => { throw 1; } };`;
      const [methods, leftOut, ...rest] = await findings(desk(isolation), { "desk.mjs": source });
      expect(rest).toEqual([]);
      expect(methods).toEqual({
        check: "methods",
        ok: false,
        detail:
          "it has none of calculatePnl, openPositions, tradeHistory, dailyPnl, totals, positionDetail; " +
          "try systems.modern.methods: { openPositions: get_open_positions, tradeHistory: getTrades }; found " +
          "get_open_positions(book, { limit = [1, 2] } = {}), getTrades(request), rebuild_database(), get_greeks()",
      });
      expect(leftOut?.detail).toBe(
        "never called: get_open_positions, getTrades, get_greeks (systems.modern.methods does not name it); " +
          "_connect (it is private); rebuild_database (its name says that it writes)",
      );
    },
  );

  it("whose map of methods names a method that sounds like a write", async () => {
    const system = { ...desk(), methods: { totals: "rebuild_database" } };
    const source = "export default { rebuild_database: () => ({ totals: {} }) };";
    expect(failedOf(await findings(system, { "desk.mjs": source }))).toEqual({
      methods:
        "systems.modern.methods names rebuild_database for totals, and its name says that it writes: the bridge only reads",
    });
  });

  it("whose answers lack fields or use other words", async () => {
    const source = goodDesk(`
      openPositions: () => ({ positions: [{ symbol: "A", quantity: 1, avg_cost: 2, realized: 0, unrealized: 0 }] }),
      tradeHistory: () => ({ trades: [{ id: 1, symbol: "A", side: "BUY", quantity: 1, price: 2 }] }),
      dailyPnl: () => ({ history: [] }),
      positionDetail: () => { throw new Error("no such table"); },`);
    expect(failedOf(await findings(desk(), { "desk.mjs": source }))).toEqual({
      "answers openPositions":
        "a row in positions of openPositions lacks averagePrice (probably called avg_cost)",
      "answers tradeHistory": 'side in trades of tradeHistory is "BUY", not "B" or "S"',
      "answers dailyPnl": "the answer of dailyPnl lacks daily (probably called history)",
      "answers positionDetail": "./desk.mjs.positionDetail: no such table",
    });
  });

  it.skipIf(python === undefined)(
    "that reads the fields of a trade under other names (needs python3)",
    async () => {
      const source =
        "class Desk:\n  def calculatePnl(self, trades, **rest):\n    return [trade['buySell'] for trade in trades]\n";
      const command = [python, pythonWorker, "desk:Desk"];
      const failed = failedOf(await findings({ kind: "command", command }, { "desk.py": source }));
      expect(failed["answers calculatePnl"]).toBe(
        "'buySell': in the request this field of a trade is called side",
      );
    },
  );

  it("that gives a different answer each time", async () => {
    const source = goodDesk("", "let calls = 0;").replace(
      "computePnl(request),",
      "({ ...computePnl(request), calls: ++calls }),",
    );
    expect(failedOf(await findings(desk(), { "desk.mjs": source }))).toEqual({
      "equal questions get equal answers": "eight calls at once had different answers",
    });
  });

  it("with the output of its worker, if a check fails", async () => {
    const command = [process.execPath, "-e", "console.error('licence server unreachable'); process.exit(3)"];
    const found = await findings({ kind: "command", command });
    expect(found.map(({ check, ok }) => [check, ok])).toEqual([
      ["starts", false],
      ["printed output", true],
    ]);
    expect(found.at(-1)?.detail).toContain("licence server unreachable");
  });

  it("that cannot be closed, without losing the other findings", async () => {
    const source = `import { computePnl } from ${JSON.stringify(engine)};
      export default class {
        calculatePnl(request) { return computePnl(request); }
        [Symbol.dispose]() { throw new Error("not now"); }
      }`;
    const found = await findings(desk(), { "desk.mjs": source });
    expect(found.at(-1)?.check).toBe("ends");
    expect(failedOf(found)).toEqual({ ends: "not now" });
  });

  it("that hangs and holds a timer, and the program still ends", async () => {
    const source = goodDesk("calculatePnl: () => new Promise(() => {}),", "setInterval(() => {}, 1_000);");
    const found = documentOf(await doctor({ ...desk(), timeout_ms: 100 }, { "desk.mjs": source }));
    expect(failedOf(found)["answers calculatePnl"]).toContain("did not answer within 100 ms");
  });

  inLong("with FAIL in the text output", async () => {
    const { code, out, err } = await doctor(
      desk(),
      { "desk.mjs": goodDesk("calculatePnl: () => null,") },
      [],
    );
    expect([code, err]).toEqual([1, ""]);
    expect(out).toMatch(
      /^FAIL {2}answers calculatePnl .* calculatePnl answers null, not \{ positions: … \}$/m,
    );
    expect(out).toMatch(/^ok {4}methods /m);
  });
});

describe("doctor refuses to start", () => {
  it("if the configuration cannot be read", async () => {
    await withFiles({ "desk.yaml": "systems: { modern: { kind: bultin } }" }, async (folder) => {
      await expect(examineSystem("modern", join(folder, "desk.yaml"))).rejects.toMatchObject({
        code: "BAD_CONFIG",
        message: expect.stringContaining("bultin"),
      });
      await expect(examineSystem("modern", join(folder, "none.yaml"))).rejects.toMatchObject({
        code: "UNREADABLE",
      });
    });
  });

  it("on an unknown side, with exit code 2 and one line", async () => {
    const { code, out, err } = await pnlBridge(["doctor", "--system", "both"]);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toMatch(/^BAD_USAGE: [^\n]*legacy, modern[^\n]*\n$/);
  });

  it("on a system whose secret is not in the environment, and names the variable", async () => {
    const system = { kind: "http", url: "http://127.0.0.1:1", authorization_env: "PNL_TEST_UNSET" };
    await expect(findings(system)).rejects.toMatchObject({
      code: "BAD_CONFIG",
      message: expect.stringContaining("PNL_TEST_UNSET"),
    });
  });
});
