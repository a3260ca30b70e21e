import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { postgresMissing, startPostgres } from "../../src/testing/postgres.ts";
import { connectionTo } from "../../src/testing/sqlite-files.ts";
import { until } from "../../src/testing/until.ts";
import { isLongRun } from "../campaigns.ts";
import { type DeskProcess, LiveDesk } from "./live-desk.ts";
import { main, pnlBridge, type Ran, withFiles } from "./run-cli.ts";

const isLong = isLongRun("commands");
const because = ["--reason", "a test", "--actor", "amy"];

function expectFailure({ code, out, err }: Ran, line: RegExp): void {
  expect([code, out]).toEqual([2, ""]);
  expect(err).toMatch(line);
  expect(err.trimEnd().split("\n")).toHaveLength(1);
}

/** The lines of a text, with two or more spaces reduced to one. */
const squeezed = (text: string): readonly string[] =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => line.trim().replaceAll(/ {2,}/g, " "));

describe("a desk with a live process", () => {
  // A busy machine may keep a process from running for seconds; the process stays live in that time.
  const control = { instance: "gateway-1", heartbeat_ms: 200, stale_ms: 10_000, lease_ms: 60_000 };
  let desk: LiveDesk;
  let process_: DeskProcess;
  beforeAll(async () => {
    desk = new LiveDesk({}, { control });
    process_ = await desk.start();
    await until(async () => (await desk.run("gates")).code === 0, "the gates are open");
  });
  afterAll(() => desk[Symbol.asyncDispose]());

  it("status shows the plan, the fleet and the audit on one screen", async () => {
    const { code, out, err } = await desk.run("status");
    expect([code, err]).toEqual([0, ""]);
    const hash = "[0-9a-f]{64}";
    for (const row of [
      /^phase shadow_mode \(published\), epoch 2 of \d{4}-\d\d-\d\dT[\d:.]+Z by \w+$/m,
      /^modern in use$/m,
      /^answers legacy answers everything: the phase is shadow_mode$/m,
      /^traffic 0 % \(published\); whitelist: none; denylist: none$/m,
      /^writes migration_mode dual_write \(default\), window to legacy open$/m,
      /^flags calculator, storage, reports$/m,
      /^rollback possible: nothing is owed to legacy$/m,
      /^next dual_write \(profile trial\): all gates are open$/m,
      new RegExp(`^audit (sealed up to 1, ${hash}|nothing is sealed yet)$`, "m"),
      new RegExp(`^store ${desk.control}$`, "m"),
      /^fleet live gateway-1 epoch 2 \d\.\d s ago \d+ MB$/m,
    ])
      expect(squeezed(out).join("\n")).toMatch(row);
    expect(out.split("\n").length).toBeLessThan(24);
    const { document } = await desk.json("status");
    expect(document).toMatchObject({
      phase: "shadow_mode",
      epoch: 2,
      outOfUse: null,
      switchFile: null,
      held: [],
      rollback: { possible: true },
      gates: { target: "dual_write", open: true },
      instances: [{ name: "gateway-1", state: "live", seenEpoch: 2, drainedEpoch: 2 }],
    });
  });

  it("status --watch prints the status at each interval until ctrl-C", async () => {
    const args = [main, "status", "--watch", "50ms", "--store", `sqlite:${desk.control}`];
    const watching = spawn(process.execPath, args, {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, NO_COLOR: "1" },
    });
    let out = "";
    watching.stdout.on("data", (piece) => (out += piece));
    await until(() => out.split("phase      shadow_mode").length > 3, "three screens are printed");
    watching.kill("SIGINT");
    expect(await once(watching, "exit")).toEqual([null, "SIGINT"]);
    expect(out).not.toContain("\x1b");
  });

  it("gates lists the gates before a phase, and exits 1 if one is closed", async () => {
    expect((await desk.json("gates")).document).toMatchObject({ target: "dual_write", open: true });
    const far = await desk.run("gates", "--target", "primary_switch");
    expect([far.code, far.err]).toEqual([1, ""]);
    expect(squeezed(far.out)).toEqual([
      "gates before primary_switch (profile trial):",
      "open store_reachable the store answered with epoch 2",
      "open flags_set every flag that the phase needs is set",
      "open fleet_acknowledged 1 of 1 processes follow epoch 2",
      "open no_quarantine the quarantine is empty",
      "open databases_ready modern's database has the authority already, or no pair of databases is configured",
      "open rollback_possible nothing is owed to legacy",
      "CLOSED approved primary_switch needs the approval of one person, nobody has approved: sign-off approved --actor NAME --note TEXT",
    ]);
    expect(await desk.json("gates", "--target", "primary_switch")).toMatchObject({
      code: 1,
      document: { open: false },
    });
  });

  it("phase advance refuses and audits a move through a closed gate; a dry run changes nothing", async () => {
    const dry = await desk.run("phase", "advance", "--dry-run", ...because);
    expect([dry.code, dry.out.trimEnd().split("\n").at(-1)]).toEqual([
      0,
      'dry run: shadow_mode → dual_write would change phase to "dual_write", grantedPhase to "dual_write"',
    ]);
    expect((await desk.json("status")).document).toMatchObject({ phase: "shadow_mode", epoch: 2 });
    const moved = await desk.run("phase", "advance", ...because);
    expect([moved.code, moved.out.trimEnd().split("\n").at(-1)]).toEqual([
      0,
      "shadow_mode → dual_write, epoch 3",
    ]);

    const closed = await desk.run("phase", "advance", ...because);
    expect([closed.code, closed.out.trimEnd().split("\n").at(-1)]).toEqual([
      1,
      "dual_write → primary_switch: not moved, a gate is closed; the phase is still dual_write",
    ]);
    expect(await desk.json("phase", "advance", "--dry-run", ...because)).toMatchObject({
      code: 1,
      document: { moved: false },
    });
    for (const meant of [
      ["--from", "shadow_mode"],
      ["--epoch", "2"],
    ])
      expectFailure(
        await desk.run("phase", "advance", ...meant, ...because),
        new RegExp(
          "^CONFLICT: the plan has the phase dual_write and epoch 3, but the request expects (shadow_mode|epoch 2); " +
            "run status, then try again$",
          "m",
        ),
      );
    const { out } = await desk.run("audit", "export");
    const refused = out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line))
      .filter(({ action }) => action === "refused");
    expect(refused).toMatchObject([
      { actor: "amy", reason: "dual_write to primary_switch: a test", before: null },
    ]);
    expectFailure(
      await desk.run("phase", "set", "cleanup", ...because),
      /^REFUSED: forward moves go one phase at a time/,
    );
  });

  it("traffic changes the percentage at once, and says so if the phase ignores it", async () => {
    expect(await desk.run("traffic", "100", ...because)).toEqual({
      code: 0,
      out: "100 %, epoch 4: modern answers 100 % of the traffic\n",
      err: "",
    });
    await process_.answersBy("modern");
    expect(await desk.json("traffic", "0", ...because)).toEqual({
      code: 0,
      document: {
        epoch: 5,
        newSystemPercentage: 0,
        ramp: null,
        answers: "modern answers 0 % of the traffic",
      },
    });
    await process_.answersBy("legacy");
  });

  it("whitelist adds and removes a user", async () => {
    expect((await desk.run("whitelist", "add", "amy", ...because)).out).toBe("amy added, epoch 6\n");
    await process_.answersBy("modern");
    expect((await desk.run("whitelist", "add", "amy", ...because)).out).toBe(
      "amy is on the whitelist already\n",
    );
    expect((await desk.run("whitelist", "list")).out).toBe("amy\n");
    expect(await desk.json("denylist", "list")).toEqual({ code: 0, document: { users: [] } });
    expect((await desk.run("audit", "list", "--limit", "1")).out).toMatch(
      /^\d{4}-\S+Z {2}epoch 6 {2}whitelist {2}amy {2}a test\n$/,
    );
    const control = ["--reason", "a \u009b2J test", "--actor", "amy"];
    expect(await desk.json("whitelist", "remove", "amy", ...control)).toEqual({
      code: 0,
      document: { changed: true, epoch: 7 },
    });
    const { out: exported } = await desk.run("audit", "export");
    expect(exported).toContain('"reason":"a \\u009b2J test"');
    expect(exported).not.toMatch(/[\x7f-\x9f]/);
    await process_.answersBy("legacy");
    expect((await desk.run("whitelist", "remove", "amy", ...because)).out).toBe(
      "amy is not on the whitelist\n",
    );
  });

  it("a sign-off opens the gate that needs a person's approval", async () => {
    const { code, out } = await desk.run(
      "sign-off",
      "approved",
      "--actor",
      "bob",
      "--note",
      "looked at a week of comparisons",
    );
    expect([code, out]).toEqual([0, "bob has signed approved for primary_switch\n"]);
    expect(await desk.json("phase", "advance", ...because)).toMatchObject({
      code: 0,
      document: { moved: true, from: "dual_write", target: "primary_switch", epoch: 8 },
    });
    await process_.answersBy("modern");
    expect(
      await desk.json("sign-off", "approved", "--actor", "bob", "--note", "x", "--phase", "cleanup"),
    ).toEqual({
      code: 0,
      document: { gate: "approved", phase: "cleanup", actor: "bob" },
    });
    for (const [gate, line] of [
      [
        "no_quarantine",
        /^REFUSED: the gate no_quarantine is judged from the facts and accepts no sign-off; sign off approved, team_trained or legacy_window$/m,
      ],
      ["aproved", /^REFUSED: there is no gate aproved; sign off approved, team_trained or legacy_window$/m],
      [
        "legacy_window",
        /^REFUSED: the window to legacy can be closed only in cleanup, and the phase is primary_switch; /,
      ],
    ] as const)
      expectFailure(await desk.run("sign-off", gate, "--actor", "bob", "--note", "x"), line);
  });

  it("phase retreat needs no gate, and traffic then says that the phase ignores the percentage", async () => {
    expect((await desk.run("phase", "retreat", ...because)).out).toBe(
      "primary_switch → dual_write, epoch 9\n",
    );
    expect((await desk.run("phase", "set", "shadow_mode", ...because)).out).toBe(
      "dual_write → shadow_mode, epoch 10\n",
    );
    expect((await desk.run("traffic", "10", ...because)).out).toBe(
      "10 %, epoch 11: legacy answers everything: the phase is shadow_mode\n",
    );
    await desk.toDualWrite();
  });

  it("rollback prints its durations, and phase set takes modern back into use", async () => {
    await desk.run("whitelist", "add", "amy", ...because);
    await process_.answersBy("modern");
    const { code, out, err } = await desk.run("rollback", ...because);
    // A busy machine may take so long that the progress is shown.
    expect([code, err]).toEqual([0, expect.stringMatching(/^(waiting for gateway-1\n)?$/)]);
    expect(out).toMatch(
      /^rolled back: legacy answers everything, epoch 14\nwritten after \d+ ms; acknowledged by 1 of 1 after \d+ ms\n$/,
    );
    await process_.answersBy("legacy");
    const status = squeezed((await desk.run("status")).out);
    expect(status).toContain("modern out of use: use_new_pnl_system is false");
    expect(status).toContain(
      "next primary_switch (profile trial): first take modern back into use: phase set dual_write --reason TEXT",
    );

    for (const args of [
      ["traffic", "100"],
      ["traffic", "--ramp", "10,25"],
      ["phase", "advance"],
    ])
      expectFailure(
        await desk.run(...args, ...because),
        /^REFUSED: modern is out of use \(.*\); take it back into use first: phase set /,
      );
    expectFailure(
      await desk.run("rollback", "--gradual", ...because),
      /^REFUSED: modern is out of use already .*; to return to legacy at once, run rollback without --gradual$/m,
    );
    // A move towards legacy is never refused, not even the second time.
    expect(await desk.json("rollback", ...because)).toMatchObject({
      code: 0,
      document: {
        via: "store",
        epoch: 15,
        acknowledged: ["gateway-1"],
        gone: [],
        waiting: [],
        owedToLegacy: 0,
        possible: true,
      },
    });
    expect((await desk.run("traffic", "5", ...because)).out).toBe(
      "5 %, epoch 16: legacy answers everything: use_new_pnl_system is false\n",
    );
    const back = await desk.run("phase", "set", "dual_write", ...because);
    expect([back.code, back.out.trimEnd().split("\n").at(-1)]).toEqual([
      0,
      "dual_write, modern in use, epoch 17",
    ]);
    await process_.answersBy("modern");
    await desk.run("whitelist", "remove", "amy", ...because);
    await process_.answersBy("legacy");
  });

  it("denylist adds and removes a user, and takes precedence over the whitelist", async () => {
    const { epoch } = (await desk.json("status")).document as { epoch: number };
    await desk.run("whitelist", "add", "amy", ...because);
    await process_.answersBy("modern");
    const after = { code: 0, document: { changed: true, epoch: epoch + 2 } };
    expect(await desk.json("denylist", "add", " amy ", ...because)).toEqual(after);
    await process_.answersBy("legacy");
    expect((await desk.run("denylist", "add", "amy", ...because)).out).toBe(
      "amy is on the denylist already\n",
    );
    expect((await desk.run("denylist", "list")).out).toBe("amy\n");
    expect((await desk.run("status")).out).toMatch(
      /; legacy answers 1 user on the denylist\ntraffic .*; whitelist: amy; denylist: amy\n/,
    );
    expect((await desk.run("config", "show")).out).toMatch(/user_denylist.*amy.*control store, by amy/);
    expect((await desk.run("audit", "list", "--limit", "1")).out).toMatch(/ {2}denylist {2}amy {2}a test\n$/);
    expect((await desk.run("denylist", "remove", "amy", ...because)).out).toBe(
      `amy removed, epoch ${epoch + 3}\n`,
    );
    await process_.answersBy("modern");
    await desk.run("whitelist", "remove", "amy", ...because);
    await process_.answersBy("legacy");
  });

  it("a ramp advances by itself, and traffic with a percentage ends it", async () => {
    const ramp = await desk.run("traffic", "--ramp", "5,50,100", "--dwell", "1s", ...because);
    expect([ramp.code, ramp.out]).toEqual([
      0,
      "5 %, then 50, 100, every 1 s while a process runs, epoch 23: modern answers 5 % of the traffic\n",
    ]);
    expect((await desk.run("status")).out).toMatch(
      / %.*, then (50, )?100, every 1 s while a process runs; whitelist/,
    );
    await process_.answersBy("modern");
    await until(async () => {
      const { plan, ramp } = (await desk.json("status")).document as {
        plan: { newSystemPercentage: number };
        ramp: unknown;
      };
      return plan.newSystemPercentage === 100 && ramp === null;
    }, "the ramp is over");
  });

  it("a gradual rollback is a falling ramp that ends in the rollback", async () => {
    await process_.answersBy("modern");
    await desk.run("traffic", "25", ...because);
    const { code, out } = await desk.run("rollback", "--gradual", "--dwell", "1s", ...because);
    expect([code, out]).toEqual([
      0,
      expect.stringMatching(
        /^10 %, then 0, the rollback, every 1 s while a process runs, epoch \d+: modern answers 10 % of the traffic\n$/,
      ),
    ]);
    await until(
      async () => (await desk.run("status")).out.includes("out of use: use_new_pnl_system is false"),
      "rolled back",
    );
    await process_.answersBy("legacy");
    const { out: audit } = await desk.run("audit", "export");
    expect(JSON.parse(audit.trimEnd().split("\n").at(-1) as string)).toMatchObject({
      action: "rollback",
      actor: "amy",
      reason: "a test",
    });
    await until(
      async () => (await desk.run("phase", "set", "dual_write", ...because)).code === 0,
      "taken back",
    );
    await desk.run("phase", "retreat", ...because);
    expectFailure(
      await desk.run("rollback", "--gradual", ...because),
      /^REFUSED: in shadow_mode the percentage does not decide which system answers, .*; to return to legacy at once, run rollback without --gradual$/m,
    );
  });

  it("a drill rehearses on a scratch store, does not change the plan, and is audited", async () => {
    const scratch = () => readdirSync(tmpdir()).filter((name) => name.startsWith("pnl-bridge-drill-"));
    const [before, epoch] = [scratch(), ((await desk.json("status")).document as { epoch: number }).epoch];
    const { code, out } = await desk.run("rollback", "--drill", ...because);
    expect([code, out]).toEqual([
      0,
      expect.stringMatching(
        new RegExp(
          "^drill passed: 3 processes on a scratch store, written after \\d+ ms, " +
            "acknowledged by all after \\d+ ms; the result is in the audit\n$",
        ),
      ),
    ]);
    if (isLong)
      expect(await desk.json("rollback", "--drill", ...because)).toMatchObject({
        code: 0,
        document: { ok: true, processes: 3, answeredByLegacy: true, recorded: true },
      });
    expect(scratch().filter((name) => !before.includes(name))).toEqual([]);
    expect((await desk.json("status")).document).toMatchObject({
      epoch,
      outOfUse: null,
      instances: [{ name: "gateway-1" }],
    });
    const last = JSON.parse((await desk.run("audit", "export")).out.trimEnd().split("\n").at(-1) as string);
    expect(last).toMatchObject({
      action: "drill",
      actor: "amy",
      before: null,
      evidence: { ok: true, processes: 3 },
    });
  });

  it("the operator's SQL takes effect and is audited; an ungranted phase is shown as held", async () => {
    const shell = spawnSync("sqlite3", ["-version"]).status === 0;
    const type = (statement: string): void =>
      shell ? void execFileSync("sqlite3", [desk.control, statement]) : desk.sql(statement);
    const { epoch } = (await desk.json("status")).document as { epoch: number };
    for (const statement of [
      "UPDATE config SET use_new_pnl_system = false;",
      "UPDATE config SET migration_mode = 'old_only';",
      "UPDATE config SET new_system_percentage = 10;",
      "DELETE FROM new_pnl_cache;",
      "UPDATE config SET phase = 'primary_switch';",
    ])
      type(statement);
    const { out } = await desk.run("status");
    const rows = squeezed(out);
    expect(rows[0]).toMatch(new RegExp(`^phase shadow_mode \\(held\\), epoch ${epoch + 5} of .* by sql$`));
    expect(rows).toContain("modern out of use: use_new_pnl_system is false");
    expect(rows).toContain("writes migration_mode old_only (store), window to legacy open");
    expect(rows).toContain(
      "held phase primary_switch: the gates' verdict for it is not recorded; " +
        "the last phase that was granted is shadow_mode",
    );
    await until(
      async () => /sealed up to \d+/.test(out) && (await desk.run("audit", "verify")).code === 0,
      "the audit holds",
    );
    const made = (await desk.run("audit", "export")).out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line))
      .filter(({ action }) => action === "sql");
    expect(made.map(({ actor, epoch: its }) => [actor, its - epoch])).toEqual([
      ["sql", 1],
      ["sql", 2],
      ["sql", 3],
      ["sql", 4],
      ["sql", 5],
    ]);
    type("UPDATE config SET phase = NULL, use_new_pnl_system = NULL, migration_mode = NULL;");
  });

  it("config publish ends the drift of a file that differs from the fleet's plan", async () => {
    desk.write({ phase: "read_only" }, { control });
    await until(async () => (await desk.run("status")).out.includes("CONFIG_DRIFT"), "the drift is shown");
    const shown = await desk.run("config", "show", "--config", "pnl_migration_config.yaml");
    expect(shown.out).toMatch(/^migration\.phase +shadow_mode +/m);
    const { code, out } = await desk.run("config", "publish", ...because);
    expect([code, out]).toEqual([
      0,
      expect.stringMatching(/^published for the whole fleet as [0-9a-f]{12}, epoch \d+\n$/),
    ]);
    await until(async () => !(await desk.run("status")).out.includes("CONFIG_DRIFT"), "the drift is settled");
    expect((await desk.json("status")).document).toMatchObject({
      phase: "read_only",
      from: { phase: "published" },
    });
    expect(await desk.json("config", "publish", ...because)).toMatchObject({
      code: 0,
      document: { hash: expect.stringMatching(/^[0-9a-f]{64}$/) },
    });
  });

  it("the switch file is shown by status and refuses every forward move until it is removed", async () => {
    writeFileSync(desk.switchFile, "");
    await until(
      async () => (await desk.run("status")).out.includes("out of use"),
      "a process has recorded it",
    );
    const status = await desk.run("status");
    expect(squeezed(status.out)).toContain(
      `switch ${desk.switchFile} is set: legacy answers here, whatever the plan says`,
    );
    expect((await desk.json("status")).document).toMatchObject({ switchFile: desk.switchFile });
    for (const forward of [
      ["phase", "set", "read_only"],
      ["phase", "advance"],
      ["traffic", "50"],
    ])
      expectFailure(
        await desk.run(...forward, ...because),
        /^REFUSED: the switch file is set \(.*LEGACY_ONLY\); remove it first, on every machine that has one$/m,
      );
    rmSync(desk.switchFile);
    await until(
      async () => (await desk.run("phase", "set", "read_only", ...because)).code === 0,
      "taken back",
    );
  });

  it("audit verify finds no fault, in text and in JSON", async () => {
    await until(async () => {
      const { code, out } = await desk.run("audit", "verify");
      expect([code, out]).toEqual([
        0,
        expect.stringMatching(/^\d+ rows, the chain holds; head \d+ [0-9a-f]{64}/),
      ]);
      return !out.includes("not sealed yet");
    }, "all is sealed");
    expect(await desk.json("audit", "verify")).toMatchObject({
      code: 0,
      document: { ok: true, notSealedYet: [], faults: [] },
    });
  });
});

