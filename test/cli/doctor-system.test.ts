import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { examineSystem } from "../../src/app/doctor.ts";
import { computePnl } from "../../src/app/engine.ts";
import { python, pythonMissing, pythonWorker } from "../../src/testing/worker-programs.ts";
import { pnlBridge, type Ran, root, withFiles } from "./run-cli.ts";

type Findings = Awaited<ReturnType<typeof examineSystem>>;

const checks = [
  "answers calculatePnl",
  "numbers are exact",
  "the same question, the same answer",
  "refuses what it does not know",
  "survives bad input",
  "methods",
];

/** A configuration that names this system as modern, in a folder with these files. */
const withDesk = <T>(system: object, files: Readonly<Record<string, string>>, use: (config: string) => Promise<T>): Promise<T> =>
  withFiles({ "desk.yaml": JSON.stringify({ systems: { modern: system } }), ...files }, (folder) =>
    use(join(folder, "desk.yaml")),
  );

/** The program itself, as a user starts it. */
const doctor = (
  system: object,
  files: Readonly<Record<string, string>> = {},
  args: readonly string[] = ["--json"],
): Promise<Ran> => withDesk(system, files, (config) => pnlBridge(["doctor", "--system", "modern", "--config", config, ...args]));

/** What it finds, asked in this process: starting the program costs a second. */
const findings = (system: object, files: Readonly<Record<string, string>> = {}): Promise<Findings> =>
  withDesk(system, files, (config) => examineSystem("modern", config)).then(shortLines);

/** Every finding is a short line. */
function shortLines(found: Findings): Findings {
  for (const { check, detail } of found) {
    expect(detail).not.toMatch(/\p{Cc}/u);
    if (check !== "what it printed") expect(detail.length).toBeLessThan(1_000);
  }
  return found;
}

/** The document of a run that must have been one, which its exit code agrees with. */
function documentOf({ code, out, err }: Ran): Findings {
  expect(err).toBe("");
  const { ok, findings: found, ...rest } = JSON.parse(out) as { readonly ok: boolean; readonly findings: Findings };
  expect(rest).toEqual({});
  for (const finding of found) expect(Object.keys(finding)).toEqual(["check", "ok", "detail"]);
  expect(ok).toBe(found.every((finding) => finding.ok));
  expect(code).toBe(ok ? 0 : 1);
  return shortLines(found);
}

const allGood = checks.map((check) => [check, true]);
const verdicts = (found: Findings) => found.map(({ check, ok }) => [check, ok]);
const failedOf = (found: Findings): Readonly<Record<string, string>> =>
  Object.fromEntries(found.flatMap(({ check, ok, detail }) => (ok ? [] : [[check, detail]])));

const engine = pathToFileURL(join(root, "src/app/engine.ts")).href;
/** A good system in a module: the engine under its own name, with what a test changes. */
const good = (changes = "", before = "") => `
import { computePnl } from ${JSON.stringify(engine)};
${before}
export default {
  calculatePnl: (request) => computePnl(request),
  openPositions: () => ({ positions: [] }), tradeHistory: () => ({ trades: [] }), dailyPnl: () => ({ daily: [] }),
  totals: () => ({ totals: {} }), positionDetail: () => ({ position: null }),
  ${changes}
};`;
const desk = (isolation: "none" | "thread" = "none") => ({ kind: "module", path: "./desk.mjs", isolation });

/** The desk's stand-in as a stranger's module: P&L in points. */
const points = `import { LegacyDeskService } from ${JSON.stringify(pathToFileURL(join(root, "src/legacy-desk/index.ts")).href)};
export default () => new LegacyDeskService({ world: () => ({ ledgers: [] }) });`;

