/** The gateway's answers, as its own schemas describe them. The page imports types only, and no schema. */
import type { z } from "zod";
import type {
  comparison,
  comparisonExplanation,
  comparisonList,
} from "../../src/surfaces/gateway/wire/comparisons.ts";
import type { dashboardAnswer } from "../../src/surfaces/gateway/wire/dashboard.ts";
import type {
  databaseStatus,
  fileReview,
  filesStatus,
  quarantine,
} from "../../src/surfaces/gateway/wire/files.ts";
import type * as plan from "../../src/surfaces/gateway/wire/migration.ts";
import type { session } from "../../src/surfaces/gateway/wire/session.ts";

export type { EventData } from "../../src/surfaces/gateway/wire/events.ts";
export type { Problem } from "../../src/surfaces/gateway/wire/problem.ts";

export type Session = z.output<typeof session>;
export type Dashboard = z.output<typeof dashboardAnswer>;
export type Panels = Dashboard["value"];
export type Position = NonNullable<Panels["positions"]>[number];
export type Day = NonNullable<Panels["daily"]>[number];
export type Trade = NonNullable<Panels["trades"]>[number];
export type Money = Pick<Position, "realized" | "unrealized" | "total">;

export type Migration = z.output<typeof plan.status>;
export type Gates = z.output<typeof plan.gateReport>;
export type Move = z.output<typeof plan.moveResult>;
export type RollbackAnswer = z.output<typeof plan.rollbackResult>;
export type Traffic = z.output<typeof plan.trafficResult>;
export type AuditRow = z.output<typeof plan.auditPage>["rows"][number];
export type AuditVerification = z.output<typeof plan.auditVerification>;
export type Comparison = z.output<typeof comparison>;
export type ComparisonExplanation = z.output<typeof comparisonExplanation>;
export type ComparisonList = z.output<typeof comparisonList>;
export type FilesStatus = z.output<typeof filesStatus>;
export type FileReview = z.output<typeof fileReview>;
export type DatabaseStatus = z.output<typeof databaseStatus>;
export type Quarantine = z.output<typeof quarantine>;

export type Phase = Migration["phase"];
/** The phases in their order. */
export const phases = [
  "read_only",
  "shadow_mode",
  "dual_write",
  "primary_switch",
  "cleanup",
] as const satisfies readonly Phase[];
