import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { statSync } from "node:fs";
import { readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { connectionTo } from "../../src/testing/sqlite-files.ts";
import { until } from "../../src/testing/until.ts";
import { isLongRun } from "../campaigns.ts";
import { main, withFiles } from "./run-cli.ts";

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

interface Served {
  readonly child: ChildProcess;
  readonly ended: Promise<{ readonly code: number | null; readonly out: string; readonly err: string }>;
  /** The URL that the server prints first; rejects if it ends before. */
  readonly url: Promise<string>;
}

function serve(folder: string, args: readonly string[] = [], { readsLog = true } = {}): Served {
  const child = spawn(process.execPath, [main, "serve", ...args], {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.push(child);
  let [out, err] = ["", ""];
  const url = Promise.withResolvers<string>();
  url.promise.catch(() => {});
  child.stdout?.on("data", (chunk) => {
    out += chunk;
    const [, printed] = /^pnl-bridge serves at (http:\S+)\n/.exec(out) ?? [];
    if (printed !== undefined) url.resolve(printed);
  });
  if (readsLog)
    child.stderr?.on("data", (chunk) => {
      err += chunk;
    });
  const ended = once(child, readsLog ? "close" : "exit").then(([code]) => {
    url.reject(new Error(err));
    return { code: code as number | null, out, err };
  });
  return { child, ended, url: url.promise };
}

const lines = (err: string): readonly Record<string, unknown>[] =>
  err
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
const slowSystem = `export default {
  calculatePnl: async () => {
    await new Promise((done) => setTimeout(done, 600));
    return { positions: [], totals: {}, rejected: [] };
  },
  totals: async () => ({ totals: {} }),
};`;
/** Each call adds a byte to the file `begun` beside this module, and waits until a file `go` is there. */
const waitingSystem = `import { appendFileSync, existsSync } from "node:fs";
export default {
  calculatePnl: async () => {
    appendFileSync(new URL("begun", import.meta.url), "1");
    const go = new URL("go", import.meta.url);
    while (!existsSync(go)) await new Promise((done) => setTimeout(done, 20));
    return { positions: [], totals: {}, rejected: [] };
  },
};`;
const config = (more = {}): string =>
  JSON.stringify({
    migration: { phase: "shadow_mode" },
    systems: {
      legacy: { kind: "module", path: "./slow.mjs" },
      modern: { kind: "module", path: "./slow.mjs" },
    },
    gateway: { listen: "127.0.0.1:0" },
    ...more,
  });
const hungSystem = slowSystem.replace("600", "60000");
const post = (
  url: string,
  headers: Readonly<Record<string, string>> = {},
  method = "calculatePnl",
): Promise<Response> =>
  fetch(`${url}/api/v1/pnl/${method}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: '{"trades":[]}',
  });

/** Tests of the long run; each starts a process of its own. */
const inLong = it.runIf(isLongRun("commands"));

describe("pnl-bridge serve", () => {
  it("prints its URL, logs JSON lines to stderr, and answers the calls under way before it ends", () => {
    const systems = {
      legacy: { kind: "module", path: "./waiting.mjs" },
      modern: { kind: "module", path: "./slow.mjs" },
    };
    const files = {
      "pnl_migration_config.yaml": config({ systems }),
      "waiting.mjs": waitingSystem,
      "slow.mjs": slowSystem,
    };
    return withFiles(files, async (folder) => {
      const { child, ended, url } = serve(folder);
      const calls = Array.from({ length: 20 }, async () => post(await url));
      const begun = (): number => statSync(join(folder, "begun"), { throwIfNoEntry: false })?.size ?? 0;
      await until(() => begun() >= 20, "all calls have begun");
      child.kill("SIGTERM");
      await writeFile(join(folder, "go"), "");
      expect((await Promise.all(calls)).map(({ status }) => status)).toEqual(calls.map(() => 200));
      const { code, out, err } = await ended;
      expect([code, out]).toEqual([0, `pnl-bridge serves at ${await url}\n`]);
      const logged = lines(err);
      expect(logged.map(({ msg }) => msg).filter((msg) => msg !== "call")).toEqual([
        "serving",
        "closing",
        "closed",
      ]);
      expect(logged.filter(({ msg }) => msg === "call")).toHaveLength(20);
      expect(logged.find(({ msg }) => msg === "call")).toMatchObject({
        method: "calculatePnl",
        source: "legacy",
        epoch: 1,
        stale: false,
      });
      const durations = logged.filter(({ msg }) => msg === "call").map(({ ms }) => Number(ms));
      expect(durations).toEqual(durations.map((ms) => Number(ms.toFixed(3))));
    });
  });

  inLong("logs that its file is no longer a valid configuration, also without a control store", () =>
    withFiles({ "pnl_migration_config.yaml": config(), "slow.mjs": slowSystem }, async (folder) => {
      const { child, ended, url } = serve(folder);
      await url;
      const logged = new Promise<void>((resolve) => {
        child.stderr?.on("data", (chunk) => /config_refused/.test(String(chunk)) && resolve());
      });
      await writeFile(join(folder, "pnl_migration_config.yaml"), "migration: { phsae: x }");
      await logged;
      child.kill("SIGTERM");
      const { code, err } = await ended;
      expect(code).toBe(0);
      expect(lines(err)).toContainEqual(
        expect.objectContaining({
          level: 40,
          kind: "config_refused",
          msg: expect.stringContaining('"migration.phsae"'),
        }),
      );
    }),
  );

  inLong("ends at once at a second signal", () =>
    withFiles({ "desk.yaml": config(), "slow.mjs": slowSystem.replace("600", "600000") }, async (folder) => {
      const { child, ended, url } = serve(folder, ["--config", "desk.yaml"]);
      const call = post(await url).catch(() => "cut off");
      await sleep(200);
      child.kill("SIGINT");
      await sleep(500);
      child.kill("SIGINT");
      expect((await ended).code).toBe(2);
      expect(await call).toBe("cut off");
    }),
  );

  describe("whose log is not read", () => {
    /** Makes calls whose log lines are longer than a pipe can hold. */
    const fillsLog = (url: string): Promise<unknown> =>
      Promise.all(
        Array.from({ length: 40 }, () => post(url, { "x-pnl-user": "u".repeat(12_000) }, "totals")),
      );

    it("answers calls, and ends at a signal", () =>
      withFiles({ "desk.yaml": config(), "slow.mjs": slowSystem }, async (folder) => {
        const { child, ended, url } = serve(folder, ["--config", "desk.yaml"], { readsLog: false });
        await fillsLog(await url);
        child.kill("SIGTERM");
        expect((await ended).code).toBe(0);
      }));

    inLong("ends at once at a second signal, although a call is under way", () =>
      withFiles({ "desk.yaml": config(), "slow.mjs": hungSystem }, async (folder) => {
        const { child, ended, url } = serve(folder, ["--config", "desk.yaml"], { readsLog: false });
        void post(await url).catch(() => {});
        await fillsLog(await url);
        child.kill("SIGTERM");
        await sleep(500);
        child.kill("SIGTERM");
        expect((await ended).code).toBe(2);
      }),
    );
  });

  inLong("escapes control characters of a caller in its log", () =>
    withFiles({ "desk.yaml": config(), "slow.mjs": slowSystem }, async (folder) => {
      const { child, ended, url } = serve(folder, ["--config", "desk.yaml"]);
      await post(await url, { "x-pnl-user": Buffer.from("\u009b2J").toString("latin1") });
      child.kill("SIGTERM");
      const { err } = await ended;
      expect(err).toContain('"user":"\\u009b2J"');
      expect(err).not.toMatch(/[\x7f-\x9f]/);
    }),
  );

  it("follows and changes the fleet's plan if a control store is configured", () =>
    withFiles(
      {
        "desk.yaml": config({ stores: { control: "sqlite:./.pnl-bridge/control.db" } }),
        "slow.mjs": slowSystem,
      },
      async (folder) => {
        const { child, ended, url } = serve(folder, ["--config", "desk.yaml"]);
        const api = `${await url}/api/v1`;
        const rolledBack = await fetch(`${api}/migration/rollback`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: '{"reason":"it burns"}',
        });
        expect(await rolledBack.json()).toMatchObject({
          possible: true,
          waiting: [],
          acknowledged: [expect.any(String)],
        });
        expect(await (await fetch(`${api}/migration`)).json()).toMatchObject({
          outOfUse: expect.any(String),
          phase: "shadow_mode",
        });
        expect(await (await post(await url)).json()).toMatchObject({ source: "legacy", epoch: 3 });
        const { rows } = (await (await fetch(`${api}/audit`)).json()) as {
          rows: readonly Record<string, unknown>[];
        };
        expect(rows.at(-1)).toMatchObject({ action: "rollback", reason: "it burns" });
        const store = connectionTo(join(folder, ".pnl-bridge/control.db"));
        store.exec("UPDATE config SET latched = 'error_rate: 3 of 4'");
        store.close();
        const isReported = async () => (await (await fetch(`${api}/migration`)).text()).includes("3 of 4");
        await until(isReported, "the process follows the statement");
        child.kill("SIGTERM");
        const { code, err } = await ended;
        expect(code).toBe(0);
        expect(lines(err).some(({ kind, epoch }) => kind === "plan" && epoch === 3)).toBe(true);
        expect(lines(err).filter(({ kind }) => kind === "latched")).toMatchObject([
          { level: 50, msg: "modern was taken out of use: error_rate: 3 of 4" },
        ]);
      },
    ));

  it("rolls back by the switch file while its control store is locked, and after it was moved away", () =>
    withFiles(
      {
        "desk.yaml": config({ stores: { control: "sqlite:./.pnl-bridge/control.db" } }),
        "slow.mjs": slowSystem,
      },
      async (folder) => {
        const { url } = serve(folder, ["--config", "desk.yaml"]);
        const api = `${await url}/api/v1`;
        const state = join(folder, ".pnl-bridge");
        const rollsBack = async (why: RegExp) => {
          const answered = await fetch(`${api}/migration/rollback`, {
            method: "POST",
            headers: { "content-type": "application/json" },
            body: '{"reason":"it burns"}',
          });
          expect([answered.status, await answered.json()]).toEqual([
            200,
            { via: "switch_file", path: join(state, "LEGACY_ONLY"), why: expect.stringMatching(why) },
          ]);
          await rm(join(state, "LEGACY_ONLY"));
        };
        const lock = connectionTo(join(state, "control.db"));
        lock.exec("BEGIN IMMEDIATE");
        await rollsBack(/^DATABASE_BUSY: /);
        lock.close();
        await rename(join(state, "control.db"), join(state, "away.db"));
        await rollsBack(/^SYSTEM_DOWN: the control file is gone /);
      },
    ));

  const refusals = [
    [
      "no configuration",
      {},
      [],
      "BAD_USAGE: there is no pnl_migration_config.yaml here; name a configuration file with --config FILE",
    ],
    [
      "a token that is not in the environment",
      {
        "desk.yaml": config({ gateway: { listen: "127.0.0.1:0", tokens: { admin: "PNL_TEST_NO_SUCH" } } }),
        "slow.mjs": slowSystem,
      },
      ["--config", "desk.yaml"],
      "BAD_CONFIG: the token of admin in PNL_TEST_NO_SUCH is missing or shorter than 16 characters",
    ],
  ] as const;
  it.each(isLongRun("commands") ? refusals : refusals.slice(0, 1))(
    "%s is reported in one line, with exit code 2",
    (_, files, args, line) =>
      withFiles(files, async (folder) => {
        const { code, out, err } = await serve(folder, args).ended;
        expect([code, out]).toEqual([2, ""]);
        expect(err.trim().split("\n")).toEqual([expect.stringContaining(line)]);
      }),
  );

  inLong("a port that is in use is reported in one line, with exit code 2", () =>
    withFiles({ "desk.yaml": config(), "slow.mjs": slowSystem }, async (folder) => {
      const first = serve(folder, ["--config", "desk.yaml"]);
      const { host } = new URL(await first.url);
      return withFiles(
        { "desk.yaml": config({ gateway: { listen: host } }), "slow.mjs": slowSystem },
        async (other) => {
          const { code, err } = await serve(other, ["--config", "desk.yaml"]).ended;
          expect([code, err]).toEqual([
            2,
            `BAD_USAGE: another program listens there (${host}); end it, or name another port under gateway.listen\n`,
          ]);
        },
      );
    }),
  );
});

describe("pnl-bridge demo", () => {
  inLong(
    "serves a living desk with two tokens until it is interrupted, and deletes its files",
    () =>
      withFiles({}, async (folder) => {
        const child = spawn(process.execPath, [main, "demo"], {
          env: { ...process.env, TMPDIR: folder },
          stdio: ["ignore", "pipe", "ignore"],
        });
        children.push(child);
        let out = "";
        child.stdout.on("data", (chunk) => {
          out += chunk;
        });
        await until(() => out.includes("ctrl-C ends it"));
        const [url = ""] = /http:\S+/.exec(out) ?? [];
        const [, viewer = ""] = /a viewer, +signs in with (\S+)/.exec(out) ?? [];
        const diverged = async (): Promise<boolean> => {
          const asked = await fetch(`${url}/api/v1/comparisons?verdict=diverged`, {
            headers: { authorization: `Bearer ${viewer}` },
          });
          return ((await asked.json()) as { comparisons: object[] }).comparisons.length > 0;
        };
        // A busy machine sheds comparisons, and the first divergence may take minutes.
        for (let tries = 0; tries < 3; tries++)
          if (
            await until(diverged).then(
              () => true,
              () => false,
            )
          )
            break;
        expect(await diverged()).toBe(true);
        child.kill("SIGINT");
        const [code] = await once(child, "close");
        expect([code, await readdir(folder)]).toEqual([0, []]);
      }),
    600_000,
  );
});
