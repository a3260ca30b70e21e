import type { CommandSpec } from "../spec.ts";
import { userListCommands } from "../user-list.ts";

export const commands: readonly CommandSpec[] = userListCommands("whitelist", "lets a user in", "takes a user out");
