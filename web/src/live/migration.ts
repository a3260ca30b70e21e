/** The state of the migration, which the header and several views show, and whose epoch commands carry. */
import type { Migration } from "../wire.ts";
import { question } from "./question.ts";

export const migration = question<Migration>("migration", {
  on: ["plan", "freshness", "resync", "owed", "database"],
  everyMs: 3_000,
});
