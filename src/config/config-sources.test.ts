import { expect, test } from "vitest";
import { type ConfigValue, configSources, listConfig } from "./index.ts";

const valuesOf = (text: string): ReadonlyMap<string, ConfigValue> =>
  new Map(configSources(text, "desk.yaml").values.map((value) => [value.key, value]));

test("the built-in configuration lists every value as a default", async () => {
  const { values, unused } = await listConfig(undefined);
  expect(values.every(({ from }) => from === "default")).toBe(true);
  expect(unused).toEqual([]);
  // The keys below migration.triggers and their defaults are the rows of control/triggers.ts.
  const others = values.filter(({ key }) => !key.startsWith("migration.triggers."));
  expect(others.map(({ key, value }) => `${key} ${JSON.stringify(value)}`)).toMatchInlineSnapshot(`
    [
      "migration.phase "shadow_mode"",
      "migration.feature_flags.use_new_calculator false",
      "migration.feature_flags.use_new_storage false",
      "migration.feature_flags.use_new_reports false",
      "migration.traffic_routing.new_system_percentage 0",
      "migration.traffic_routing.user_whitelist []",
      "migration.traffic_routing.user_denylist []",
      "migration.traffic_routing.bucket_by "book"",
      "migration.validation.comparison_threshold "0.01"",
      "migration.validation.position_threshold "0.0001"",
      "migration.validation.alert_on_mismatch true",
      "migration.monitoring.log_all_calculations true",
      "migration.monitoring.performance_tracking true",
      "migration.monitoring.alert_url null",
      "migration.approvals.two_person []",
      "systems.legacy.kind "builtin"",
      "systems.legacy.name "legacy-desk"",
      "systems.legacy.mode "chained"",
      "systems.modern.kind "builtin"",
      "systems.modern.name "modern-engine"",
      "stores.control null",
      "stores.legacy null",
      "stores.modern null",
      "database.bridge_tables "inside"",
      "database.legacy_book """,
      "database.cutover_budget_ms 2000",
      "database.done_rows_days 7",
      "database.lease_ms 3000",
      "shadow.keep_requests 200",
      "shadow.control_percentage 0",
      "watch.trade_ledger null",
      "watch.market_prices []",
      "watch.mode "auto"",
      "watch.scan_ms 1000",
      "watch.settle_ms 500",
      "watch.include ["trades_*.csv","Futures_*.csv","Options_*.csv","market_prices_*.csv"]",
      "watch.republished "quarantine"",
      "watch.legacy_sink "records"",
      "watch.lease_ms 3000",
      "reports.dir "./reports"",
      "dashboard.interval_ms 1000",
      "dashboard.legacy null",
      "dashboard.controller "v1"",
      "gateway.listen "127.0.0.1:8080"",
      "gateway.allowed_hosts []",
      "gateway.rate_limit_per_s 0",
      "gates.profile "desk"",
      "gates.accuracy.replay 0.01",
      "gates.accuracy.live 0.05",
      "gates.accuracy.served 0.01",
      "gates.days 5",
      "exclusions []",
      "control.instance null",
      "control.heartbeat_ms 1000",
      "control.lease_ms 60000",
      "control.stale_ms 5000",
      "control.poll_ms 1000",
    ]
  `);
});

test("each value names its source", () => {
  const values = valuesOf(
    `migration:
  phase: read_only
  feature_flags:
  traffic_routing: { user_whitelist: [bob, amy], user_denylist: }
  monitoring: { alert_url: null }
systems:
  modern: { kind: command, command: [desk, serve] }
control: { stale_ms: 5000 }
`,
  );
  const from = (key: string) => [values.get(key)?.value, values.get(key)?.from];
  expect(from("migration.phase")).toEqual(["read_only", "desk.yaml:2:10"]);
  expect(from("migration.feature_flags.use_new_storage")).toEqual([false, "default"]);
  expect(from("migration.traffic_routing.user_whitelist")).toEqual([["amy", "bob"], "desk.yaml:4:38"]);
  expect(from("migration.traffic_routing.user_denylist")).toEqual([[], "default"]);
  expect(from("migration.monitoring.alert_url")).toEqual([null, "desk.yaml:5:28"]);
  expect(from("systems.modern.command")).toEqual([["desk", "serve"], "desk.yaml:7:37"]);
  expect(from("systems.modern.pnl_in")).toEqual(["money", "default"]);
  expect(from("systems.legacy.name")).toEqual(["legacy-desk", "default"]);
  // The file sets this value, although to its default.
  expect(from("control.stale_ms")).toEqual([5000, "desk.yaml:8:22"]);
});

test("a value behind an alias names the position of the value with the anchor", () => {
  const text = "migration:\n  validation: { comparison_threshold: &t 0.5, position_threshold: *t }\n";
  expect(valuesOf(text).get("migration.validation.position_threshold")).toMatchObject({
    value: "0.5",
    from: "desk.yaml:2:42",
  });
});

test.each([
  [
    "migration: { monitoring: { alert_url: 'https://hooks.example/T0/hunter2?t=hunter2' } }",
    "migration.monitoring.alert_url",
    "https://hooks.example/…",
  ],
  [
    "stores: { control: 'postgres://desk:hunter2@db.example/pnl' }",
    "stores.control",
    "postgres://…@db.example/pnl",
  ],
  [
    "stores: { control: 'postgres://desk:hunter2@x@db/pnl?sslmode=require' }",
    "stores.control",
    "postgres://…@db/pnl?…",
  ],
  [
    "stores: { control: 'postgresql://db/pnl?user=desk&password=hunter2' }",
    "stores.control",
    "postgresql://db/pnl?…",
  ],
  ["stores: { control: 'postgres:///pnl?password=hunter2@x' }", "stores.control", "postgres://…@x"],
  ["stores: { control: 'sqlite:./a?b.db' }", "stores.control", "sqlite:./a?b.db"],
  [
    "systems: { modern: { kind: http, url: 'https://x/api?key=hunter2' } }",
    "systems.modern.url",
    "https://x/api?…",
  ],
])("no secret is shown: %s", (text, key, value) => {
  expect(valuesOf(text).get(key)?.value).toBe(value);
  expect(JSON.stringify([...valuesOf(text).values()])).not.toContain("hunter2");
});
