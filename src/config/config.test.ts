import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { runs } from "../../test/campaigns.ts";
import { BridgeError } from "../base/errors.ts";
import { pnlMethods } from "../ports/pnl-service.ts";
import { type Config, configJsonSchema, defaultConfig, loadConfig, parseConfig, wholeFile } from "./index.ts";

const folder = mkdtempSync(join(tmpdir(), "config-"));
afterAll(() => rmSync(folder, { recursive: true }));

function refusal(text: string): BridgeError {
  try {
    parseConfig(text, "desk.yaml");
  } catch (error) {
    if (error instanceof BridgeError) return error;
    throw error;
  }
  throw new Error(`was accepted: ${text}`);
}

/** A configuration written as a whole file and read again, with the list of unused keys kept. */
const throughWholeFile = (config: Config): Config => ({
  ...parseConfig(JSON.stringify(wholeFile(config)), "whole.yaml"),
  unused: config.unused,
});

const whole = `
migration:
  phase: shadow_mode                 # read_only | shadow_mode | dual_write | primary_switch | cleanup
  feature_flags: { use_new_calculator: false, use_new_storage: false, use_new_reports: false }
  traffic_routing: { new_system_percentage: 0, user_whitelist: [], user_denylist: [], bucket_by: book }
  validation: { comparison_threshold: 0.01, position_threshold: 0.0001, alert_on_mismatch: true }
  monitoring: { log_all_calculations: true, performance_tracking: true, alert_url: null }
systems:
  legacy: { kind: builtin, name: legacy-desk }
  modern: { kind: builtin, name: modern-engine }
stores:
  control: sqlite:./.pnl-bridge/control.db
  legacy: sqlite:./pnl_tracker.db
  modern: sqlite:./.pnl-bridge/newpnl.db
watch: { trade_ledger: ./data/trade_ledger, market_prices: ./data/market_prices, mode: auto, settle_ms: 500 }
reports: { dir: ./reports }
gateway: { listen: 127.0.0.1:8080 }
`;

test("a file with the common keys loads, and none of them is listed as having no effect", () => {
  const { unused, ...read } = parseConfig(whole, "desk.yaml");
  const watch = {
    ...defaultConfig.watch,
    tradeLedger: "./data/trade_ledger",
    marketPrices: ["./data/market_prices"],
  };
  const stores = {
    control: "sqlite:./.pnl-bridge/control.db",
    legacy: "sqlite:./pnl_tracker.db",
    modern: "sqlite:./.pnl-bridge/newpnl.db",
  };
  expect({ ...read, unused: [] }).toEqual({ ...defaultConfig, watch, stores });
  expect(unused).toEqual([]);
});

test.each([
  "",
  "\n",
  "# nothing\n",
  "---\n",
  "{}",
  "migration:\nsystems:\nstores:\n",
  "migration:\n  validation:\n",
  "systems: { legacy: }",
])("a file that sets nothing means the defaults: %j", (text) => {
  expect(parseConfig(text, "desk.yaml")).toEqual(defaultConfig);
});

test("the values of validation, monitoring, approvals, triggers, gateway, control and systems can be set", () => {
  const text = `migration:
  validation: { comparison_threshold: 5e-2, position_threshold: 0, alert_on_mismatch: false }
  monitoring:
    log_all_calculations: false
    performance_tracking: false
    alert_url: https://hooks.example/services/T0
  approvals: { two_person: [cleanup, primary_switch] }
  triggers:
    error_rate: .25
    error_calls_min: 100
    window_s: 60
    owed_age_s: 5
    served_mismatch: false
    quarantine: false
gateway:
  listen: 0.0.0.0:9000
  tokens: { viewer: PNL_VIEWER_TOKEN, admin: PNL_ADMIN_TOKEN }
  allowed_hosts: [PNL.example, "pnl.example:9000"]
  rate_limit_per_s: 50
control: { instance: desk-1, heartbeat_ms: 500, lease_ms: 30000, stale_ms: 2000, poll_ms: 250 }
systems:
  legacy: { kind: builtin, name: legacy-desk, mode: file-at-a-time }
  modern: { kind: builtin, name: legacy-desk }`;
  expect(parseConfig(text, "desk.yaml")).toEqual({
    ...defaultConfig,
    systems: {
      legacy: { kind: "builtin", name: "legacy-desk", mode: "file-at-a-time" },
      modern: { kind: "builtin", name: "legacy-desk", mode: "chained" },
    },
    validation: { comparisonThreshold: "0.05", positionThreshold: "0", alertOnMismatch: false },
    monitoring: {
      logAllCalculations: false,
      performanceTracking: false,
      alertUrl: "https://hooks.example/services/T0",
    },
    approvals: { twoPerson: ["primary_switch", "cleanup"] },
    triggers: {
      ...defaultConfig.triggers,
      errorRate: 0.25,
      errorCallsMin: 100,
      windowS: 60,
      servedMismatch: false,
      quarantine: false,
      owedAgeS: 5,
    },
    gateway: {
      listen: { host: "0.0.0.0", port: 9000 },
      tokens: [
        { name: "viewer", role: "viewer", env: "PNL_VIEWER_TOKEN" },
        { name: "admin", role: "admin", env: "PNL_ADMIN_TOKEN" },
      ],
      allowedHosts: ["pnl.example", "pnl.example:9000"],
      rateLimitPerS: 50,
    },
    control: { instance: "desk-1", heartbeatMs: 500, leaseMs: 30000, staleMs: 2000, pollMs: 250 },
  });
  expect(throughWholeFile(parseConfig(text, "desk.yaml"))).toEqual(parseConfig(text, "desk.yaml"));
});