describe("a rollback that a process does not acknowledge", () => {
  it("exits 1, names the process and says what to do; after its lease the process is gone", async () => {
    await using desk = new LiveDesk(
      {},
      { control: { heartbeat_ms: 200, stale_ms: 3_000, lease_ms: 10_000, poll_ms: 200 } },
    );
    const process_ = await desk.start();
    // A process serves as soon as it can, also before it has registered.
    await until(async () => (await desk.run("status")).out.includes("live"), "the process is registered");
    await process_.kill();
    const { code, out, err } = await desk.run("rollback", "--wait", "2s", ...because);
    expect([code, err]).toEqual([1, expect.stringMatching(/^waiting for \S+\/\d+\n$/)]);
    expect(out).toMatch(
      new RegExp(
        "^rolled back: .*\nwritten after \\d+ ms; not acknowledged by \\S+/\\d+\n" +
          "until a process acknowledges or its lease ends, it may still answer from modern: stop it, or check status\n$",
      ),
    );
    const again = await desk.json("rollback", ...because);
    expect(again).toMatchObject({
      code: 0,
      document: { waiting: [], gone: [expect.stringMatching(/\/\d+$/)] },
    });
    expect((await desk.run("status")).out).toMatch(/^fleet +gone {2}/m);
  });
});

