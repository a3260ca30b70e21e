import type { CommandSpec } from "../spec.ts";
import { userListCommands } from "../user-list.ts";

export const commands: readonly CommandSpec[] = userListCommands(
  "whitelist",
  "Adds a user, who then gets modern's answers in dual_write",
  "Removes a user, whose calls then follow the percentage",
);
