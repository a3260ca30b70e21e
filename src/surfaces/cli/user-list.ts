import { plain } from "../../base/plain-text.ts";
import * as option from "./options.ts";
import type { CommandSpec } from "./spec.ts";
import { type CommandResult, jsonResult } from "./terminal.ts";

/** Prints a list of users, a line each. */
export const userListCommand = (list: "whitelist" | "denylist"): CommandSpec => ({
  name: `${list} list`,
  about: "who is on it, a line each",
  options: [option.fleetConfig(), option.store(), option.json()],
  run: async (options: {
    readonly config?: string;
    readonly store?: string;
    readonly json?: boolean;
  }): Promise<CommandResult> => {
    const { userList } = await import("../../app/control/commands.ts");
    const users = await userList(list, options);
    return options.json
      ? jsonResult({ users }, true)
      : { exitCode: 0, text: users.length === 0 ? "nobody" : users.map(plain).join("\n") };
  },
});