describe("a good system passes", () => {
  it("the built-in ones, without a configuration", async () => {
    const found = documentOf(await pnlBridge(["doctor", "--system", "modern", "--json"]));
    expect(verdicts(found)).toEqual(allGood);
    expect(found.at(-1)?.detail).toBe("all methods of the P&L service");
    expect(verdicts(await examineSystem("legacy"))).toEqual(allGood);
  });

  it.each(["none", "thread"] as const)("a module, isolation %s", async (isolation) => {
    expect(verdicts(await findings(desk(isolation), { "desk.mjs": good() }))).toEqual(allGood);
  });

  it("one that counts in points, where the configuration says so, and not otherwise", async () => {
    expect(verdicts(await findings({ ...desk(), pnl_in: "points" }, { "desk.mjs": points }))).toEqual(allGood);
    expect(failedOf(await findings(desk(), { "desk.mjs": points }))).toEqual({
      "answers calculatePnl": 'realized is "0.015625", not 15.625: P&L in points needs pnl_in: points',
    });
  });

  it("a service over HTTP, which does not say its methods", async () => {
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
      const found = documentOf(await doctor({ kind: "http", url }));
      expect(verdicts(found)).toEqual(allGood);
      expect(found.at(-1)?.detail).toContain("does not say which methods it has");
    } finally {
      server.close();
    }
  });

  it.skipIf(python === undefined)(`the example in Python (${pythonMissing ?? "with python3"})`, async () => {
    const command = [python, pythonWorker, "desk:DeskService"];
    const found = await findings({ kind: "command", command, cwd: join(root, "examples/python-desk") });
    expect(verdicts(found)).toEqual(allGood);
  });

  it("says it for people, a line for each check", async () => {
    const { code, out, err } = await pnlBridge(["doctor", "--system", "legacy"]);
    expect([code, err]).toEqual([0, ""]);
    const width = Math.max(...checks.map((check) => check.length));
    const lines = out.trimEnd().split("\n");
    expect(lines.map((line) => line.slice(0, 6 + width).trimEnd())).toEqual(checks.map((check) => `ok    ${check}`));
  });
});

