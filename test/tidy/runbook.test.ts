/**
 * Runs every command of RUNBOOK.md, in the page's order, on a desk with live processes. Comments before a
 * block may name an event that has happened (`scene`), the exit code of the block's first command (`exit`),
 * and a requirement of the machine (`needs`).
 */
import { spawn } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type OpenDatabaseBridge, openDatabaseBridge } from "../../src/app/database/bridge.ts";
import { auditFaults } from "../../src/control/index.ts";
import { openDatabase } from "../../src/legacy-desk/database.ts";
import type { BridgeRecord } from "../../src/ports/records.ts";
import { postgresMissing, startPostgres, type TestPostgres } from "../../src/testing/postgres.ts";
import { until } from "../../src/testing/until.ts";
import { type DeskProcess, LiveDesk } from "../cli/live-desk.ts";
import { main, pnlBridge, type Ran, root } from "../cli/run-cli.ts";

const page = readFileSync(join(root, "RUNBOOK.md"), "utf8");

interface Step {
  readonly command: string;
  readonly output: readonly string[];
  /** The expected exit code: that of the block for its first command, 0 for the others. */
  readonly exit: number;
  readonly scene: string | undefined;
  readonly needs: string | undefined;
}

const steps: readonly Step[] = [
  ...page.matchAll(/((?:^<!-- (?:scene|exit|needs): .*-->\n)*)^```console\n([\s\S]*?)^```$/gm),
].flatMap(([, comments = "", text = ""]) => {
  const comment = (name: string): string | undefined =>
    new RegExp(`<!-- ${name}: (.*) -->`).exec(comments)?.[1];
  return text
    .split(/^\$ /m)
    .slice(1)
    .map((typed, at) => {
      const [command = "", ...output] = typed.trimEnd().split("\n");
      return {
        command,
        output,
        exit: at === 0 ? Number(comment("exit") ?? 0) : 0,
        scene: at === 0 ? comment("scene") : undefined,
        needs: comment("needs"),
      };
    });
});

/** Replaces the parts that differ from run to run: epochs, times, sizes, hashes, and the desk's folder. */
const steady = (line: string, folder: string): string =>
  line
    .replaceAll(folder, "/desk")
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "TIME")
    .replaceAll(/\b[0-9a-f]{64}\b|\b(?=[0-9a-f]*\d)[0-9a-f]{12}\b/g, "HASH")
    .replaceAll(/\b(epoch|head|sealed up to) \d+/g, "$1 N")
    .replaceAll(/"seq":\d+/g, '"seq":N')
    .replaceAll(/\d+ rows/g, "N rows")
    .replaceAll(/\d+ ms\b/g, "N ms")
    .replaceAll(/\d+\.\d s ago/g, "N s ago")
    .replaceAll(/\d+ MB/g, "N MB")
    .replaceAll(/\bby (root|\w+)$/g, (whole, who) => (who === "sql" ? whole : "by USER"))
    .replaceAll(/"actor":"\w+"/g, '"actor":"USER"')
    .replaceAll(/all \d+ are/g, "all N are");

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** Expects the output on the page. `…` stands for any text within a line, and a line of `…` for any lines. */
function expectOutput(printed: readonly string[], page: readonly string[], folder: string): void {
  const pattern = page
    .map((line) =>
      line === "…" ? "(?:.*\n)*?" : `${steady(line, "/desk").split("…").map(escaped).join(".*")}\n`,
    )
    .join("");
  expect(printed.map((line) => `${steady(line, folder)}\n`).join("")).toMatch(new RegExp(`^${pattern}$`));
}

