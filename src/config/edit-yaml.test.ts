import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { runs } from "../../test/campaigns.ts";
import {
  editValue,
  editYaml,
  flowText,
  migrationSection,
  NumberText,
  parseConfig,
  type YamlEdit,
} from "./index.ts";
import { readYaml } from "./located-yaml.ts";

const desk = `# The desk's migration.
migration:
  phase: shadow_mode                 # read_only | shadow_mode | …
  feature_flags: { use_new_calculator: false,   use_new_storage: true }   # flags
  traffic_routing:
    new_system_percentage: 0 # percent

    user_whitelist:   # who is in
      - amy  # asked for it
      - bob
    user_denylist: [eve, mallory]
# The systems.
systems:
    legacy: { kind: builtin, name: legacy-desk }
stores:
`;

const numberText = (value: number): NumberText => new NumberText(String(value));

const percentage = "migration.traffic_routing.new_system_percentage";
const whitelist = "migration.traffic_routing.user_whitelist";
const denylist = "migration.traffic_routing.user_denylist";

// [what, edits, each line that is removed, each line that is added]
const cases: readonly (readonly [string, readonly YamlEdit[], readonly string[], readonly string[]])[] = [
  [
    "a number",
    [{ path: percentage, value: new NumberText("12.5") }],
    ["    new_system_percentage: 0 # percent"],
    ["    new_system_percentage: 12.5 # percent"],
  ],
  [
    "a text that many spaces separate from its comment",
    [{ path: "migration.phase", value: "dual_write" }],
    ["  phase: shadow_mode                 # read_only | shadow_mode | …"],
    ["  phase: dual_write                 # read_only | shadow_mode | …"],
  ],
  [
    "within braces",
    [{ path: "migration.feature_flags.use_new_calculator", value: true }],
    ["  feature_flags: { use_new_calculator: false,   use_new_storage: true }   # flags"],
    ["  feature_flags: { use_new_calculator: true,   use_new_storage: true }   # flags"],
  ],
  [
    "a new key within braces",
    [{ path: "migration.feature_flags.use_new_reports", value: true }],
    ["  feature_flags: { use_new_calculator: false,   use_new_storage: true }   # flags"],
    [
      "  feature_flags: { use_new_calculator: false,   use_new_storage: true, use_new_reports: true }   # flags",
    ],
  ],
  [
    "a removed key within braces",
    [{ path: "migration.feature_flags.use_new_calculator", value: undefined }],
    ["  feature_flags: { use_new_calculator: false,   use_new_storage: true }   # flags"],
    ["  feature_flags: { use_new_storage: true }   # flags"],
  ],
  [
    "a removed last key within braces",
    [{ path: "migration.feature_flags.use_new_storage", value: undefined }],
    ["  feature_flags: { use_new_calculator: false,   use_new_storage: true }   # flags"],
    ["  feature_flags: { use_new_calculator: false }   # flags"],
  ],
  ["an added item", [{ path: whitelist, value: ["amy", "bob", "cy: d"] }], [], ['      - "cy: d"']],
  ["a removed item", [{ path: whitelist, value: ["amy"] }], ["      - bob"], []],
  [
    "a replaced item",
    [{ path: whitelist, value: ["bob", "cy"] }],
    ["      - amy  # asked for it"],
    ["      - cy"],
  ],
  [
    "another list",
    [{ path: whitelist, value: ["cy"] }],
    ["    user_whitelist:   # who is in", "      - amy  # asked for it", "      - bob"],
    ["    user_whitelist: [cy]   # who is in"],
  ],
  [
    "an empty list",
    [{ path: whitelist, value: [] }],
    ["    user_whitelist:   # who is in", "      - amy  # asked for it", "      - bob"],
    ["    user_whitelist: []   # who is in"],
  ],
  [
    "an added item in brackets",
    [{ path: denylist, value: ["eve", "mallory", "no"] }],
    ["    user_denylist: [eve, mallory]"],
    ['    user_denylist: [eve, mallory, "no"]'],
  ],
  [
    "a removed item in brackets",
    [{ path: denylist, value: ["mallory"] }],
    ["    user_denylist: [eve, mallory]"],
    ["    user_denylist: [mallory]"],
  ],
  [
    "a removed list",
    [{ path: whitelist, value: undefined }],
    ["    user_whitelist:   # who is in", "      - amy  # asked for it", "      - bob"],
    [],
  ],
  [
    "a key in a section",
    [{ path: "migration.traffic_routing.bucket_by", value: "user" }],
    [],
    ["    bucket_by: user"],
  ],
  [
    "a section in a section",
    [{ path: "migration.validation.alert_on_mismatch", value: false }],
    [],
    ["  validation: { alert_on_mismatch: false }"],
  ],
  [
    "sections at the end",
    [{ path: "gateway.tokens.admin", value: "PNL_ADMIN" }],
    [],
    ["gateway:", "  tokens: { admin: PNL_ADMIN }"],
  ],
  [
    "a key of an empty section",
    [{ path: "stores.control", value: "sqlite:./c.db" }],
    ["stores:"],
    ['stores: { control: "sqlite:./c.db" }'],
  ],
  ["a removed key that is not in the file", [{ path: "gateway.listen", value: undefined }], [], []],
  ["a value that the key already has", [{ path: percentage, value: new NumberText("0") }], [], []],
  [
    "two",
    [
      { path: "migration.phase", value: "read_only" },
      { path: "stores", value: undefined },
    ],
    ["  phase: shadow_mode                 # read_only | shadow_mode | …", "stores:"],
    ["  phase: read_only                 # read_only | shadow_mode | …"],
  ],
];