test.each([
  ["127.0.0.1:8080", "127.0.0.1", 8080],
  ["localhost:0", "localhost", 0],
  ['"[::1]:65535"', "::1", 65_535],
  ["127.1.2.3:80", "127.1.2.3", 80],
])("a loopback address needs no tokens: %s", (listen, host, port) => {
  expect(parseConfig(`gateway: { listen: ${listen} }`, "desk.yaml").gateway.listen).toEqual({ host, port });
});

test.each(["0.0.0.0:80", '"[::]:80"', "desk.example:80", "10.0.0.1:80", "128.0.0.1:80"])(
  "an address that other machines can reach requires tokens: %s",
  (listen) => {
    for (const text of [`gateway: { listen: ${listen} }`, `gateway: { listen: ${listen}, tokens: {} }`]) {
      const error = refusal(text);
      expect(error.where).toBe("desk.yaml:1:20");
      expect(error.message).toContain("requires tokens");
    }
    const text = `gateway: { listen: ${listen}, tokens: { admin: PNL_ADMIN } }`;
    const admin = { name: "admin", role: "admin", env: "PNL_ADMIN" };
    expect(parseConfig(text, "desk.yaml").gateway.tokens).toEqual([admin]);
  },
);

test("the plan follows the section migration of the file", () => {
  const text = `migration:
  phase: dual_write
  feature_flags: { use_new_calculator: true, use_new_storage: true }
  traffic_routing:
    { new_system_percentage: 12.5, user_whitelist: [amy, bob], user_denylist: [eve], bucket_by: user }`;
  expect(parseConfig(text, "desk.yaml").plan).toMatchObject({
    phase: "dual_write",
    flags: { calculator: true, storage: true, reports: false },
    newSystemPercentage: 12.5,
    userWhitelist: new Set(["amy", "bob"]),
    userDenylist: new Set(["eve"]),
    bucketBy: "user",
  });
});

const ownNames = Object.fromEntries(pnlMethods.map((method) => [method, method]));

test("systems of every kind can be configured", () => {
  const text = `systems:
  legacy:
    kind: command
    command: [python3, pnl_bridge_worker.py, "desk.pnl:Service"]
    cwd: ./desk
    env: [DESK_LICENCE, http_proxy]
    pnl_in: points
    timeout_ms: 500
  modern:
    kind: http
    methods: { totals: v2.sums }
    url: "https://pnl.example:8443/api"
    authorization_env: PNL_TOKEN
    ca_file: ./ca.pem`;
  expect(parseConfig(text, "desk.yaml").systems).toEqual({
    legacy: {
      kind: "command",
      env: ["DESK_LICENCE", "http_proxy"],
      name: "python3 pnl_bridge_worker.py desk.pnl:Service",
      command: ["python3", "pnl_bridge_worker.py", "desk.pnl:Service"],
      cwd: "./desk",
      methods: ownNames,
      pnlIn: "points",
      timeoutMs: 500,
    },
    modern: {
      kind: "http",
      name: "https://pnl.example:8443/api",
      url: "https://pnl.example:8443/api",
      authorizationEnv: "PNL_TOKEN",
      caFile: "./ca.pem",
      methods: { ...ownNames, totals: "v2.sums" },
      pnlIn: "money",
      timeoutMs: undefined,
    },
  });
  const threaded = parseConfig(
    'systems: { modern: { kind: module, path: "./m.js#pnl", isolation: thread } }',
    "desk.yaml",
  );
  expect(threaded.systems.modern).toMatchObject({
    kind: "module",
    path: "./m.js#pnl",
    isolation: "thread",
    pnlIn: "money",
  });
});

const withThreshold = (source: string): Config =>
  parseConfig(`migration: { validation: { comparison_threshold: ${source} } }`, "desk.yaml");

test.each([
  ["0.10", "0.1"],
  ["0.1000000000000000000000000000000001", "0.1000000000000000000000000000000001"],
  ["9007199254740993", "9007199254740993"],
  ["1e-30", `0.${"0".repeat(29)}1`],
  ['"0.01"', "0.01"],
  ["+.5", "0.5"],
])("a threshold keeps its written digits and never becomes a float: %s", (source, expected) => {
  expect(withThreshold(source).validation.comparisonThreshold).toBe(expected);
});

test("aliases, a byte order mark and carriage returns are understood", () => {
  const text =
    "\uFEFFmigration:\r\n  validation:\r\n    comparison_threshold: &t 0.5\r\n    position_threshold: *t\r\n";
  expect(parseConfig(text, "desk.yaml").validation).toMatchObject({
    comparisonThreshold: "0.5",
    positionThreshold: "0.5",
  });
});

