/** The state of the migration. The header and several views show it, and commands send its epoch. */
import type { Migration } from "../wire.ts";
import { question } from "./question.ts";

export const migration = question<Migration>("migration", {
  on: ["plan", "freshness", "resync", "owed", "database", "reports"],
  everyMs: 3_000,
});