describe.runIf(isLong)("a rollback after the window to legacy is closed", () => {
  it("exits 1 and says that modern continues to answer", async () => {
    await using desk = new LiveDesk();
    const process_ = await desk.start();
    const advance = async () => {
      await desk.run("sign-off", "approved", "--actor", "bob", "--note", "x");
      await desk.toDualWrite();
    };
    for (let move = 0; move < 3; move++) await advance();
    const closing = ["sign-off", "legacy_window", "--actor", "bob", "--note", "a month end has passed"];
    expectFailure(
      await desk.run(...closing),
      /^REFUSED: the profile trial never closes the window to legacy/,
    );
    desk.write({}, { gates: { profile: "desk" } });
    expectFailure(await desk.run(...closing), /^REFUSED: .*no_readers_left: no count of legacy's readers/);
    const until = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10);
    for (const actor of ["amy", "bob"])
      await desk.run("waive", "no_readers_left", "--actor", actor, "--until", until, "--reason", "x");
    const closed = await desk.run(
      "sign-off",
      "legacy_window",
      "--actor",
      "bob",
      "--note",
      "a month end has passed",
    );
    expect([closed.code, closed.out, closed.err]).toEqual([
      0,
      "bob has closed the window to legacy: a rollback is no longer possible\n",
      "",
    ]);
    const { code, out } = await desk.run("rollback", ...because);
    expect([code, out.split("\n")[0]]).toEqual([
      1,
      expect.stringMatching(
        /^cannot roll back: legacy is no longer written, .*: modern continues to answer, epoch \d+$/,
      ),
    ]);
    await process_.answersBy("modern");
    expect((await desk.run("status")).out).toMatch(/^rollback +cannot roll back: /m);
    expectFailure(await desk.run("phase", "retreat", ...because), /^REFUSED: legacy is no longer written/);
  });
});

