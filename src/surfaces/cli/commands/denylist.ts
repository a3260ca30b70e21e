import type { CommandSpec } from "../spec.ts";
import { userListCommands } from "../user-list.ts";

export const commands: readonly CommandSpec[] = userListCommands(
  "denylist",
  "Adds a user, whom legacy answers in every phase before cleanup",
  "Removes a user, whose calls then follow the phase, whitelist and percentage",
);
