import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type EffectivePlan, effectivePlan, planSources, simpleGates } from "../../src/control/index.ts";
import { type Phase, phases } from "../../src/domain/migration/phase.ts";
import { type MigrationMode, migrationModes, writesOf } from "../../src/domain/migration/plan.ts";
import { routeOf } from "../../src/domain/migration/route.ts";
import { recordWith } from "../../src/testing/control-record.ts";
import { root } from "../cli/run-cli.ts";

const page = await readFile(join(root, "docs/control-plane.md"), "utf8");

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
const code = (text: string): string => `\`${text}\``;

const allFlags = { calculator: true, storage: true, reports: true };
const planOf = (phase: Phase, mode: MigrationMode, isInUse: boolean, isClosed: boolean): EffectivePlan["plan"] =>
  effectivePlan(
    recordWith(
      { grantedPhase: phase, legacyWindow: isClosed ? "closed" : "open" },
      { phase, migrationMode: mode, useNewPnlSystem: isInUse, userWhitelist: ["amy"], newSystemPercentage: 0 },
    ),
    { phase, flags: allFlags },
    false,
  ).plan;

/** Who answers whom is let in and whom is not, who shadows them, and who is written. */
function cells(plan: EffectivePlan["plan"]): readonly string[] {
  const routes = [{ user: "amy" }, { user: "bob" }].map((key) => routeOf(plan, key, 0));
  const answers = new Set(routes.map(({ answer }) => answer));
  const shadows = new Set(routes.map(({ shadow }) => shadow ?? "nobody"));
  return [
    answers.size > 1 ? "by route" : [...answers].join(),
    shadows.size > 1 ? "the other" : [...shadows].join(),
    writesOf(plan).join(", "),
  ];
}

const planRows = [...phases.map((phase) => [phase, false] as const), ["cleanup", true] as const].flatMap(([phase, isClosed]) =>
  migrationModes.map((mode) => [
    `${code(phase)}${isClosed ? ", window closed" : ""}`,
    code(mode),
    ...cells(planOf(phase, mode, true, isClosed)),
    ...cells(planOf(phase, mode, false, isClosed)),
  ]),
);

const tables: Readonly<Record<string, string>> = {
  sources: table(
    ["source", "who said so"],
    Object.entries(planSources).map(([name, meaning]) => [code(name), meaning]),
  ),
  plans: table(
    ["phase", "migration_mode", "in use: answers", "shadow", "written", "out of use: answers", "shadow", "written"],
    planRows,
  ),
  gates: table(
    ["gate", "open when"],
    simpleGates.map(({ name, title }) => [code(name), title]),
  ),
};

describe("docs/control-plane.md prints what the code says", () => {
  it.each(Object.entries(tables))("%s", (name, text) => {
    expect(page).toContain(`<!-- ${name} -->\n${text}\n<!-- /${name} -->`);
  });

  it("links to pages that are there", async () => {
    for (const [, path = ""] of page.matchAll(/\]\(([^)#]+)/g)) await readFile(join(root, "docs", path));
  });
});
