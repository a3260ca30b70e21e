import type { CommandSpec } from "../spec.ts";
import { userListCommands } from "../user-list.ts";

export const commands: readonly CommandSpec[] = userListCommands("denylist", "keeps a user with legacy", "lets go of a user");
