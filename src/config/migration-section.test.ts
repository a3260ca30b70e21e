import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { phases } from "../domain/migration/phase.ts";
import { planOf } from "../domain/migration/plan.ts";
import {
  defaultConfig,
  isSameSection,
  migrationSection,
  parseConfig,
  readMigrationSection,
  wholeFile,
} from "./index.ts";

const sectionOf = (yaml: string): string => migrationSection(parseConfig(yaml, "desk.yaml"));

test("the text of the defaults sets every key", () => {
  expect(sectionOf("")).toBe(
    '{"approvals":{"two_person":[]},' +
      '"feature_flags":{"use_new_calculator":false,"use_new_reports":false,"use_new_storage":false},' +
      '"phase":"shadow_mode",' +
      '"traffic_routing":{"bucket_by":"book","new_system_percentage":0,' +
      '"user_denylist":[],"user_whitelist":[]},' +
      '"triggers":{"error_calls_min":20,"error_rate":0.5,"owed_age_s":30,' +
      '"proved_harm":true,"quarantine":true,"served_mismatch":true,"window_s":10},' +
      '"validation":{"alert_on_mismatch":true,"comparison_threshold":"0.01","position_threshold":"0.0001"}}',
  );
});

test.each([
  [
    "keys that have their default values",
    "",
    "migration:\n  phase: shadow_mode\n  triggers: { error_rate: 5e-1 }\n".replace("5e-1", "0.50"),
  ],
  [
    "the order of keys and users, and users that appear twice",
    `migration:
  { traffic_routing: { user_whitelist: [bob, amy, bob], new_system_percentage: 12.50 }, phase: read_only }`,
    `migration:
  phase: read_only
  traffic_routing:
    new_system_percentage: 12.5
    user_whitelist: [amy, bob]
`,
  ],
  [
    "blanks around users' names, and their Unicode form",
    "migration: { traffic_routing: { user_whitelist: [' Rene\u0301 '], user_denylist: [' eve'] } }",
    'migration: { traffic_routing: { user_whitelist: ["Ren\u00e9"], user_denylist: [eve] } }',
  ],
  [
    "the spelling of a number",
    "migration: { validation: { comparison_threshold: 1e-2 } }",
    'migration: { validation: { comparison_threshold: "0.010" } }',
  ],
  [
    "the order of approvals",
    "migration: { approvals: { two_person: [cleanup, primary_switch, cleanup] } }",
    "migration: { approvals: { two_person: [primary_switch, cleanup] } }",
  ],
  [
    "the logs and alerts of a process",
    `migration:
  monitoring: { log_all_calculations: false, performance_tracking: false, alert_url: http://x }`,
    "",
  ],
  ["the sections other than `migration`", "gateway: { listen: 127.0.0.1:1 }\ncontrol: { instance: a }", ""],
])("files that differ only in %s have the same text", (_, one, other) => {
  expect(sectionOf(one)).toBe(sectionOf(other));
});

test.each([
  "phase: read_only",
  "traffic_routing: { new_system_percentage: 0.001 }",
  "traffic_routing: { user_whitelist: [amy] }",
  "traffic_routing: { user_denylist: [amy] }",
  "traffic_routing: { bucket_by: user }",
  "feature_flags: { use_new_reports: true }",
  "validation: { alert_on_mismatch: false }",
  "approvals: { two_person: [dual_write] }",
  "triggers: { owed_age_s: 14 }",
])("files that differ in %s have different texts", (said) => {
  expect(sectionOf(`migration: { ${said} }`)).not.toBe(sectionOf(""));
});

const user = fc.oneof(fc.string({ unit: "binary", minLength: 1 }), fc.string({ minLength: 1 }));