// [the file, line:column, what the error must say, how to fix]
const refused: readonly (readonly [string, string, string, string])[] = [
  ["migartion:\n  phase: x", "1:1", 'unknown key "migartion"', 'did you mean "migration"?'],
  [
    "migration:\n  phase: read_only\n  phsae: y",
    "3:3",
    'unknown key "migration.phsae"',
    'did you mean "phase"?',
  ],
  [
    "# why\nvalidation:\n  alert_on_mismatch: true",
    "2:1",
    'unknown key "validation"',
    'belongs under "migration"',
  ],
  ["migration: { stores: {} }", "1:14", 'unknown key "migration.stores"', "belongs at the top"],
  ["zzz: 1", "1:1", 'unknown key "zzz"', "the keys here are migration, systems"],
  ["__proto__: { polluted: 1 }", "1:1", 'unknown key "__proto__"', ""],
  [
    "migration:\n  feature_flags: { use_new_calculater: true }",
    "2:20",
    "use_new_calculater",
    "use_new_calculator",
  ],
  ["stores:\n  contrl: x", "2:3", 'unknown key "stores.contrl"', 'did you mean "control"?'],
  ["systems:\n  legcy: { kind: builtin }", "2:3", 'unknown key "systems.legcy"', 'did you mean "legacy"?'],
  [
    "systems:\n  legacy: { kind: builtin, name: legacy-desk, mod: x }",
    "2:47",
    "systems.legacy.mod",
    'did you mean "mode"?',
  ],
  [
    "migration:\n  validation: { comparison_treshold: 1 }",
    "2:17",
    "comparison_treshold",
    'did you mean "comparison_threshold"?',
  ],
  [
    "migration:\n  validation:\n    comparison_threshold: -0.01",
    "3:27",
    "decimal number of 0 or more, not -0.01",
    "",
  ],
  ["migration: { validation: { position_threshold: lots } }", "1:48", "not lots", ""],
  ["migration: { validation: { position_threshold: .inf } }", "1:48", "not .inf", ""],
  ["migration: { validation: { position_threshold: 0x10 } }", "1:48", "not 0x10", ""],
  ["migration: { validation: { position_threshold: true } }", "1:48", "not true", ""],
  ["migration: { validation: { position_threshold: [1] } }", "1:48", "not [1]", ""],
  ["migration:\n  validation:\n    position_threshold:\n    alert_on_mismatch: true", "3:5", "not empty", ""],
  ["migration: { validation: { alert_on_mismatch: yes } }", "1:47", "must be true or false, not yes", ""],
  ["migration: { validation: { alert_on_mismatch: 1 } }", "1:47", "must be true or false, not 1", ""],
  ["migration: 5", "1:12", "migration must be a section", ""],
  ["migration: []", "1:12", "migration must be a section", ""],
  ["stores: here", "1:9", "stores must be a section", ""],
  ["[migration]", "1:1", "the file must be a section", ""],
  ["just words", "1:1", "the file must be a section", ""],
  [
    "systems:\n  legacy: { kind: module, path: ./m.js, methods: { total: sum } }",
    "2:52",
    'unknown key "systems.legacy.methods.total"',
    'did you mean "totals"?',
  ],
  ["systems: { legacy: legacy-desk }", "1:20", "systems.legacy must be a section", ""],
  ["systems: { legacy: {} }", "1:12", "systems.legacy.kind is missing", "must be builtin"],
  [
    "systems: { modern: { kind: builtin } }",
    "1:12",
    "systems.modern.name is missing",
    "legacy-desk or modern-engine",
  ],
  [
    "systems: { legacy: { kind: bulitin, name: legacy-desk } }",
    "1:28",
    "must be builtin, module, command or http, not bulitin",
    'did you mean "builtin"?',
  ],
  ["systems:\n  legacy: { kind: command, command: [] }", "2:37", "must name a program", ""],
  ["systems:\n  legacy: { kind: command, command: python3 }", "2:37", "must be a list of texts", ""],
  ["systems:\n  legacy: { kind: module }", "2:3", "systems.legacy.path is missing", "a module"],
  ["systems:\n  legacy: { kind: http, url: x }", "2:30", "must be an http or https URL", ""],
  ['systems:\n  legacy: { kind: http, url: "http://me:secret@x" }', "2:30", "without a user in it", ""],
  ["systems:\n  legacy: { kind: http, url: 'http://x', timeout_ms: soon }", "2:54", "milliseconds", ""],
  ["migration:\n  phase: shadow", "2:10", "must be read_only", ""],
  [
    "migration:\n  phase: primary_switch",
    "2:10",
    "needs the flags use_new_calculator, use_new_storage",
    "earlier phase",
  ],
  ["migration: { traffic_routing: { new_system_percentage: 101 } }", "1:56", "number from 0 to 100", ""],
  ["migration: { traffic_routing: { new_system_percentage: 1.2345 } }", "1:56", "three decimals", ""],
  ["migration: { traffic_routing: { user_whitelist: amy } }", "1:49", "list of users", ""],
  ["migration: { traffic_routing: { user_denylist: [eve, ' '] } }", "1:54", "without empty names", ""],
  [
    "systems: { legacy: { kind: builtin, name: modern-engin } }",
    "1:43",
    "not modern-engin",
    'did you mean "modern-engine"?',
  ],
  [
    "systems: { legacy: { kind: builtin, name: legacy-desk, mode: chain } }",
    "1:62",
    "chained or file-at-a-time, not chain",
    "chained",
  ],
  [
    "systems: { modern: { kind: builtin, name: modern-engine, mode: chained } }",
    "1:64",
    "is for legacy-desk only",
    "",
  ],
  ["migration:\n  phase: read_only\n  phase: cleanup", "3:3", 'the key "phase" appears twice', "remove one"],
  ["migration: {}\nmigration: {}", "2:1", 'the key "migration" appears twice', "remove one"],
  ["migration:\n\tphase: x", "2:1", "a tab is not allowed", "spaces"],
  ["migration: {\n  phase: x\nstores: {}", "3:1", "", ""],
  ['migration: "open', "1:17", "Missing closing", ""],
  ["migration: {}\n---\nstores: {}", "2:1", "second YAML document", "one document"],
  ["migration: !!python/object {}", "1:12", "tags are not known", ""],
  ["? [a]\n: b", "1:3", "a key is not a text", ""],
  ["migration: *nowhere", "1:12", "the alias *nowhere has no anchor", ""],
  ["migration: &m\n  phase: *m", "2:10", "nested more than 32 deep", ""],
  ["migration:\n  monitoring: { alert_url: ftp://x }", "2:28", "must be an http or https URL", ""],
  ["migration:\n  monitoring: { log_all: true }", "2:17", 'unknown key "migration.monitoring.log_all"', ""],
  [
    "migration:\n  approvals: { two_person: [cleanup, primary_swich] }",
    "2:38",
    "not primary_swich",
    '"primary_switch"?',
  ],
  ["migration:\n  approvals: { two_person: cleanup }", "2:28", "must be a list of phases", ""],
  ["migration:\n  triggers: { error_rate: 0 }", "2:27", "above 0, up to 1, not 0", ""],
  ["migration:\n  triggers: { error_rate: 1.1 }", "2:27", "above 0, up to 1", ""],
  ["migration:\n  triggers: { error_calls_min: 0 }", "2:32", "whole number of calls from 1", ""],
  ["migration:\n  triggers: { window_s: 1.5 }", "2:25", "whole number of seconds from 1", ""],
  ["migration:\n  triggers: { owed_age_s: -1 }", "2:27", "whole number of seconds", ""],
  ["migration:\n  triggers: { windows: 1 }", "2:15", "windows", ""],
  ["gateway: { listen: 8080 }", "1:20", "must be HOST:PORT, not 8080", ""],
  ["gateway: { listen: 127.0.0.1:70000 }", "1:20", "port from 0 to 65535", ""],
  ['gateway: { listen: "[::1:80" }', "1:20", "must be HOST:PORT", ""],
  ['gateway: { listen: "[:::1]:80" }', "1:20", "IPv6", ""],
  ["gateway: { tokens: [A] }", "1:21", "gateway.tokens.0 must be a section of keys", ""],
  ["gateway: { tokens: { viwer: A } }", "1:22", "gateway.tokens.viwer", '"viewer"?'],
  ["gateway: { allowed_hosts: ['http://x'] }", "1:28", "must be a list of host names", ""],
  ["gateway: { rate_limit_per_s: many }", "1:30", "requests a second", ""],
  ["control: { instance: a b }", "1:22", "must be a name of letters", ""],
  [
    "control: { heartbeat_ms: 5000 }",
    "1:26",
    "heartbeat_ms (5000) must be less than control.stale_ms (5000)",
    "",
  ],
  ["control: { heartbeat_ms: 90, stale_ms: 80 }", "1:40", "less than control.stale_ms (80)", ""],
  ["control: { stale_ms: 60000 }", "1:22", "stale_ms (60000) must be less than control.lease_ms (60000)", ""],
  ["control: { lease_ms: 4000 }", "1:22", "less than control.lease_ms (4000)", ""],
  // With several errors, the first in the file is reported, whatever its kind.
  ["stores: 5\nmigration: { validation: { alert_on_mismatch: 5 } }\nzzz: 1", "1:9", "stores", ""],
  ["zzz: 1\nstores: 5\nstores: 6", "1:1", "zzz", ""],
  ["migration: { phase: read_only, phase: cleanup }\nzzz: 1", "1:32", "appears twice", ""],
  // Broken syntax outranks an earlier unknown key.
  ["zzz: 1\nmigration:\n\tphase: x", "3:1", "a tab", ""],
];

