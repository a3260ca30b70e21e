import type { CommandSpec } from "../spec.ts";
import { userListCommands } from "../user-list.ts";

export const commands: readonly CommandSpec[] = userListCommands(
  "denylist",
  "Adds a user, whom legacy then answers",
  "Removes a user",
);
