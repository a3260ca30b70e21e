import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { pnlBridge, withFiles } from "./run-cli.ts";

const desk = `migration:
  phase: dual_write
  feature_flags: { use_new_storage: true }
  monitoring: { alert_url: "https://hooks.example/T0/hunter2" }
stores: { control: "postgres://desk:hunter2@db.example/pnl" }
gates: { days: 3 }
`;

const validate = (text: string, ...args: readonly string[]) =>
  withFiles({ "desk.yaml": text }, async (folder) => {
    const file = join(folder, "desk.yaml");
    return { file, ...(await pnlBridge(["config", "validate", "--config", file, ...args])) };
  });

describe("config validate", () => {
  it("reports that a file is valid", async () => {
    const { file, code, out, err } = await validate(desk);
    expect([code, out, err]).toEqual([0, `valid: ${file}\n`, ""]);
    const json = await validate(desk, "--json");
    expect([json.code, JSON.parse(json.out), json.err]).toEqual([
      0,
      { ok: true, file: json.file, unused: [] },
      "",
    ]);
  });

  it("exits 1 and prints the first fault, in one line on stderr or as JSON on stdout", async () => {
    const text = "migration:\n  phsae: read_only\n  zzz: 1\n";
    const { file, code, out, err } = await validate(text);
    const line = `BAD_CONFIG: unknown key "migration.phsae" (${file}:2:3); did you mean "phase"?\n`;
    expect([code, out, err]).toEqual([1, "", line]);
    const json = await validate(text, "--json");
    expect(json.code).toBe(1);
    expect(JSON.parse(json.out)).toEqual({
      ok: false,
      file: json.file,
      error: {
        code: "BAD_CONFIG",
        what: 'unknown key "migration.phsae"',
        where: `${json.file}:2:3`,
        fix: 'did you mean "phase"?',
      },
    });
    expect(json.err).toBe("");
  });

  it("exits 2 if the named file or the usual file is missing", async () => {
    const missing = await pnlBridge(["config", "validate", "--config", "no-such.yaml"]);
    expect([missing.code, missing.out]).toEqual([2, ""]);
    expect(missing.err).toMatch(/^UNREADABLE: there is no such configuration file \(no-such\.yaml\)\n$/);
    const none = await pnlBridge(["config", "validate"]);
    expect([none.code, none.out]).toEqual([2, ""]);
    expect(none.err).toBe("UNREADABLE: there is no such configuration file (pnl_migration_config.yaml)\n");
  });
});

describe("config show", () => {
  it("lists every value with its source, and no secret", () =>
    withFiles({ "desk.yaml": desk }, async (folder) => {
      const file = join(folder, "desk.yaml");
      const { code, out, err } = await pnlBridge(["config", "show", "--config", file]);
      expect([code, err]).toEqual([0, ""]);
      expect(out).not.toContain("hunter2");
      const rows = out
        .trimEnd()
        .split("\n")
        .map((line) => line.split(/ {2,}/));
      expect(rows).toContainEqual(["migration.phase", "dual_write", `${file}:2:10`]);
      expect(rows).toContainEqual(["migration.feature_flags.use_new_reports", "false", "default"]);
      expect(rows).toContainEqual([
        "migration.monitoring.alert_url",
        "https://hooks.example/…",
        `${file}:4:28`,
      ]);
      expect(rows).toContainEqual(["stores.control", "postgres://…@db.example/pnl", `${file}:5:20`]);
      expect(rows).toContainEqual(["control.instance", "(none)", "default"]);
      expect(rows.at(-1)?.[0]).toMatch("the control store cannot be read: ");
      const json = await pnlBridge(["config", "show", "--config", file, "--json"]);
      const document = JSON.parse(json.out);
      expect(json.out).not.toContain("hunter2");
      expect(document).toMatchObject({
        file,
        unused: [],
        store: expect.stringMatching("db.example"),
      });
      expect(document.values).toContainEqual({
        key: "migration.phase",
        value: "dual_write",
        from: `${file}:2:10`,
      });
      expect(document.values).toHaveLength(rows.length - 1);
    }));

  it("shows the built-in configuration if no file is named", async () => {
    const { code, out } = await pnlBridge(["config", "show", "--json"]);
    const { file, values, unused } = JSON.parse(out);
    expect([code, file, unused]).toEqual([0, null, []]);
    expect(values).toContainEqual({ key: "migration.phase", value: "shadow_mode", from: "default" });
  });

  it("refuses a file that is not a configuration, as every command does", () =>
    withFiles({ "desk.yaml": "migration: 5" }, async (folder) => {
      const { code, out, err } = await pnlBridge(["config", "show", "--config", join(folder, "desk.yaml")]);
      expect([code, out]).toEqual([2, ""]);
      expect(err).toMatch(/^BAD_CONFIG: migration must be a section .*desk\.yaml:1:12\)\n$/);
    }));
});