describe("a rollback where the control store fails", () => {
  /** Each fault damages the store and returns the function that repairs it, if one is needed. */
  const faults: Readonly<Record<string, (desk: LiveDesk) => (() => void) | undefined>> = {
    corrupt: ({ control }) => {
      writeFileSync(control, "this is no database, and longer than a header would have to be ".repeat(20));
      for (const more of ["-wal", "-shm"]) rmSync(`${control}${more}`, { force: true });
      return undefined;
    },
    gone: ({ control }) => {
      renameSync(control, `${control}.away`);
      return undefined;
    },
    locked: ({ control }) => {
      const shell = connectionTo(control);
      shell.exec("BEGIN IMMEDIATE");
      return () => shell.close();
    },
  };

  it.each(Object.entries(faults).slice(0, isLong ? undefined : 1))(
    "%s: the switch file is set and printed, and legacy answers",
    async (name, spoil) => {
      await using desk = new LiveDesk();
      const process_ = await desk.start();
      await desk.toDualWrite();
      await desk.run("traffic", "100", ...because);
      await process_.answersBy("modern");
      const fix = spoil(desk);
      const { code, out, err } = await desk.run("rollback", ...because);
      expect([code, err]).toEqual([1, ""]);
      const [why, path] = out.split("\n");
      expect(why).toMatch(
        { corrupt: /^not rolled back in the control store: BAD_DATABASE: / }[name] ??
          { gone: /^not rolled back in the control store: SYSTEM_DOWN: the control file is gone / }[name] ??
          /^not rolled back in the control store: DATABASE_BUSY: /,
      );
      expect(path).toBe(
        `${desk.switchFile} is set: every process whose state is in that folder answers from legacy within a second`,
      );
      expect(readFileSync(desk.switchFile, "utf8")).toMatch(/ amy: a test\n/);
      await process_.answersBy("legacy");
      if (name !== "locked") {
        expect(await desk.json("rollback", ...because)).toMatchObject({
          code: 1,
          document: { via: "switch_file", path: desk.switchFile },
        });
        for (const looks of [["status"], ["gates"], ["audit", "verify"], ["phase", "advance", ...because]])
          expectFailure(await desk.run(...looks), /^(BAD_DATABASE|SYSTEM_DOWN): /);
        expect(existsSync(desk.control)).toBe(name === "corrupt");
      } else {
        // A live process records the rollback in the store as soon as it can.
        fix?.();
        await until(async () => (await desk.run("status")).out.includes("out of use"), "the store knows");
      }
    },
  );

  const missing = postgresMissing();
  it.skipIf(missing !== undefined || !isLong)(
    `a login that PostgreSQL refuses: the switch file is set and printed ${missing ?? ""}`,
    async () => {
      const server = await startPostgres();
      try {
        await withFiles({}, async (folder) => {
          const store = server.url.replace("//postgres:", "//postgres:not-");
          const { code, out, err } = await pnlBridge(["rollback", "--store", store, ...because], {
            cwd: folder,
          });
          const switchFile = join(folder, ".pnl-bridge/LEGACY_ONLY");
          expect([code, err]).toEqual([1, ""]);
          expect(out).toMatch(
            /^not rolled back in the control store: BAD_CONFIG: PostgreSQL refuses the login: password /,
          );
          expect(out).toContain(`\n${switchFile} is set: `);
          expect(readFileSync(switchFile, "utf8")).toMatch(/ amy: a test\n/);
        });
      } finally {
        await server.stop();
      }
    },
  );

  const cannotDrop = process.getuid?.() !== 0 || spawnSync("setpriv", ["--version"]).status !== 0;
  /** Runs the program as a user who owns none of the desk's files. */
  const asNobody = (desk: LiveDesk, ...args: readonly string[]): Ran => {
    const program = [process.execPath, main, ...args];
    const user = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    const { status, stdout, stderr } = spawnSync("setpriv", [...user, ...program], {
      cwd: desk.folder,
      encoding: "utf8",
    });
    return { code: status, out: stdout, err: stderr };
  };

  it.runIf(isLong && !cannotDrop)(
    "a read-only file sets the switch file, a read-only folder is reported (needs root and setpriv)",
    async () => {
      await using desk = new LiveDesk();
      await (await desk.start()).stop();
      chmodSync(desk.folder, 0o755);
      chmodSync(dirname(desk.control), 0o777);
      for (const name of readdirSync(dirname(desk.control)))
        chmodSync(join(dirname(desk.control), name), 0o555);
      const file = asNobody(desk, "rollback", ...because);
      expect([file.code, file.err]).toEqual([1, ""]);
      expect(file.out).toContain(`${desk.switchFile} is set`);
      rmSync(desk.switchFile);
      chmodSync(dirname(desk.control), 0o555);
      expectFailure(
        asNobody(desk, "rollback", ...because),
        new RegExp(
          "^UNWRITABLE: neither the control store \\(.*\\) nor the switch file can be written: .*LEGACY_ONLY\\); " +
            "create that file as a user with write permission, or stop the processes$",
          "m",
        ),
      );
    },
  );
});