test.each(refused)("%j is refused at %s", (text, lineAndColumn, what, fix) => {
  const error = refusal(text);
  expect(error.code).toBe("BAD_CONFIG");
  expect(error.where).toBe(`desk.yaml:${lineAndColumn}`);
  expect(error.message).toContain(what);
  expect(error.fix).toContain(fix);
  expect(error.line).not.toContain("\n");
});

describe("limits", () => {
  test("an alias bomb costs no more than the limit", () => {
    const level = (name: string, of: string): string =>
      `${name}: &${name} [${Array.from({ length: 10 }, () => of).join(", ")}]\n`;
    const bomb =
      level("a", "x") + [..."bcdefghi"].map((name, index) => level(name, `*${"abcdefgh"[index]}`)).join("");
    expect(refusal(bomb).message).toContain("more than 10000 values");
  });

  test("a file with very many keys is refused", () => {
    expect(
      refusal(Array.from({ length: 15_000 }, (_, index) => `key${index}: 1`).join("\n")).message,
    ).toContain("values");
  });

  test("deep nesting and a file of more than a megabyte are refused", () => {
    expect(refusal("[".repeat(100_000)).code).toBe("BAD_CONFIG");
    expect(refusal(`migration: ${"{ a: ".repeat(40)}1${" }".repeat(40)}`).message).toContain("32 deep");
    expect(refusal(`#${"x".repeat(1_000_000)}`)).toMatchObject({ where: "desk.yaml:1:1" });
    expect(parseConfig(`#${"x".repeat(999_999)}`, "desk.yaml")).toEqual(defaultConfig);
  });
});