test.each(cases)("an edit changes nothing else: %s", (_, edits, gone, come) => {
  for (const ending of ["\n", "\r\n"]) {
    for (const mark of ["", "\uFEFF"]) {
      const before = mark + desk.replaceAll("\n", ending);
      const after = editYaml(before, edits).split(ending);
      const old = before.split(ending);
      expect(old.filter((line) => !after.includes(line))).toEqual(gone);
      expect(after.filter((line) => !old.includes(line))).toEqual(come);
      expect(after.length).toBe(old.length - gone.length + come.length);
    }
  }
});

test.each([
  ["", "migration: { phase: read_only }\n"],
  ["# why", "# why\nmigration: { phase: read_only }"],
  ["---\n", "---\nmigration: { phase: read_only }\n"],
  ["{}", "{ migration: { phase: read_only } }"],
  ["{ stores: {}, }\n", "{ stores: {}, migration: { phase: read_only }, }\n"],
  ["migration:", "migration: { phase: read_only }"],
  ["migration:  # soon\n", "migration: { phase: read_only }  # soon\n"],
  ["migration: ~\n", "migration: { phase: read_only }\n"],
  ["migration:\n  phase: |-\n    shadow_mode\nstores: {}\n", "migration:\n  phase: read_only\nstores: {}\n"],
  ["migration:\n  phase: 'shadow_mode'", "migration:\n  phase: read_only"],
])("a phase is set in %j", (before, after) => {
  expect(editYaml(before, [{ path: "migration.phase", value: "read_only" }])).toBe(after);
});

test("a comment between items stays", () => {
  const text =
    "migration:\n  traffic_routing: { user_denylist: [\n      eve, # bad\n      mallory # worse\n    ] }\n";
  const edited = editYaml(text, [{ path: denylist, value: ["eve"] }]);
  expect(edited).toContain("# bad");
  expect(parseConfig(edited, "f").plan.userDenylist).toEqual(new Set(["eve"]));
});

