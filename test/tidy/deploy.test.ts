import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { allCommands } from "../../scripts/pages/cli.ts";
import { parseConfig } from "../../src/config/index.ts";
import { root } from "../cli/run-cli.ts";

const read = (name: string): string => readFileSync(join(root, "examples", name), "utf8");
const { bin } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const commands = new Map(await allCommands());

/** Whether the program accepts these arguments: a command, then its options, each with a value. */
function isCall(words: readonly string[]): boolean {
  const at = words.findIndex((word) => word.startsWith("--"));
  const options = commands.get(["pnl-bridge", ...words.slice(0, at)].join(" "))?.options;
  return words
    .slice(at)
    .every((word, index) => index % 2 === 1 || options?.some(({ long }) => long === word) === true);
}

describe("examples/systemd/pnl-bridge.service", () => {
  const unit = read("systemd/pnl-bridge.service");
  const settings = (name: string): readonly string[] =>
    [...unit.matchAll(new RegExp(`^${name}=(.*)$`, "gm"))].map(([, value = ""]) => value);

  it("consists of three sections of settings, and comments", () => {
    const lines = unit.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    expect(lines.filter((line) => !/^(\[(Unit|Service|Install)\]|[A-Z][A-Za-z]+=.+)$/.test(line))).toEqual(
      [],
    );
    expect(lines.filter((line) => line.startsWith("["))).toEqual(["[Unit]", "[Service]", "[Install]"]);
  });

  it("starts the program of the installed package, with existing commands and options", () => {
    const calls = [...settings("ExecStartPre"), ...settings("ExecStart")].map((line) => line.split(" "));
    expect(calls).toHaveLength(2);
    for (const [node, program, ...args] of calls) {
      expect([node, program]).toEqual([
        "/usr/bin/node",
        `/opt/pnl-bridge/node_modules/pnl-bridge/${bin["pnl-bridge"]}`,
      ]);
      expect(isCall(args), args.join(" ")).toBe(true);
    }
    const [documentation = ""] = settings("Documentation");
    expect(
      existsSync(join(root, documentation.replace("file:///opt/pnl-bridge/node_modules/pnl-bridge/", ""))),
    ).toBe(true);
  });

  it.skipIf(spawnSync("systemd-analyze", ["--version"]).status !== 0)("passes systemd-analyze verify", () => {
    const folder = mkdtempSync(join(tmpdir(), "pnl-bridge-unit-"));
    try {
      // The programs of the unit are not installed here, so /bin/true replaces them.
      writeFileSync(join(folder, "pnl-bridge.service"), unit.replaceAll(/^(Exec\w+)=.*$/gm, "$1=/bin/true"));
      const verified = spawnSync("systemd-analyze", ["verify", join(folder, "pnl-bridge.service")], {
        encoding: "utf8",
      });
      expect([verified.status, verified.stderr]).toEqual([0, ""]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("examples/docker", () => {
  const lines = read("docker/Dockerfile").split("\n");
  const instructions = lines.flatMap((line) => {
    const [, name, value] = /^([A-Z]+) (.+)$/.exec(line) ?? [];
    return name === undefined || value === undefined ? [] : [[name, value] as const];
  });
  const ofName = (wanted: string): string => instructions.find(([name]) => name === wanted)?.[1] ?? "";
  const { services } = parse(read("docker/compose.yaml"));
  const service = services["pnl-bridge"];

  it("has a Dockerfile with known instructions only, which serves with the configuration file in its working folder", () => {
    const known = ["FROM", "WORKDIR", "COPY", "RUN", "USER", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT", "CMD"];
    expect(lines.filter((line) => !/^(#.*|)$/.test(line))).toHaveLength(instructions.length);
    expect(instructions.filter(([name]) => !known.includes(name))).toEqual([]);
    expect(JSON.parse(ofName("ENTRYPOINT"))).toEqual(["/opt/pnl-bridge/node_modules/.bin/pnl-bridge"]);
    const command = JSON.parse(ofName("CMD"));
    expect(isCall(command)).toBe(true);
    expect(command.at(-1)).toBe(
      `${instructions.filter(([name]) => name === "WORKDIR").at(-1)?.[1]}/pnl_migration_config.yaml`,
    );
    const [, script = ""] = /CMD (\[.*\])$/.exec(ofName("HEALTHCHECK")) ?? [];
    expect(JSON.parse(script)).toEqual([
      "node",
      "-e",
      expect.stringContaining("http://127.0.0.1:8080/healthz"),
    ]);
  });

  it("mounts a folder whose configuration is valid, and passes the tokens that it names", () => {
    const [from, to] = service.volumes[0].split(":");
    expect([from, to]).toEqual(["./desk", instructions.filter(([name]) => name === "WORKDIR").at(-1)?.[1]]);
    const { gateway } = parseConfig(read("docker/desk/pnl_migration_config.yaml"), "desk.yaml");
    expect(gateway.listen).toEqual({ host: "0.0.0.0", port: 8080 });
    expect(service.ports).toEqual([`127.0.0.1:${gateway.listen.port}:${gateway.listen.port}`]);
    expect(Object.keys(service.environment).toSorted()).toEqual(
      gateway.tokens.map(({ env }) => env).toSorted(),
    );
  });
});
