import type { CommandSpec } from "../spec.ts";
import { userListCommands } from "../user-list.ts";

export const commands: readonly CommandSpec[] = userListCommands(
  "denylist",
  "Adds a user, who then gets legacy's answers",
  "Removes a user",
);