describe("loadConfig", () => {
  const write = (name: string, content: string | Buffer): string => {
    const path = join(folder, name);
    writeFileSync(path, content);
    return path;
  };

  test("reads a file and names it in errors", async () => {
    expect((await loadConfig(write("good.yaml", whole))).reports).toEqual({ dir: "./reports" });
    const path = write("bad.yaml", "migration:\n  phse: x\n");
    await expect(loadConfig(path)).rejects.toMatchObject({ code: "BAD_CONFIG", where: `${path}:2:3` });
  });

  test("a file that is not UTF-8 is refused at its first bad byte", async () => {
    const latin = write(
      "latin.yaml",
      Buffer.concat([Buffer.from("migration:\n  # Zür"), Buffer.from([0xe9, 0x0a])]),
    );
    await expect(loadConfig(latin)).rejects.toMatchObject({ code: "BAD_CONFIG", where: `${latin}:2:8` });
    const cut = write("cut.yaml", Buffer.from("# €").subarray(0, 4));
    await expect(loadConfig(cut)).rejects.toMatchObject({ where: `${cut}:1:3` });
    const utf16 = write("utf16.yaml", Buffer.from("\uFEFFstores: {}", "utf16le"));
    await expect(loadConfig(utf16)).rejects.toMatchObject({ where: `${utf16}:1:1`, fix: "save it as UTF-8" });
  });

  test("a path that is not a readable regular file is refused with its reason", async () => {
    const missing = join(folder, "missing.yaml");
    await expect(loadConfig(missing)).rejects.toMatchObject({ code: "UNREADABLE", where: missing });
    await expect(loadConfig(folder)).rejects.toMatchObject({
      code: "UNREADABLE",
      message: "this is not a regular file",
    });
    await expect(loadConfig("/dev/zero")).rejects.toMatchObject({ code: "UNREADABLE" });
    const pipe = join(folder, "pipe.yaml");
    execFileSync("mkfifo", [pipe]);
    await expect(loadConfig(pipe)).rejects.toMatchObject({ code: "UNREADABLE" });
    const long = write("long.yaml", `#${"x".repeat(1_000_000)}`);
    await expect(loadConfig(long)).rejects.toMatchObject({ code: "BAD_CONFIG", where: `${long}:1:1` });
  });
});

test("a parsed configuration and the defaults are frozen at every level", () => {
  for (const config of [defaultConfig, parseConfig(whole, "desk.yaml")]) {
    for (const part of [
      config,
      config.systems,
      config.systems.legacy,
      config.systems.modern,
      config.validation,
      config.unused,
    ]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
  }
});

test("property: completing with defaults is idempotent", () => {
  const decimal = fc.tuple(fc.bigInt(0n, 10n ** 30n), fc.nat(30)).map(([digits, places]) => {
    const text = digits.toString().padStart(places + 1, "0");
    return places === 0 ? text : `${text.slice(0, -places)}.${text.slice(-places)}`;
  });
  const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
  const system = fc.oneof(
    fc.record({
      kind: fc.constant("builtin"),
      name: fc.constant("legacy-desk"),
      mode: maybe(fc.constantFrom("chained", "file-at-a-time")),
    }),
    fc.record({ kind: fc.constant("builtin"), name: fc.constant("modern-engine") }),
  );
  const validation = fc.record({
    comparison_threshold: maybe(decimal),
    position_threshold: maybe(decimal),
    alert_on_mismatch: maybe(fc.boolean()),
  });
  const file = fc.record({
    migration: maybe(fc.record({ validation: maybe(validation) })),
    systems: maybe(fc.record({ legacy: maybe(system), modern: maybe(system) })),
  });
  fc.assert(
    fc.property(file, (given) => {
      // JSON is YAML; without their quotes, decimals become numbers in the file.
      const text = JSON.stringify(given).replaceAll(/"([\d.]+)"/g, "$1");
      const once = parseConfig(text, "desk.yaml");
      expect(throughWholeFile(once)).toEqual(once);
      expect(parseConfig(text, "desk.yaml")).toEqual(once);
    }),
  );
});

test("property: any text gives a configuration or one BAD_CONFIG with a position", () => {
  const word = fc.constantFrom(
    "migration",
    "systems",
    "validation",
    "{",
    "}",
    "[",
    "]",
    ":",
    " ",
    "\n",
    "  ",
    "\t",
    "- ",
    "&a",
    "*a",
    "!",
    '"',
    "#",
    "0.1",
    "|",
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.array(word, { maxLength: 40 }).map((words) => words.join("")),
        fc.string({ unit: "binary" }),
      ),
      (text) => {
        try {
          expect(Object.isFrozen(parseConfig(text, "f"))).toBe(true);
        } catch (error) {
          expect(error).toMatchObject({
            code: "BAD_CONFIG",
            where: expect.stringMatching(/^f:[1-9]\d*:[1-9]\d*$/),
          });
        }
      },
    ),
    { numRuns: runs(20, 500) },
  );
});

interface SchemaNode {
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
  readonly oneOf?: readonly SchemaNode[];
  readonly not?: object;
  readonly title?: string;
  readonly description?: string;
  readonly default?: unknown;
}

interface Leaf {
  readonly path: string;
  readonly node: SchemaNode;
  readonly isRequired: boolean;
}

/** Every key of a schema that has no keys within it. */
function leavesOf(node: SchemaNode, path: readonly string[] = []): readonly Leaf[] {
  const forms = [...(node.anyOf ?? []), ...(node.oneOf ?? []), ...(node.items ? [node.items] : [])];
  const properties = Object.entries(node.properties ?? {}).flatMap(([key, value]): readonly Leaf[] => {
    const inner = leavesOf(value, [...path, key]);
    const isRequired = node.required?.includes(key) === true;
    return inner.length > 0 || value.not
      ? inner
      : [{ path: [...path, key].join("."), node: value, isRequired }];
  });
  return [...properties, ...forms.flatMap((form) => leavesOf(form, path))];
}