test("property: reading a published text gives the same section and the same text again", () => {
  const given = fc.record({
    phase: fc.constantFrom(...phases),
    percentage: fc.nat(100_000).map((thousandths) => thousandths / 1_000),
    whitelist: fc.array(user),
    denylist: fc.array(user),
    twoPerson: fc.shuffledSubarray([...phases]),
    owedAgeS: fc.integer({ min: 1, max: 10_080 }),
    errorRate: fc.integer({ min: 1, max: 1_000 }).map((thousandths) => thousandths / 1_000),
  });
  fc.assert(
    fc.property(given, ({ phase, percentage, whitelist, denylist, twoPerson, owedAgeS, errorRate }) => {
      const flags = { calculator: true, storage: true, reports: true };
      const lists = { userWhitelist: whitelist, userDenylist: denylist };
      const config = {
        ...defaultConfig,
        plan: planOf({ phase, flags, newSystemPercentage: percentage, ...lists }),
        approvals: { twoPerson },
        triggers: { ...defaultConfig.triggers, owedAgeS, errorRate },
      };
      const text = migrationSection(config);
      const read = readMigrationSection(text);
      expect(planOf(read.plan)).toEqual(config.plan);
      const inOrder = phases.filter((phase) => twoPerson.includes(phase));
      expect(read).toMatchObject({
        twoPerson: inOrder,
        triggers: config.triggers,
        validation: config.validation,
      });
      expect(migrationSection(parseConfig(JSON.stringify(wholeFile(config)), "whole.yaml"))).toBe(text);
    }),
  );
});

describe("a text that is not a section is refused", () => {
  const text = sectionOf("migration: { phase: read_only }");
  test.each([
    ["", "it is not JSON"],
    ["null", "it has no phase"],
    ["[]", "it has no phase"],
    ["{}", "it has no phase"],
    ["phase: read_only", "it is not JSON"],
    ['{"phase":"read_only"} # more', "it is not JSON"],
    [text.replace("read_only", "phase_6"), "migration.phase must be"],
    [text.replace('"phase"', '"stage":1,"phase"'), 'unknown key "migration.stage"'],
    [text.replace('"phase"', '"phase":"cleanup","phase"'), "appears twice"],
    [text.replace("read_only", "primary_switch"), "needs the flags"],
    [text.replace('"error_rate":0.5', '"error_rate":5'), "error_rate must be"],
    [text.replace('"phase"', '"monitoring":{"alert_url":"ftp://x/hunter2"},"phase"'), "alert_url must be"],
  ])("%s", (said, why) => {
    expect(() => readMigrationSection(said)).toThrow(
      expect.objectContaining({ code: "BAD_CONFIG", message: expect.stringContaining(why), where: "" }),
    );
    expect(() => readMigrationSection(said)).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining("hunter2") }),
    );
  });

  test("property: any text is read or refused", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.json(),
          fc.nat(text.length).map((cut) => text.slice(0, cut)),
        ),
        (said) => {
          try {
            readMigrationSection(said);
          } catch (error) {
            expect(error).toMatchObject({ code: "BAD_CONFIG" });
          }
        },
      ),
    );
  });
});

test("a key that an older program left out has its default", () => {
  expect(readMigrationSection('{"phase":"read_only"}')).toMatchObject({
    plan: { phase: "read_only", newSystemPercentage: 0 },
    triggers: defaultConfig.triggers,
    twoPerson: [],
  });
});

test("an address for alerts that an older program published has no effect and is listed as ignored", () => {
  const older = '{"phase":"read_only","monitoring":{"alert_url":"https://hooks.example/hunter2"}}';
  expect(readMigrationSection(older).ignored).toEqual(["migration.monitoring.alert_url"]);
  expect(readMigrationSection('{"phase":"read_only","monitoring":{"alert_url":null}}').ignored).toEqual([]);
  expect(JSON.stringify(readMigrationSection(older))).not.toContain("hunter2");
});

test("a text of an older program, which lacks keys, means the same as a text that sets them to their defaults", () => {
  const own = sectionOf("migration: { phase: read_only }");
  const older =
    '{"phase":"read_only","monitoring":{"alert_url":"https://hooks.example/x"},"triggers":{"window_s":10}}';
  expect(isSameSection(older, own)).toBe(true);
  expect(isSameSection(older.replace("10", "11"), own)).toBe(false);
  expect(isSameSection("not JSON", own)).toBe(false);
});
