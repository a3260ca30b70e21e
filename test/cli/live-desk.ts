/**
 * A desk as an operator sees it: a folder with a configuration and a control store, and processes that serve
 * calls.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import Database from "better-sqlite3";
import { StoreProcess } from "../../src/testing/store-process.ts";
import { until } from "../../src/testing/until.ts";
import { bundled } from "../bundled.ts";
import { pnlBridge, type Ran } from "./run-cli.ts";

const flags = { use_new_calculator: true, use_new_storage: true, use_new_reports: true };
const module = (name: string): string =>
  `export default { totals: async () => ({ totals: {}, by: "${name}" }) };\n`;

export class LiveDesk implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "pnl-bridge-desk-"));
  readonly control = join(this.folder, "state/control.db");
  readonly switchFile = join(this.folder, "state/LEGACY_ONLY");
  readonly #processes: StoreProcess[] = [];

  /** `migration` and the sections in `more` override those of a desk in shadow_mode. */
  constructor(migration: object = {}, more: object = {}) {
    for (const name of ["legacy", "modern"]) writeFileSync(join(this.folder, `${name}.mjs`), module(name));
    this.write(migration, more);
  }

  write(migration: object = {}, more: object = {}): void {
    const config = {
      migration: { phase: "shadow_mode", feature_flags: flags, ...migration },
      systems: {
        legacy: { kind: "module", path: "./legacy.mjs" },
        modern: { kind: "module", path: "./modern.mjs" },
      },
      gates: { profile: "trial" },
      stores: { control: "sqlite:./state/control.db" },
      control: { heartbeat_ms: 200, stale_ms: 3_000, lease_ms: 10_000, poll_ms: 200 },
      ...more,
    };
    writeFileSync(join(this.folder, "pnl_migration_config.yaml"), JSON.stringify(config, null, 2));
  }

  /**
   * Starts a process of the fleet that calls its bridge in a loop and reports each change of the side that
   * answers.
   */
  async start(): Promise<DeskProcess> {
    const program = pathToFileURL(bundled("src/app/bridge/pnl-bridge")).href;
    const process = new StoreProcess(`
      import { createPnlBridge } from ${JSON.stringify(program)};
      const config = ${JSON.stringify(join(this.folder, "pnl_migration_config.yaml"))};
      const bridge = await createPnlBridge({ config, log: () => {}, load: { overload: () => undefined } });
      let ends = false;
      process.stdin.on("end", () => { ends = true; }).resume();
      for (let last = ""; !ends; await new Promise((resolve) => setTimeout(resolve, 25))) {
        const { source } = await bridge.service.call("totals", {}, { user: "amy", book: "UST" });
        if (source !== last) say(source);
        last = source;
      }
      await bridge.close();`);
    this.#processes.push(process);
    await process.says(1);
    return {
      answersBy: (side) => until(() => process.lines.at(-1) === side, `${side} answers`),
      stop: async () => {
        process.finish();
        await process.ended();
      },
      kill: async () => void (await process.kill()),
    };
  }

  /** Runs the program in the desk's folder. */
  readonly run = (...args: readonly string[]): Promise<Ran> => pnlBridge(args, { cwd: this.folder });

  async json(
    ...args: readonly string[]
  ): Promise<{ readonly code: number | null; readonly document: never }> {
    const { code, out, err } = await this.run(...args, "--json");
    if (out === "") throw new Error(`printed nothing: ${err}`);
    return { code, document: JSON.parse(out) as never };
  }

  /** Runs a statement in a connection of its own, as an operator's shell does. */
  sql(statement: string, file = this.control): void {
    const database = new Database(file, { timeout: 1_000 });
    try {
      database.exec(statement);
    } finally {
      database.close();
    }
  }

  /** Advances the phase to dual_write as soon as its gates are open. */
  async toDualWrite(): Promise<void> {
    await until(
      async () => (await this.run("phase", "advance", "--reason", "a test")).code === 0,
      "the gates are open",
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#processes.map((process) => process.kill()));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export interface DeskProcess {
  answersBy(side: "legacy" | "modern"): Promise<void>;
  stop(): Promise<void>;
  kill(): Promise<void>;
}