describe("--store", () => {
  it("is enough in any folder, also beside a broken configuration", async () => {
    await using desk = new LiveDesk();
    const process_ = await desk.start();
    await desk.toDualWrite();
    await desk.run("traffic", "100", ...because);
    await process_.answersBy("modern");
    await withFiles({ "pnl_migration_config.yaml": "migration: 5" }, async (elsewhere) => {
      const run = (...args: readonly string[]) => pnlBridge(args, { cwd: elsewhere });
      expectFailure(
        await run("rollback", ...because),
        /^BAD_CONFIG: .*; or name the control store alone: --store /,
      );
      const there = await run("rollback", "--store", `sqlite:${desk.control}`, ...because);
      expect([there.code, there.err]).toEqual([0, ""]);
      expect(there.out).toMatch(/acknowledged by 1 of 1 after \d+ ms\n$/);
    });
    await process_.answersBy("legacy");
    // A relative path in --store starts in the working folder, whatever the configuration's folder is.
    const typed = await pnlBridge(["status", "--store", "sqlite:control.db"], { cwd: dirname(desk.control) });
    expect([typed.code, typed.err]).toEqual([0, ""]);
    const config = join(desk.folder, "pnl_migration_config.yaml");
    const both = await pnlBridge(["status", "--config", config, "--store", "sqlite:control.db"], {
      cwd: dirname(desk.control),
    });
    expect(both.code).toBe(0);
  });

  it("is refused if it names no existing store, and creates none", () =>
    withFiles({}, async (folder) => {
      const run = (...args: readonly string[]) => pnlBridge(args, { cwd: folder });
      const commands = [
        ["status"],
        ["gates"],
        ["rollback", ...because],
        ["traffic", "0", ...because],
        ["phase", "retreat", ...because],
        ["whitelist", "add", "amy", ...because],
        ["denylist", "add", "amy", ...because],
        ["sign-off", "approved", "--actor", "amy", "--note", "x"],
        ["audit", "verify"],
        ["audit", "export"],
        ["rollback", "--drill", ...because],
      ];
      // The commands run one after the other, because commands that run at once each need a process of their
      // own.
      for (const args of commands)
        expectFailure(
          await run(...args, "--store", "sqlite:typo/control.db"),
          new RegExp(
            "^NO_INPUT: there is no control store \\(.*typo/control\\.db\\); " +
              "the first process of the fleet creates it; check the path in --config or --store$",
            "m",
          ),
        );
      expect(readdirSync(folder)).toEqual([]);
      expectFailure(
        await run("rollback", "--store", "control.db", ...because),
        /^BAD_USAGE: the value of --store is not the address of a store; write sqlite:FILE or postgres:/,
      );
      expectFailure(
        await run("status"),
        /^BAD_USAGE: there is no pnl_migration_config\.yaml here; name one with --config FILE, or /,
      );
      expectFailure(await run("status", "--config", "none.yaml"), /^UNREADABLE: /);
    }));
});

