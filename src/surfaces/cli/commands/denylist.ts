import type { CommandSpec } from "../spec.ts";
import { userListCommands } from "../user-list.ts";

export const commands: readonly CommandSpec[] = userListCommands(
  "denylist",
  "Adds a user, who then gets legacy's answers in every phase",
  "Removes a user, whose calls then follow the phase, whitelist and percentage",
);
