/** Reports over HTTP and from Python. */
import { execFile } from "node:child_process";
import { access, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { systemClock } from "../../src/adapters/host/index.ts";
import { openOperator, settingsOf } from "../../src/app/control/session.ts";
import { writeDailyReport } from "../../src/app/reports/commands.ts";
import { reportRegister } from "../../src/app/reports/register.ts";
import { ReportService } from "../../src/app/reports/service.ts";
import type { ControlStore } from "../../src/ports/control-store.ts";
import { handedReport } from "../../src/surfaces/gateway/wire/reports.ts";
import { until } from "../../src/testing/until.ts";
import { python } from "../../src/testing/worker-programs.ts";
import { variant } from "../campaigns.ts";
import { root } from "../cli/run-cli.ts";
import { ask, desk, listen } from "../gateway/desk.ts";

let folder: string;
let store: ControlStore;
let close: () => Promise<void>;
let reports: ReportService;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "pnl-bridge-report-"));
  await mkdir(join(folder, "ledger"));
  await writeFile(
    join(folder, "ledger/trades_20250724.csv"),
    "tradeId,instrumentName,marketTradeTime,buySell,quantity,price\n" +
      "1,XCMEFFDPSX20250919U0ZN,2025-07-24 09:00:00.000,B,1.0,110.515625\n",
  );
  const config = join(folder, "pnl_migration_config.yaml");
  await writeFile(
    config,
    "stores: { control: sqlite:./control.db }\nwatch: { trade_ledger: ./ledger }\nreports: { dir: ./out }\n",
  );
  const settings = await settingsOf({ config });
  const session = await openOperator(settings);
  ({ store } = session);
  close = () => session.close();
  const set = { phase: "shadow_mode", grantedPhase: "shadow_mode" } as const;
  await store.change({ actor: "amy", action: "phase", reason: "a test", set });
  reports = new ReportService(config, settings);
});
afterAll(async () => {
  await close();
  await rm(folder, { recursive: true, force: true });
});

const askForReport = (url: string) =>
  ask(`${url}/api/v1/reports/2025-07-24`, "GET", undefined, { "x-pnl-user": "amy" });
/** An answer with the report, whose content never changes. */
let answered: ReturnType<typeof ask> | undefined;
/** The body of the answer that an earlier test has got, or of a new one. */
const report = async (url: string) => {
  answered ??= askForReport(url);
  return (await answered).body;
};

describe("GET /api/v1/reports/{date}", () => {
  it("writes the report into the folder of reports under a name like the desk's, and sends an event", async () => {
    const { url } = await desk({ reports });
    const stream = await listen(`${url}/api/v1/events`);
    answered = askForReport(url);
    const { status, body, headers } = await answered;
    expect([status, headers.get("cache-control")]).toEqual([200, "no-store"]);
    expect(handedReport.parse(body)).toEqual(body);
    expect(body).toMatchObject({ date: "2025-07-24", side: "legacy", version: 1, diff: { ok: false } });
    expect([dirname(body.path), basename(body.path)]).toEqual([
      join(folder, "out"),
      expect.stringMatching(/^tyu5_pnl_all_\d{8}_\d{6}\.xlsx$/),
    ]);
    for (const path of [body.path, body.figures, body.diff.path]) await access(path);
    await until(
      () => stream.events.some(({ event }) => event === "reports"),
      "the event stream tells of the report",
    );
    stream.close();
    const told = stream.events.find(({ event }) => event === "reports")?.data;
    expect(told).toMatchObject({ date: "2025-07-24", side: "legacy", version: 1 });
    expect(JSON.stringify(told)).not.toContain(folder);
    expect((await reportRegister(store, "2025-07-24")).handedOut).toMatchObject([
      { user: "amy", side: "legacy", path: body.path },
    ]);
  });

  it("answers with the same file while the content is the same, and with a new comparison", async () => {
    const { url } = await desk({ reports });
    const first = await report(url);
    await writeFile(first.diff.path, "an old comparison");
    const second = (await ask(`${url}/api/v1/reports/2025-07-24`)).body;
    expect(second).toEqual(first);
    expect(JSON.parse(await readFile(second.diff.path, "utf8"))).toMatchObject({ ok: false });
    // A workbook without its figures is not handed out.
    await rename(first.figures, `${first.figures}.away`);
    const third = (await ask(`${url}/api/v1/reports/2025-07-24`)).body;
    await rename(`${first.figures}.away`, first.figures);
    expect([third.version, third.path === first.path]).toEqual([first.version, false]);
    await access(third.figures);
  });

  it(
    "gives two reports of the same second two names, so that the first workbook stays",
    variant,
    async () => {
      const now = vi.spyOn(systemClock, "nowMs").mockReturnValue(Date.UTC(2025, 6, 25, 12));
      const trades = [join(folder, "ledger/trades_20250724.csv")];
      const names = [];
      for (const side of ["legacy", "modern"] as const) {
        const asked = { date: "2025-07-24", side, dir: join(folder, "second"), trades };
        names.push(basename((await writeDailyReport(asked)).path));
      }
      now.mockRestore();
      expect(names).toEqual(["tyu5_pnl_all_20250725_070000.xlsx", "tyu5_pnl_all_20250725_070001.xlsx"]);
    },
  );

  it("refuses a request while eight wait, and ends those under way when it closes", async () => {
    const config = join(folder, "pnl_migration_config.yaml");
    const busy = new ReportService(config, await settingsOf({ config }));
    const asked = Array.from({ length: 9 }, () => busy.generateDailyPnl("2025-07-24", undefined));
    busy.close();
    const ends = await Promise.allSettled(asked);
    const why = ends.map((end) => (end.status === "rejected" ? end.reason.message : "written"));
    expect(why).toEqual([
      ...Array(8).fill("the process that builds the report ended without an answer"),
      "8 reports are under way: try again later",
    ]);
  });

  it("refuses a text that is no day, and every request to a process without reports", async () => {
    const { url } = await desk({ reports });
    expect((await ask(`${url}/api/v1/reports/yesterday`)).status).toBe(400);
    expect((await ask(`${url}/api/v1/reports/2025-02-30`)).body).toMatchObject({
      status: 400,
      code: "BAD_USAGE",
    });
    const without = await desk();
    expect((await ask(`${without.url}/api/v1/reports/2025-07-24`)).body).toMatchObject({
      status: 409,
      code: "REFUSED",
    });
  });

  it.skipIf(python === undefined)(
    "is what ExcelReportBridge.generate_daily_pnl of the Python client answers",
    async () => {
      const { url } = await desk({ reports });
      const script = `
import datetime, sys
from pnl_bridge_client import ExcelReportBridge
bridge = ExcelReportBridge("${url}", user="amy")
report = bridge.generate_daily_pnl(datetime.date(2025, 7, 24))
print(report.side, report.version, report.diff.ok, bridge.timeout, report.path)
`;
      const env = { ...process.env, PYTHONPATH: join(root, "python") };
      const { stdout } = await promisify(execFile)(python ?? "", ["-c", script], { env });
      // A report may wait for seven others, and each may take 300 s.
      expect(stdout).toMatch(/^legacy 1 False 2400.0 .*tyu5_pnl_all_\d{8}_\d{6}\.xlsx\n$/);
    },
  );
});