describe("a broken system is told, check by check", () => {
  it("that throws", async () => {
    const source = good(`calculatePnl: () => { throw Object.assign(new Error("no\\nprice"), { code: "NO_PRICE" }); },`);
    const failed = failedOf(await findings(desk(), { "desk.mjs": source }));
    expect(failed["answers calculatePnl"]).toMatch(/^\.\/desk\.mjs\.calculatePnl: no.*price$/);
    expect(Object.keys(failed)).not.toContain("methods");
  });

  it("that cannot be loaded", async () => {
    for (const isolation of ["none", "thread"] as const) {
      const failed = failedOf(await findings(desk(isolation), { "desk.mjs": "throw new Error('no licence');" }));
      expect(failed["answers calculatePnl"]).toContain("no licence");
    }
    expect(failedOf(await findings(desk()))["answers calculatePnl"]).toContain("cannot be loaded");
  });

  it.each(["none", "thread"] as const)(
    "that hangs, in the time that it has behind the bridge; isolation %s",
    async (isolation) => {
      const source = good("calculatePnl: () => new Promise(() => {}),");
      const system = { ...desk(isolation), timeout_ms: 100 };
      const failed = failedOf(await findings(system, { "desk.mjs": source }));
      expect(failed["survives bad input"]).toBe("a bad trade must be refused, not TIMEOUT");
      // A thread may not even have started by then.
      expect(failed["answers calculatePnl"]).toContain("100 ms");
    },
  );

  it("that computes for ever, where it has a thread of its own", async () => {
    const source = good("calculatePnl: () => { for (;;); },");
    const failed = failedOf(await findings({ ...desk("thread"), timeout_ms: 100 }, { "desk.mjs": source }));
    expect(failed).toHaveProperty(["answers calculatePnl"]);
  });

  it.each([
    ["null", "no position of XCMEFFDPSX20250919U0ZN in null"],
    ["[]", "no position of XCMEFFDPSX20250919U0ZN in []"],
    ['"done"', 'no position of XCMEFFDPSX20250919U0ZN in "done"'],
    ["({ positions: {} })", 'no position of XCMEFFDPSX20250919U0ZN in {"positions":{}}'],
    ["({ positions: [null, 5] })", 'no position of XCMEFFDPSX20250919U0ZN in {"positions":[null,5]}'],
    ["({ positions: [{ symbol: 'XCMEFFDPSX20250919U0ZN' }] })", "realized is null, not 15.625"],
    ["({ positions: [{ symbol: 'XCMEFFDPSX20250919U0ZN', realized: '15.625', quantity: '1' }] })", 'quantity is "1", not 0'],
    ["({ sum: () => 1 })", "the answer is no JSON: a function"],
    ["({ sum: NaN })", "the answer is no JSON: NaN"],
  ])("of another shape: %s", async (answer, why) => {
    for (const pnlIn of ["money", "points"]) {
      const system = { ...desk(), pnl_in: pnlIn };
      const found = await findings(system, { "desk.mjs": good(`calculatePnl: () => ${answer},`) });
      if (pnlIn === "money") expect(failedOf(found)["answers calculatePnl"]).toContain(why);
      expect(found[0]?.ok).toBe(false);
    }
  });

  it("that counts in points and answers totals without positions, which cannot become money", async () => {
    const source = good('totals: () => ({ totals: { USD: { realized: "18.909375" } } }),');
    const told = failedOf(await findings({ ...desk(), pnl_in: "points" }, { "desk.mjs": source }));
    expect(told.methods).toContain("totals answers P&L in points in totals that cannot become money");
  });

  it("that lacks methods: the one that is asked fails, the others are named", async () => {
    const found = await findings(desk(), { "desk.mjs": "export default { totals: () => ({ totals: {} }) };" });
    expect(found[0]).toMatchObject({ ok: false, detail: "./desk.mjs.calculatePnl: there is no such method" });
    expect(found.find(({ check }) => check === "methods")?.detail).toMatch(
      /^without calculatePnl, openPositions, tradeHistory, dailyPnl, positionDetail: /,
    );
  });

  it("that answers methods it has not got, and another answer each time", async () => {
    const source = good("noSuchMethod: () => null,", "let calls = 0;").replace(
      "computePnl(request),",
      "({ ...computePnl(request), calls: ++calls }),",
    );
    const failed = failedOf(await findings(desk(), { "desk.mjs": source }));
    expect(failed["refuses what it does not know"]).toBe("an unknown method must be REFUSED, and was answered");
    expect(failed["the same question, the same answer"]).toBe("eight calls at a time had different answers");
  });

  it("what a worker printed is told where something is wrong", async () => {
    const command = [process.execPath, "-e", "console.error('licence server unreachable'); process.exit(3)"];
    const found = await findings({ kind: "command", command });
    expect(found[0]).toMatchObject({ check: "answers calculatePnl", ok: false });
    expect(found.at(-1)).toMatchObject({ check: "what it printed", ok: true });
    expect(found.at(-1)?.detail).toContain("licence server unreachable");
  });

  it("that cannot be closed: its findings are not lost", async () => {
    const source = `import { computePnl } from ${JSON.stringify(engine)};
      export default class { calculatePnl(request) { return computePnl(request); } [Symbol.dispose]() { throw new Error("not now"); } }`;
    const found = await findings(desk(), { "desk.mjs": source });
    expect(found).toHaveLength(checks.length + 1);
    expect(failedOf(found)).toEqual({ ends: "not now" });
  });

  it("that hangs and would keep the program alive: it is ended all the same", async () => {
    const source = good("calculatePnl: () => new Promise(() => {}),", "setInterval(() => {}, 1_000);");
    const found = documentOf(await doctor({ ...desk(), timeout_ms: 100 }, { "desk.mjs": source }));
    expect(failedOf(found)["answers calculatePnl"]).toContain("no answer within 100 ms");
  });

  it("says FAIL for people", async () => {
    const { code, out, err } = await doctor(desk(), { "desk.mjs": good("calculatePnl: () => null,") }, []);
    expect([code, err]).toEqual([1, ""]);
    expect(out).toMatch(/^FAIL {2}answers calculatePnl .* no position of XCMEFFDPSX20250919U0ZN in null$/m);
    expect(out).toMatch(/^ok {4}methods /m);
  });
});

describe("doctor cannot begin", () => {
  it("without a configuration that can be read, with exit code 2 and one line", async () => {
    await withFiles({ "desk.yaml": "systems: { modern: { kind: bultin } }" }, async (folder) => {
      const bad = await pnlBridge(["doctor", "--system", "modern", "--config", join(folder, "desk.yaml"), "--json"]);
      expect([bad.code, bad.out]).toEqual([2, ""]);
      expect(bad.err).toMatch(/^BAD_CONFIG: .*bultin.*\n$/);
      await expect(examineSystem("modern", join(folder, "none.yaml"))).rejects.toMatchObject({ code: "UNREADABLE" });
    });
  });

  it("on a side that there is not", async () => {
    const { code, out, err } = await pnlBridge(["doctor", "--system", "both"]);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toMatch(/^BAD_USAGE: [^\n]*legacy, modern[^\n]*\n$/);
  });

  it("on a system whose secret is not there, whose name it says", async () => {
    const system = { kind: "http", url: "http://127.0.0.1:1", authorization_env: "PNL_TEST_UNSET" };
    await expect(findings(system)).rejects.toMatchObject({
      code: "BAD_CONFIG",
      message: expect.stringContaining("PNL_TEST_UNSET"),
    });
  });
});