test("the JSON Schema has the sections of the table, and each key has title, meaning and its default", () => {
  const leaves = leavesOf(configJsonSchema() as SchemaNode);
  const pathsOf = (some: readonly Leaf[]) =>
    new Set(some.map(({ path }) => path.replace(/^(?:systems\.\w+|dashboard\.legacy)/, "systems")));
  expect(
    pathsOf(leaves.filter(({ node }) => node.description === undefined || node.title === undefined)),
  ).toEqual(new Set());
  // These have no default: they are absent, or follow the role of the system.
  const withoutDefault = ["timeout_ms", "day_rule", "cwd", "authorization_env", "build", "ca_file"].map(
    (key) => `systems.${key}`,
  );
  expect(pathsOf(leaves.filter(({ node, isRequired }) => node.default === undefined && !isRequired))).toEqual(
    new Set([...withoutDefault, ...roleTokens]),
  );
  expect(new Set(leaves.map(({ path }) => path.split(".")[0]))).toEqual(
    new Set(Object.keys(wholeFile(defaultConfig))),
  );
  expect(configJsonSchema()).toMatchObject({ type: "object", additionalProperties: false });
});

test("the controller of the desk's own dashboard is a program of the desk", () => {
  const text = (system: string) => `dashboard: { controller: v2, interval_ms: 5000, legacy: ${system} }`;
  expect(parseConfig(text("{ kind: module, path: ./dash.js }"), "desk.yaml").dashboard).toMatchObject({
    controller: "v2",
    intervalMs: 5_000,
    legacy: { kind: "module", path: "./dash.js" },
  });
  expect(() => parseConfig(text("{ kind: builtin, name: legacy-desk }"), "desk.yaml")).toThrow(
    "dashboard.legacy must be module, command or http",
  );
});

const roleTokens = ["viewer", "operator", "admin"].map((role) => `gateway.tokens.${role}`);

test("by default a module runs in this process, and no system has a time limit of its own", () => {
  const text =
    'systems: { legacy: { kind: module, path: "./m.js" }, modern: { kind: command, command: [desk] } }';
  const usual = { env: [], methods: ownNames, pnlIn: "money", timeoutMs: undefined };
  expect(parseConfig(text, "desk.yaml").systems).toEqual({
    legacy: { kind: "module", name: "./m.js", path: "./m.js", isolation: "none", ...usual },
    modern: { kind: "command", name: "desk", command: ["desk"], cwd: undefined, ...usual },
  });
});

test.each([
  [
    "systems: { legacy: { kind: module, path: ./m.js, isolation: process } }",
    "must be none or thread, not process",
  ],
  ["systems: { legacy: { kind: module, path: '' } }", "must be the path of a module"],
  [
    "systems: { legacy: { kind: module, path: ./m.js, command: [x] } }",
    'unknown key "systems.legacy.command"',
  ],
  ["systems: { legacy: { kind: command, command: [python3, ''] } }", "must be a list of texts"],
  ["systems: { legacy: { kind: command, command: [x], url: y } }", 'unknown key "systems.legacy.url"'],
  [
    "systems: { legacy: { kind: module, path: ./m.js, methods: { totals: _sum } } }",
    "must be the public name of a method",
  ],
  [
    "systems: { legacy: { kind: http, url: 'http://x', methods: { totals: a/../b } } }",
    "must be the public name of a method",
  ],
  [
    "systems: { legacy: { kind: builtin, name: legacy-desk, methods: { totals: sum } } }",
    'unknown key "systems.legacy.methods"',
  ],
  ["systems: { legacy: { kind: http } }", "systems.legacy.url is missing"],
  ["systems: { legacy: { kind: http, url: 'ftp://x' } }", "must be an http or https URL"],
  [
    "systems: { legacy: { kind: http, url: 'http://x', pnl_in: ticks } }",
    "must be money or points, not ticks",
  ],
  ["systems: { legacy: { kind: http, url: 'http://x', timeout_ms: 0 } }", "milliseconds"],
  ["systems: { legacy: { kind: http, url: 'http://x', timeout_ms: 1.5 } }", "milliseconds"],
  [
    "systems: { legacy: { kind: builtin, name: legacy-desk, timeout_ms: 5 } }",
    'unknown key "systems.legacy.timeout_ms"',
  ],
  ["migration: { traffic_routing: { bucket_by: desk } }", "must be book or user, not desk"],
  ["migration: { traffic_routing: { new_system_percentage: -1 } }", "number from 0 to 100"],
  ["migration: { feature_flags: { use_new_storage: 'true' } }", "must be true or false"],
  [
    "stores: { control: control.db }",
    "must be sqlite:FILE or postgres://HOST/DATABASE (FILE must not begin with ~), not control.db",
  ],
  ["stores: { control: sqlite:~/control.db }", "(FILE must not begin with ~), not sqlite:~/control.db"],
  ["stores: { control: 'sqlite:' }", "must be sqlite:FILE"],
])("an invalid value of a system, a plan or a store is refused: %s", (text, what) => {
  expect(refusal(text).message).toContain(what);
});

test.each([
  "sqlite:./control.db",
  "postgres://desk:hunter2@db.example/pnl?sslmode=require",
  "postgresql:///pnl",
])("the control store can be %s", (control) => {
  expect(parseConfig(`stores: { control: "${control}" }`, "desk.yaml").stores.control).toBe(control);
});

test("a system over HTTP is named by its address without the query", () => {
  const { modern } = parseConfig(
    'systems: { modern: { kind: http, url: "https://x/api?key=hunter2#top" } }',
    "desk.yaml",
  ).systems;
  expect(modern.name).toBe("https://x/api");
});

