import type { CommandSpec } from "../spec.ts";
import { userListCommand } from "../user-list.ts";

export const commands: readonly CommandSpec[] = [userListCommand("denylist")];