describe("a configuration", () => {
  it("whose store does not exist yet creates it with a change, never with a query", async () => {
    await using desk = new LiveDesk();
    expectFailure(await desk.run("status"), /^NO_INPUT: there is no control store /);
    expect(existsSync(desk.control)).toBe(false);
    expect((await desk.run("config", "publish", ...because)).out).toMatch(
      /^published for the whole fleet as [0-9a-f]{12}, epoch 2\n$/,
    );
    const { code, out } = await desk.run("rollback", ...because);
    expect([code, out]).toEqual([
      0,
      expect.stringMatching(/\nwritten after \d+ ms; no live process needs to acknowledge it\n$/),
    ]);
  });

  it("that names no store is refused", () =>
    withFiles({ "pnl_migration_config.yaml": "migration: { phase: read_only }" }, async (folder) => {
      for (const args of [["status"], ["rollback", ...because]])
        expectFailure(
          await pnlBridge(args, { cwd: folder }),
          /^BAD_CONFIG: no control store is configured; name one: /,
        );
    }));
});

it.each([
  [
    ["traffic", "--reason", "x"],
    /^BAD_USAGE: neither a percentage nor a ramp is given; run traffic 25 --reason TEXT, or traffic --ramp /,
  ],
  [["traffic", "101", "--reason", "x"], /^BAD_USAGE: 101 is not a percentage; write a number from 0 to 100/],
  [["traffic", "ten", "--reason", "x"], /^BAD_USAGE: ten is not a percentage; /],
  [["traffic", "10"], /^BAD_USAGE: required option '--reason <text>' not specified; /],
  [
    ["traffic", "10", "--ramp", "10,20", "--reason", "x"],
    /^BAD_USAGE: both a percentage and a ramp are given; /,
  ],
  [["traffic", "10", "--dwell", "5s", "--reason", "x"], /^BAD_USAGE: --dwell needs --ramp; /],
  [
    ["traffic", "--ramp", "10,20", "--dwell", "5", "--reason", "x"],
    /^BAD_USAGE: --dwell 5 is not a duration; write 90s, 10m or 1h$/m,
  ],
  [["rollback"], /^BAD_USAGE: required option '--reason <text>' not specified; /],
  [
    ["rollback", "--drill", "--gradual", "--reason", "x"],
    /^BAD_USAGE: --gradual and --drill cannot be combined; give only one of them$/m,
  ],
  [
    ["rollback", "--dwell", "5s", "--reason", "x"],
    /^BAD_USAGE: --dwell applies only to a gradual rollback; /,
  ],
  [["rollback", "--wait", "soon", "--reason", "x"], /^BAD_USAGE: --wait soon is not a duration; /],
  [["phase", "set", "--reason", "x"], /^BAD_USAGE: missing required argument 'phase'; /],
  [
    ["phase", "set", "dual_wriet", "--reason", "x"],
    /^BAD_USAGE: .*dual_wriet.*Allowed choices are read_only, shadow_mode, /,
  ],
  [["phase", "advance"], /^BAD_USAGE: required option '--reason <text>' not specified; /],
  [["sign-off", "approved", "--actor", "bob"], /^BAD_USAGE: required option '--note <text>' not specified; /],
  [["whitelist", "add", "--reason", "x"], /^BAD_USAGE: missing required argument 'user'; /],
  [["denylist", "add", "eve"], /^BAD_USAGE: required option '--reason <text>' not specified; /],
  [["phase", "advance", "--epoch", "x", "--reason", "x"], /^BAD_USAGE: x is not a whole number; /],
  [["gates", "--target", "last"], /^BAD_USAGE: .*last.*Allowed choices are /],
] as const)("%j is refused in one clear line and changes nothing", async (args, line) => {
  await withFiles({}, async (folder) => {
    expectFailure(await pnlBridge(args, { cwd: folder }), line);
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe("audit verify on a store that was edited without its triggers", () => {
  /** A store with four sealed rows and no live process; each case damages a copy of it. */
  let sound: LiveDesk;
  beforeAll(async () => {
    sound = new LiveDesk();
    const process_ = await sound.start();
    for (const percentage of ["1", "2", "3"]) await sound.run("traffic", percentage, ...because);
    await until(async () => {
      const { out } = await sound.run("audit", "verify");
      return out.startsWith("4 rows") && !out.includes("not sealed yet");
    }, "all is sealed");
    await process_.stop();
    sound.sql("DROP TRIGGER audit_stays; DROP TRIGGER audit_is_kept; DROP TRIGGER audit_is_not_replaced");
  });
  afterAll(() => sound[Symbol.asyncDispose]());

  const spoilt = async (statement: string): Promise<Ran> => {
    await using desk = new LiveDesk();
    cpSync(dirname(sound.control), dirname(desk.control), { recursive: true });
    desk.sql(statement);
    const [json, text] = await Promise.all([desk.json("audit", "verify"), desk.run("audit", "verify")]);
    expect([json.code, (json.document as { ok: boolean }).ok]).toEqual([1, false]);
    return text;
  };

  /** Each edit, with the line that names it. `audit-chain.test.ts` tests every fault without a process. */
  const edits = [
    [
      "a row edited",
      "UPDATE audit SET actor = 'eve' WHERE seq = 2",
      /^EDITED {2}row 2 \(traffic by eve at .*\) is not what was sealed$/m,
    ],
    ["a row removed", "DELETE FROM audit WHERE seq = 2", /^REMOVED {2}row 2 is gone$/m],
    ["the end cut off", "DELETE FROM audit WHERE seq = 4", /^REMOVED {2}row 4 was sealed and is gone$/m],
    [
      "a row inserted",
      "INSERT INTO audit " +
        "SELECT 5, at, actor, action, reason, epoch, before, after, evidence FROM audit WHERE seq = 3",
      /^INSERTED {2}row 5 has epoch 4, although an earlier row has 5$/m,
    ],
    [
      "the plan changed without a row",
      "DROP TRIGGER config_changed; UPDATE config SET new_system_percentage = 99, epoch = 6, revision = 6",
      /^UNRECORDED {2}no row records the change to epoch 6$/m,
    ],
  ] as const;
  it.each(isLong ? edits : edits.slice(0, 2))("exits 1 and reports %s", async (_, statement, line) => {
    const { code, out, err } = await spoilt(statement);
    expect([code, err]).toEqual([1, ""]);
    expect(out).toMatch(line);
    expect(out).toMatch(/\d rows, the chain is broken; head \d [0-9a-f]{64}/);
  });

  it.runIf(isLong)(
    "finds such edits only where the triggers are gone, since they refuse the statements",
    async () => {
      await using desk = new LiveDesk();
      await (await desk.start()).stop();
      expect(() => desk.sql("UPDATE audit SET actor = 'eve'")).toThrow(/^the audit is never changed/);
      expect(() => desk.sql("DELETE FROM audit")).toThrow(/^the audit is kept/);
    },
  );

  it.runIf(isLong)(
    "reports a tail that was removed from both files, since a process has kept the chain's head",
    async () => {
      await using desk = new LiveDesk();
      const process_ = await desk.start();
      await desk.run("traffic", "1", ...because);
      await until(
        async () => !(await desk.run("audit", "verify")).out.includes("not sealed yet"),
        "all is sealed",
      );
      await process_.stop();
      desk.sql("DROP TRIGGER audit_is_kept; DELETE FROM audit WHERE seq = 2");
      desk.sql("DELETE FROM seals WHERE seq = 2", join(dirname(desk.control), "live.db"));
      const { code, out } = await desk.run("audit", "verify");
      expect([code, out]).toEqual([
        1,
        expect.stringMatching(/^CUT {2}a process has seen row 2, which is missing$/m),
      ]);
    },
  );
});

it("of several operators who change the plan at once, those who are too late get CONFLICT and change nothing", async () => {
  await using desk = new LiveDesk();
  await desk.run("config", "publish", ...because);
  const all = await Promise.all(
    (isLong ? ["10", "20", "30", "40"] : ["10", "20"]).map((percentage) =>
      desk.run("traffic", percentage, ...because),
    ),
  );
  const { epoch } = (await desk.json("status")).document as { epoch: number };
  const done = all.filter(({ code }) => code === 0).length;
  expect(epoch).toBe(2 + done);
  for (const ran of all.filter(({ code }) => code !== 0))
    expectFailure(
      ran,
      /^CONFLICT: the plan is no longer that of epoch \d+: .*; run status, then try again$/m,
    );
  expect(done).toBeGreaterThan(0);
});

it("a phase under two_person needs the approval of two different people", async () => {
  await using desk = new LiveDesk({ approvals: { two_person: ["dual_write"] } });
  await desk.start();
  const sign = (actor: string) =>
    desk.run("sign-off", "approved", "--actor", actor, "--note", "looked at it");
  const gate = async () => squeezed((await desk.run("gates")).out).at(-1);
  expect(await gate()).toBe(
    "CLOSED approved dual_write needs the approval of two people, nobody has approved: sign-off approved --actor NAME --note TEXT",
  );
  await sign("amy");
  await sign("amy");
  expect(await gate()).toBe(
    "CLOSED approved dual_write needs the approval of two people, only amy has approved: sign-off approved --actor NAME --note TEXT",
  );
  await sign("bob");
  expect(await gate()).toBe("open approved approved by amy, bob");
});

describe("an alert", () => {
  it("is sent by a rollback, not by a drill; a rollback reports a failed delivery", async () => {
    const posted: string[] = [];
    const server = createServer((request, response) => {
      request.on("data", (chunk) => posted.push(String(chunk))).on("end", () => response.end());
    }).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as AddressInfo;
    const monitoring = { alert_url: `http://127.0.0.1:${port}/` };
    await using desk = new LiveDesk({ monitoring });
    mkdirSync(dirname(desk.control));
    await desk.run("config", "publish", ...because);
    expect((await desk.run("rollback", "--drill", ...because)).code).toBe(0);
    expect(posted).toEqual([]);
    expect((await desk.run("rollback", ...because)).code).toBe(0);
    expect(posted.map((text) => JSON.parse(text))).toMatchObject([
      { kind: "rollback", title: "rolled back by amy: a test" },
    ]);
    server.close();
    server.closeAllConnections();
    const { code, out } = await desk.run("rollback", ...because);
    expect([code, out]).toEqual([0, expect.stringMatching(/\nthe alert has not been delivered\n$/)]);
  });
});