describe("RUNBOOK.md", () => {
  const control = { heartbeat_ms: 200, stale_ms: 6_000, lease_ms: 12_000, poll_ms: 200 };
  const stores = { control: "sqlite:./.pnl-bridge/control.db" };
  const configured = (instance: string): object => ({
    gates: { profile: "trial" },
    stores,
    control: { instance, ...control },
  });
  const desk = new LiveDesk({}, configured("gateway-1"));
  const store = join(desk.folder, ".pnl-bridge/control.db");
  const [legacy, modern] = [join(desk.folder, "pnl_tracker.db"), join(desk.folder, "newpnl.db")];
  const position = (quantity: string): BridgeRecord => ({
    ...{ kind: "position", symbol: "XCMEFFDPSX20250919U0ZN", quantity, averagePrice: "110.5", realized: "0" },
    ...{ unrealized: "0", asOf: "2025-07-25T09:00:00-05:00" },
  });
  const writing = async (
    work: (bridge: OpenDatabaseBridge) => Promise<void>,
    phase: "dual_write" | "primary_switch" = "dual_write",
  ): Promise<void> => {
    const addresses = { legacy: `sqlite:${legacy}`, modern: `sqlite:${modern}` };
    const bridge = await openDatabaseBridge({ ...addresses, phase });
    await work(bridge).finally(() => bridge.close());
  };
  const bin = mkdtempSync(join(tmpdir(), "pnl-bridge-bin-"));
  const processes: DeskProcess[] = [];
  let postgres: TestPostgres | undefined;

  /** The events that happen before a block, by name. */
  const scenes: Readonly<Record<string, () => Promise<void>>> = {
    "gateway-2 was killed": async () => {
      desk.write({}, configured("gateway-2"));
      const gateway = await desk.start();
      // A process serves as soon as it can, also before it has registered.
      await until(
        async () => (await desk.run("status")).out.includes("gateway-2"),
        "gateway-2 is registered",
      );
      await gateway.kill();
      desk.write({}, configured("gateway-1"));
    },
    "the control file was overwritten": async () => {
      for (const ending of ["-wal", "-shm"]) rmSync(`${store}${ending}`, { force: true });
      writeFileSync(
        store,
        "whoever wrote this here did not mean to, and it is longer than a header ".repeat(20),
      );
    },
    "somebody has changed a row in modern's database": async () => {
      openDatabase(join(desk.folder, "pnl_tracker.db"), { journal: "wal", busyTimeoutMs: 5_000 }).close();
      desk.write(
        {},
        {
          ...configured("gateway-1"),
          stores: { ...stores, legacy: `sqlite:${legacy}`, modern: `sqlite:${modern}` },
        },
      );
      await writing(async (bridge) => {
        await bridge.write([position("2")], { idempotencyKey: "1" });
        await bridge.drain({ timeoutMs: 60_000 });
        new Database(modern).exec("UPDATE newpnl_positions SET quantity = '9'").close();
        await bridge.write([position("3")], { idempotencyKey: "2" });
        await until(async () => (await bridge.status()).parked.length > 0, "the write is parked");
      });
    },
    "modern's database was restored from an older copy": async () => {
      copyFileSync(modern, `${modern}.copy`);
      await writing(async (bridge) => {
        await bridge.write([position("4")], { idempotencyKey: "3" });
        await bridge.drain({ timeoutMs: 60_000 });
      });
      rmSync(`${modern}-wal`, { force: true });
      copyFileSync(`${modern}.copy`, modern);
    },
    "legacy's database was restored from a copy that had fewer writes": async () => {
      new Database(legacy).exec(`VACUUM INTO '${legacy}.copy'`).close();
      await writing(async (bridge) => {
        await bridge.write([position("6")], { idempotencyKey: "5" });
        await bridge.drain({ timeoutMs: 60_000 });
      });
      rmSync(`${legacy}-wal`, { force: true });
      copyFileSync(`${legacy}.copy`, legacy);
    },
    "modern's database was lost while it was authoritative": async () => {
      for (const file of [legacy, modern])
        new Database(file).exec("UPDATE pnlb_fence SET authority = 'modern', epoch = 2").close();
      await writing(async (bridge) => {
        // Another program keeps legacy locked, so the write does not reach it.
        const desk = new Database(legacy).exec("BEGIN IMMEDIATE");
        const answer = await bridge.write([position("5")], { idempotencyKey: "4" });
        expect(answer.kind).toBe("acknowledged");
        renameSync(modern, `${modern}.lost`);
        desk.close();
      }, "primary_switch");
    },
    "modern's database is back": async () => renameSync(`${modern}.lost`, modern),
    "all processes were started again": async () => {
      await Promise.all(processes.splice(0).map((process) => process.stop()));
      processes.push(await desk.start());
      await until(
        async () => (await desk.run("status")).out.includes("live  gateway-1"),
        "it is in the fleet",
      );
    },
  };

  /** Types a command into a shell; one that needs no shell runs in a warm process. */
  const type = (command: string): Promise<Ran> => {
    const [, words] = /^pnl-bridge ([^|<>;&$`\\]*)$/.exec(command) ?? [];
    if (words === undefined) return inShell(command);
    const args = [...words.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? "");
    return pnlBridge(args, { cwd: desk.folder, env: { CONTROL_STORE: postgres?.url ?? "" } });
  };
  const inShell = (command: string): Promise<Ran> =>
    new Promise((resolve) => {
      const env = {
        ...process.env,
        NO_COLOR: "1",
        PATH: `${bin}:${process.env.PATH}`,
        CONTROL_STORE: postgres?.url ?? "",
      };
      const child = spawn("sh", ["-c", command], {
        cwd: desk.folder,
        env,
        stdio: ["ignore", "pipe", "pipe"],
      });
      let [out, err] = ["", ""];
      child.stdout.on("data", (chunk) => {
        out += chunk;
      });
      child.stderr.on("data", (chunk) => {
        err += chunk;
      });
      child.on("close", (code) => resolve({ code, out, err }));
    });

  beforeAll(async () => {
    writeFileSync(join(bin, "pnl-bridge"), `#!/bin/sh\nexec "${process.execPath}" "${main}" "$@"\n`);
    // Replaces sqlite3 on a machine without it, as far as the page uses it.
    const sqlite = `
      import Database from ${JSON.stringify(join(root, "node_modules/better-sqlite3/lib/index.js"))};
      const database = new Database(process.argv[2]);
      database.exec(process.argv[3]);`;
    writeFileSync(join(bin, "sqlite3.mjs"), sqlite);
    if ((await type("command -v sqlite3")).code !== 0)
      writeFileSync(
        join(bin, "sqlite3"),
        `#!/bin/sh\nexec "${process.execPath}" "${join(bin, "sqlite3.mjs")}" "$@"\n`,
      );
    await type(`chmod +x "${bin}"/*`);
    chmodSync(join(bin, "pnl-bridge"), 0o755);
    mkdirSync(join(desk.folder, ".pnl-bridge"));
    processes.push(await desk.start());
    await until(async () => (await desk.run("gates")).code === 0, "the gates are open");
    if (postgresMissing() === undefined && (await type("command -v psql")).code === 0) {
      postgres = await startPostgres();
      postgres = { ...postgres, url: `${postgres.url}?options=-c%20search_path%3Dctl` };
      await desk.run("status", "--store", postgres.url);
    }
  });
  afterAll(async () => {
    await postgres?.stop();
    await desk[Symbol.asyncDispose]();
    rmSync(bin, { recursive: true, force: true });
  });

  it("has its commands in blocks that this test runs", () => {
    expect(steps.length).toBeGreaterThan(40);
    expect([...page.matchAll(/^\$ /gm)]).toHaveLength(steps.length);
  });

  it("shows the catalogue of faults", () => {
    const rows = Object.entries(auditFaults).map(([fault, meaning]) => `| \`${fault}\` | ${meaning} |`);
    expect(page).toContain(
      `<!-- faults -->\n| fault | meaning |\n| --- | --- |\n${rows.join("\n")}\n<!-- /faults -->`,
    );
  });

  const needsWords = (needs = ""): string => (needs === "" ? "" : ` (needs ${needs} and psql)`);
  for (const [at, { command, output, exit, scene, needs }] of steps.entries())
    it(`shows what its command ${at + 1} prints: ${command}${needsWords(needs)}`, async (context) => {
      if (needs === "postgres" && postgres === undefined)
        return context.skip(postgresMissing() ?? "this machine has no psql");
      // Makes the copy that the last chapter restores.
      if (scene === "the control file was overwritten") {
        const sqlite = join(root, "node_modules/better-sqlite3");
        const backup = `${process.execPath} -e 'require("${sqlite}")("${store}").backup("copy.db")'`;
        expect((await type(backup)).code).toBe(0);
      }
      if (scene !== undefined) await (scenes[scene] as () => Promise<void>)();
      // A process keeps a comparison within a second, before a reader of the page types the next command.
      if (command.startsWith("pnl-bridge comparisons"))
        await until(
          async () => (await type(command)).out !== "no comparison matches\n",
          "a comparison is kept",
        );
      if (/audit verify|^pnl-bridge status|phase (set|advance)|gates$/.test(command)) await settled();
      const { code, out, err } = await type(command);
      expect(code, `${out}${err}`).toBe(exit);
      expectOutput(`${err}${out}`.split("\n").slice(0, -1), output, desk.folder);
    });

  /** Waits until the audit is sealed and the fleet follows the plan, if the store can be read. */
  async function settled(): Promise<void> {
    await until(async () => {
      const [audit, status] = await Promise.all([desk.run("audit", "verify"), desk.run("status")]);
      return audit.code === 2 || (!audit.out.includes("not sealed yet") && !/ behind /.test(status.out));
    }, "settled");
  }
});