describe("config set", () => {
  const file =
    "migration: # of the desk\n  phase: shadow_mode   # since monday\n" +
    "  traffic_routing: { user_whitelist: [amy] }\n";

  it("changes one value and no other character", () =>
    withFiles({ "desk.yaml": file }, async (folder) => {
      const path = join(folder, "desk.yaml");
      const set = (...change: readonly string[]) => pnlBridge(["config", "set", ...change, "--config", path]);
      expect(await set("migration.phase", "read_only")).toMatchObject({
        code: 0,
        out: `migration.phase is read_only in ${path}\n`,
      });
      expect((await set("migration.traffic_routing.user_whitelist", "[amy, bob]")).code).toBe(0);
      const text = await readFile(path, "utf8");
      // The spaces within the brackets of the list may differ.
      expect(text.replace(/\[ ?amy, bob ?\]/, "[amy]")).toBe(file.replace("shadow_mode", "read_only"));
      expect((await set("migration.phase", "read_only")).out).toMatch("already");
      expect((await set("migration.phase")).out).toBe(`migration.phase removed in ${path}\n`);
    }));

  it.each([
    ["migration.traffic_routing.user_whitelist", "[007, 1e3, 0x1F, 12345678901234567890]"],
    ["migration.validation.comparison_threshold", "0.123456789012345678901234"],
    ["migration.traffic_routing.new_system_percentage", "12.50"],
  ])("writes and prints a number as it was typed: %s", (key, value) =>
    withFiles({ "desk.yaml": "{}" }, async (folder) => {
      const path = join(folder, "desk.yaml");
      const { code, out } = await pnlBridge(["config", "set", key, value, "--config", path]);
      expect([code, out]).toEqual([0, `${key} is ${value} in ${path}\n`]);
      expect(await readFile(path, "utf8")).toContain(`${key.split(".").at(-1)}: ${value} `);
      const { values } = JSON.parse((await pnlBridge(["config", "show", "--config", path, "--json"])).out);
      const written = key.endsWith("whitelist") ? ["007", "0x1F", "12345678901234567890", "1e3"] : value;
      expect(values).toContainEqual(
        expect.objectContaining({
          key,
          value: key.endsWith("percentage") ? 12.5 : written,
          from: expect.stringMatching(path),
        }),
      );
    }),
  );

  it("refuses a value that is not allowed in the file, and shows no secret", () =>
    withFiles({ "desk.yaml": file }, async (folder) => {
      const path = join(folder, "desk.yaml");
      const set = (...change: readonly string[]) => pnlBridge(["config", "set", ...change, "--config", path]);
      const percent = await set("migration.traffic_routing.new_system_percentage", "0x10");
      expect([percent.code, percent.err]).toEqual([
        2,
        expect.stringMatching(/number from 0 to 100.*not 0x10/),
      ]);
      expect(await set("migration.phase", "[")).toMatchObject({
        code: 2,
        err: expect.stringMatching(/^BAD_USAGE: .*not valid YAML/),
      });
      expect(await readFile(path, "utf8")).toBe(file);
      const alerts = await set("migration.monitoring.alert_url", "https://hooks.example/hunter2");
      expect(alerts.out).toBe(`migration.monitoring.alert_url is https://hooks.example/… in ${path}\n`);
    }));

  it("leaves the file unchanged if the change would make it invalid", () =>
    withFiles({ "desk.yaml": file }, async (folder) => {
      const path = join(folder, "desk.yaml");
      const { code, err } = await pnlBridge(["config", "set", "migration.phase", "shadow", "--config", path]);
      expect([code, await readFile(path, "utf8")]).toEqual([2, file]);
      expect(err).toMatch(/^BAD_CONFIG: .*must be read_only/);
    }));
});

it("config schema prints a JSON Schema, indented or on one line", async () => {
  const read = await pnlBridge(["config", "schema"]);
  const line = await pnlBridge(["config", "schema", "--json"]);
  expect([read.code, line.code, read.err, line.err]).toEqual([0, 0, "", ""]);
  expect(JSON.parse(read.out)).toEqual(JSON.parse(line.out));
  expect(JSON.parse(line.out)).toMatchObject({ type: "object", additionalProperties: false });
  expect(line.out.trimEnd()).not.toContain("\n");
});

it("config validate and config show do not change the file", () =>
  withFiles({ "desk.yaml": desk }, async (folder) => {
    for (const command of ["validate", "show"])
      await pnlBridge(["config", command, "--config", join(folder, "desk.yaml")]);
    expect(await readFile(join(folder, "desk.yaml"), "utf8")).toBe(desk);
  }));

it("a command without --config uses pnl_migration_config.yaml of its folder, or reports it missing", () =>
  withFiles({ "pnl_migration_config.yaml": "migration: { phase: shadow_mode }\n" }, async (folder) => {
    const run = (...args: readonly string[]) => pnlBridge(args, { cwd: folder });
    expect((await run("config", "validate")).out).toBe("valid: pnl_migration_config.yaml\n");
    expect((await run("config", "set", "migration.phase", "read_only")).code).toBe(0);
    expect(JSON.parse((await run("config", "show", "--json")).out).file).toBe("pnl_migration_config.yaml");
    await writeFile(join(folder, "pnl_migration_config.yaml"), "migration: 5\n");
    for (const args of [
      ["doctor"],
      ["replay", "--trades", "."],
      ["compare", "--legacy", "sqlite:none.db"],
      ["serve"],
      ["status"],
    ]) {
      const { code, out, err } = await run(...args);
      expect([args, code !== 0, `${out}${err}`]).toEqual([
        args,
        true,
        expect.stringMatching("pnl_migration_config.yaml:1"),
      ]);
    }
    await rm(join(folder, "pnl_migration_config.yaml"));
    expect((await run("config", "validate")).err).toMatch(/^UNREADABLE: .*pnl_migration_config\.yaml/);
    expect((await run("config", "show")).code).toBe(0);
  }));