test.each([
  "migration: { monitoring: { alert_url: hooks.example/hunter2 } }",
  "migration: { monitoring: { alert_url: 'http://desk:hunter2@x' } }",
  "gateway: { tokens: { viewer: hunter2 } }",
  "gateway: { tokens: [{ name: amy, role: viewer, env: hunter2 }] }",
])("no error shows a secret: %s", (text) => {
  const error = refusal(text);
  expect(`${error.line} ${error.stack} ${error.cause}`).not.toContain("hunter2");
});

describe("no error shows a password of a URL", () => {
  test.each([
    [
      "a URL with an unknown scheme",
      'stores: { control: "postgre://desk:hunter2@db/pnl" }',
      "postgre:…@db/pnl",
    ],
    ["a URL in a list", 'stores: { control: ["postgres://desk:hunter2@db/pnl"] }', "…@db/pnl"],
    [
      "a URL without a colon after its key",
      "stores: { control postgres://desk:hunter2@db/pnl }",
      'unknown key "stores.control postgres:…@db/pnl"',
    ],
    [
      "a URL with a user",
      'systems: { modern: { kind: http, url: "http://desk:hunter2@x" } }',
      "without a user in it, not",
    ],
    [
      "a URL with an @ in its password",
      'systems: { modern: { kind: http, url: "http://desk:p@hunter2@x" } }',
      ":…@x",
    ],
    [
      "a URL with a long user",
      `systems: { modern: { kind: http, url: "http://${"u".repeat(80)}:hunter2@x" } }`,
      ":…@x",
    ],
    [
      "a URL with a long password",
      `stores: { control: "postgre://desk:hunter2${"p".repeat(80)}@x" }`,
      ":…@x",
    ],
    ["a URL where a section should be", 'stores: "postgres://desk:hunter2@db/pnl"', "must be a section"],
    [
      "a URL as a key of a store",
      'stores: { legacy: { "postgres://desk:hunter2@db": 1 } }',
      "must be sqlite:FILE",
    ],
    ["a URL as an alias", 'stores: { control: *"postgres://desk:hunter2@db/pnl" }', "the alias"],
    ["a URL after a bar", "stores:\n  control: |postgres://desk:hunter2@db/pnl\n", "extra characters"],
  ])("the error about %s hides the password", (_, text, what) => {
    const error = refusal(text);
    expect(error.line).toContain(what);
    expect(`${error.line} ${error.stack} ${error.cause}`).not.toContain("hunter2");
  });

  test("property: no typing error outside the password makes an error show the password", () => {
    const secret = "hunter2pass";
    const files = [
      `stores:\n  control: postgres://desk:${secret}@db/pnl\nmigration: { phase: read_only }\n`,
      `systems: { modern: { kind: http, url: "http://desk:${secret}@x/api", timeout_ms: 5 } }\n`,
    ];
    const slip = fc.constantFrom(...` \n\t:{}[]"'#&*!|>%@\`,-?.x0/`, "  ", ": ", "- ", "\n  ");
    fc.assert(
      fc.property(
        fc.constantFrom(...files),
        fc.nat(1_000),
        slip,
        fc.boolean(),
        (file, place, character, isCut) => {
          // The typing error is before or after the password and its @: without them no password can be
          // recognised.
          const [from, to] = [file.indexOf(secret), file.indexOf(secret) + secret.length + 1];
          const places = [...Array(file.length).keys()].filter(
            (at) => at <= from - (isCut ? 1 : 0) || at >= to,
          );
          const at = places[place % places.length] as number;
          const text = `${file.slice(0, at)}${isCut ? "" : character}${file.slice(at + (isCut ? 1 : 0))}`;
          let said = "";
          try {
            parseConfig(text, "desk.yaml");
          } catch (error) {
            said = (error as BridgeError).line;
          }
          expect(said).not.toContain(secret);
        },
      ),
      { numRuns: runs(20, 500) },
    );
  });
});

const bridges = `
stores:
  control: "sqlite:./c.db"
  legacy: "sqlite:./pnl_tracker.db"
  modern: "postgres://db/pnl?schema=newpnl"
database:
  { bridge_tables: beside, legacy_book: UST, cutover_budget_ms: 500, done_rows_days: 1, lease_ms: 1000 }
watch:
  trade_ledger: ./ledgers
  market_prices: [./futures, ./options]
  mode: poll
  scan_ms: 200
  settle_ms: 100
  include: ["trades_*.csv"]
  republished: apply
  legacy_sink: own_entry
  lease_ms: 1000
reports: { dir: ./out }
gates: { profile: desk, accuracy: { replay: 0.02, live: 0.1, served: 0.005 }, days: 3 }
exclusions:
  - { path: "tradeHistory[].time", reason: "legacy cuts seconds", owner: desk-risk, until: 2026-12-31 }
`;

test("the keys of every bridge are read, and none of them is listed as having no effect", () => {
  const { unused, ...config } = parseConfig(bridges, "desk.yaml");
  expect(config).toMatchObject({
    stores: { legacy: "sqlite:./pnl_tracker.db", modern: "postgres://db/pnl?schema=newpnl" },
    database: {
      bridgeTables: "beside",
      legacyBook: "UST",
      cutoverBudgetMs: 500,
      doneRowsDays: 1,
      leaseMs: 1_000,
    },
    watch: {
      tradeLedger: "./ledgers",
      marketPrices: ["./futures", "./options"],
      mode: "poll",
      scanMs: 200,
      settleMs: 100,
      include: ["trades_*.csv"],
      republished: "apply",
      legacySink: "own_entry",
      leaseMs: 1_000,
    },
    reports: { dir: "./out" },
    gates: { profile: "desk", accuracy: { replay: 0.02, live: 0.1, served: 0.005 }, days: 3 },
    exclusions: [
      { path: "tradeHistory[].time", reason: "legacy cuts seconds", owner: "desk-risk", until: "2026-12-31" },
    ],
  });
  expect(unused).toEqual([]);
  expect(throughWholeFile(parseConfig(bridges, "desk.yaml"))).toEqual(parseConfig(bridges, "desk.yaml"));
});

