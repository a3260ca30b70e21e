import { type EffectivePlan, effectivePlan, planSources, simpleGates } from "../../src/control/index.ts";
import { type Phase, phases } from "../../src/domain/migration/phase.ts";
import { type MigrationMode, migrationModes, writesOf } from "../../src/domain/migration/plan.ts";
import { routeOf } from "../../src/domain/migration/route.ts";
import { recordWith } from "../../src/testing/control-record.ts";
import { type Blocks, code, meanings, table } from "./markdown.ts";

const allFlags = { calculator: true, storage: true, reports: true };
const planOf = (
  phase: Phase,
  mode: MigrationMode,
  isInUse: boolean,
  isClosed: boolean,
): EffectivePlan["plan"] =>
  effectivePlan(
    recordWith(
      { grantedPhase: phase, legacyWindow: isClosed ? "closed" : "open" },
      {
        phase,
        migrationMode: mode,
        useNewPnlSystem: isInUse,
        userWhitelist: ["amy"],
        newSystemPercentage: 0,
      },
    ),
    { phase, flags: allFlags },
    false,
  ).plan;

/**
 * Returns the three cells of a plan: the answering side and the shadow, each for a user on the whitelist and
 * for another user, and the sides that are written.
 */
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

const planRows = () =>
  [...phases.map((phase) => [phase, false] as const), ["cleanup", true] as const].flatMap(
    ([phase, isClosed]) =>
      migrationModes.map((mode) => [
        `${code(phase)}${isClosed ? ", window closed" : ""}`,
        code(mode),
        ...cells(planOf(phase, mode, true, isClosed)),
        ...cells(planOf(phase, mode, false, isClosed)),
      ]),
  );

export const blocks: Blocks = {
  sources: () => meanings("source", planSources),
  plans: () =>
    table(
      [
        "phase",
        "migration_mode",
        "in use: answers",
        "shadow",
        "written",
        "out of use: answers",
        "shadow",
        "written",
      ],
      planRows(),
    ),
  gates: () =>
    table(
      ["gate", "open when"],
      simpleGates.map(({ name, title }) => [code(name), title]),
    ),
};