describe("aliases", () => {
  const shared =
    "migration:\n  validation:\n    comparison_threshold: &t 0.5 # a\n    position_threshold: *t # b\n";
  test("an alias can be replaced by a value of its own", () => {
    expect(editYaml(shared, [{ path: "migration.validation.position_threshold", value: "0.1" }])).toBe(
      shared.replace("*t", '"0.1"'),
    );
  });
  test("a value that an alias shares is not changed", () => {
    expect(() =>
      editYaml(shared, [{ path: "migration.validation.comparison_threshold", value: new NumberText("1") }]),
    ).toThrow(expect.objectContaining({ code: "BAD_CONFIG", fix: "change the file by hand" }));
  });
});

test.each([
  ["a key that is not known", desk, "migration.phse", 'unknown key "migration.phse"'],
  [
    "a value that the key does not accept",
    desk,
    "migration.traffic_routing.bucket_by",
    "must be book or user",
  ],
  ["a file that is not a configuration", "migration: [", "migration.phase", ""],
  ["a key below a value", desk, "migration.phase.x", "cannot be changed"],
])("an edit is refused because of %s", (_, text, path, what) => {
  expect(() => editYaml(text, [{ path, value: "x" }], "desk.yaml")).toThrow(
    expect.objectContaining({
      code: "BAD_CONFIG",
      message: expect.stringContaining(what),
      where: expect.stringMatching(/^desk\.yaml/),
    }),
  );
});

test("property: a series of edits sets the values and keeps every comment outside of them", () => {
  // The configuration refuses blank names.
  const anyName = fc.string({ minLength: 1 }).filter((name) => name.trim() !== "");
  const users = fc.array(
    fc.oneof(fc.constantFrom("amy", "bob", "eve", "1", "no", "a: b", "ü # x"), anyName),
    { maxLength: 4 },
  );
  const edit = fc.oneof(
    fc.record({ path: fc.constantFrom(whitelist, denylist), value: fc.option(users, { nil: undefined }) }),
    fc.record({
      path: fc.constant(percentage),
      value: fc.option(fc.nat(100).map(numberText), { nil: undefined }),
    }),
    fc.record({ path: fc.constant("migration.phase"), value: fc.constantFrom("read_only", "shadow_mode") }),
    fc.record({
      path: fc.constant("migration.feature_flags.use_new_reports"),
      value: fc.option(fc.boolean(), { nil: undefined }),
    }),
    fc.record({
      path: fc.constant("migration.triggers.window_s"),
      value: fc.option(fc.integer({ min: 1, max: 9 }).map(numberText), { nil: undefined }),
    }),
    fc.record({
      path: fc.constant("migration.feature_flags.use_new_calculator"),
      value: fc.option(fc.boolean(), { nil: undefined }),
    }),
  );
  fc.assert(
    fc.property(
      fc.constantFrom(desk, "", "{}", "migration:\n"),
      fc.array(edit, { maxLength: 6 }),
      (start, edits) => {
        let text: string = start;
        for (const { path, value } of edits as readonly YamlEdit[]) {
          text = editYaml(text, [{ path, value }]);
          const read = path
            .split(".")
            .reduce<unknown>(
              (inner, key) => (inner as Record<string, unknown> | null)?.[key],
              readYaml(text).value,
            );
          expect(read ?? undefined).toEqual(value instanceof NumberText ? value.source : value);
        }
        for (const comment of start === desk
          ? ["# The desk's migration.", "                 # read_only |", "   # flags", "# The systems."]
          : [])
          expect(text).toContain(comment);
        // The result can be published for the fleet and read again.
        expect(migrationSection(parseConfig(text, "f"))).toContain("phase");
      },
    ),
    { numRuns: runs(60, 300) },
  );
});

test.each([
  "007",
  "1e3",
  "0x1F",
  "12345678901234567890",
  "0.123456789012345678901234",
  "-.5",
  "true",
  "amy",
  '"007"',
  "[007, 1e3, amy]",
  "{ role: viewer, port: 080 }",
])("a typed value is written as it was typed: %s", (typed) => {
  expect(flowText(editValue(typed))).toBe(typed);
});