test.each([
  "trades",
  "trades[].time",
  "tradeHistory[].time",
  "tradeHistory.newestFirst",
  "totals.USD",
  "totals.totals.USD.total",
  "calculatePnl.rejected[].index",
  "dailyPnl",
  "dailyPnl[]",
  "positionDetail.position.averagePrice",
])("the path %s can be excluded", (path) => {
  const text = `exclusions: [{ path: "${path}", reason: b, owner: c, until: 2026-12-31 }]`;
  expect(parseConfig(text, "desk.yaml").exclusions).toMatchObject([{ path }]);
});

test.each([
  "trade[].time",
  "totals.USD.pnl",
  "positions.symbol",
  "openPositions[].mark",
  "totals.totals.a.b",
])("the path %j, which names no compared field, cannot be excluded", (path) => {
  const error = refusal(`exclusions: [{ path: "${path}", reason: b, owner: c, until: 2026-12-31 }]`);
  expect([error.where, error.message]).toEqual([
    "desk.yaml:1:22",
    expect.stringContaining("must be the path of a field that is compared"),
  ]);
});

test("tokens can belong to people", () => {
  const people =
    "[{ name: trader1, role: operator, env: PNL_TOKEN_TRADER1 }, " +
    "{ name: Zoë B, role: admin, env: PNL_TOKEN_ZOE }]";
  const config = parseConfig(`gateway: { listen: 0.0.0.0:80, tokens: ${people} }`, "desk.yaml");
  expect(config.gateway.tokens).toEqual([
    { name: "trader1", role: "operator", env: "PNL_TOKEN_TRADER1" },
    { name: "Zoë B", role: "admin", env: "PNL_TOKEN_ZOE" },
  ]);
  expect(throughWholeFile(config)).toEqual(config);
});

const onePerson = "gateway: { tokens: [{ name: amy, role: operator, env: A }";

// [the file, line:column, what the error must say, how to fix]
test.each([
  ["database: { bridge_tabels: inside }", "1:13", 'unknown key "database.bridge_tabels"', '"bridge_tables"?'],
  ["database: { bridge_tables: besides }", "1:28", "must be inside or beside, not besides", '"beside"?'],
  ["database: { lease_ms: 0 }", "1:23", "from 1 to 9999999, not 0", ""],
  ["database: { lease_ms: 010 }", "1:23", "must be a whole number of milliseconds", ""],
  ["watch: { mode: inotify }", "1:16", "must be auto, events or poll, not inotify", ""],
  ["watch: { market_prices: [], scan_s: 5 }", "1:29", 'unknown key "watch.scan_s"', '"scan_ms"?'],
  ["watch: { market_prices: [./a, ''] }", "1:31", "watch.market_prices.1 must be a folder", ""],
  ["watch: { market_prices: { a: 1 } }", "1:25", "watch.market_prices must be a folder", ""],
  ["watch: { include: ['../x.csv'] }", "1:20", "must be a list of file names", ""],
  ["gates: { accuracy: { reply: 0.1 } }", "1:22", 'unknown key "gates.accuracy.reply"', '"replay"?'],
  ["gates: { accuracy: { live: 2 } }", "1:28", "above 0, up to 1, not 2", ""],
  ["gates: { replay: 0.1 }", "1:10", 'unknown key "gates.replay"', 'belongs under "gates.accuracy"'],
  ["exclusions: { path: x }", "1:13", "must be a list of exclusions", ""],
  [
    "exclusions: [{ path: totals, reason: b, owner: c }]",
    "1:14",
    "exclusions.0.until is missing",
    "must be a day",
  ],
  [
    "exclusions: [{ path: totals, reason: b, owner: c, until: 2026-02-30 }]",
    "1:58",
    "must be a day, such as 2026-12-31",
    "",
  ],
  ["exclusions: [{ path: totals, reson: b }]", "1:14", "exclusions.0.reason is missing", ""],
  [
    "exclusions: [{ path: 'tradeHistory[].tmie', reason: b, owner: c, until: 2026-12-31 }]",
    "1:22",
    "must be the path of a field that is compared",
    'did you mean "tradeHistory[].time"?',
  ],
  ["stores: { modern: ./newpnl.db }", "1:19", "must be sqlite:FILE or postgres://HOST/DATABASE", ""],
  ["stores: { legacy: 'postgres://desk:hunter2@db/pnl', x: 1 }", "1:53", 'unknown key "stores.x"', ""],
  [`${onePerson}, { name: bob, rol: viewer, env: B }] }`, "1:60", "gateway.tokens.1.role is missing", ""],
  [`${onePerson}, { name: ' bob', role: viewer, env: B }] }`, "1:68", "must be a name", ""],
])(
  "%j is refused at %s (keys outside `migration`, `systems` and `control`)",
  (text, lineAndColumn, what, fix) => {
    const error = refusal(text);
    expect([error.where, error.message, error.fix]).toEqual([
      `desk.yaml:${lineAndColumn}`,
      expect.stringContaining(what),
      expect.stringContaining(fix),
    ]);
  },
);
