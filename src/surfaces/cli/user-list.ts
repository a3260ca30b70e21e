import { Argument } from "commander";
import type { ListChange, UserList } from "../../app/control/commands.ts";
import { personName } from "../../base/person-name.ts";
import { plain } from "../../base/plain-text.ts";
import * as option from "./options.ts";
import type { CommandSpec } from "./spec.ts";
import { type CommandResult, jsonResult } from "./terminal.ts";

interface ListOptions {
  readonly config?: string;
  readonly store?: string;
  readonly json?: boolean;
}

interface ChangeOptions extends ListOptions, ListChange {
  readonly reason: string;
  readonly actor?: string;
}

/** Defines the commands `add`, `remove` and `list` of a list of users. */
export function userListCommands(
  list: UserList,
  aboutAdd: string,
  aboutRemove: string,
): readonly CommandSpec[] {
  const change = {
    options: [option.reason(), option.actor(), option.fleetConfig(), option.store(), option.json()],
    argument: new Argument("<user>", "the user's name"),
    run: (options: ChangeOptions) => changeList(list, options),
  };
  return [
    {
      ...change,
      name: `${list} add`,
      about: aboutAdd,
      example: `${list} add trader1 --reason "she agreed"`,
      fixed: { change: "add" },
    },
    {
      ...change,
      name: `${list} remove`,
      about: aboutRemove,
      example: `${list} remove trader1 --reason "on leave"`,
      fixed: { change: "remove" },
    },
    {
      name: `${list} list`,
      about: "Prints the users, one per line",
      example: `${list} list`,
      options: [option.fleetConfig(), option.store(), option.json()],
      run: (options: ListOptions) => printList(list, options),
    },
  ];
}

async function changeList(list: UserList, options: ChangeOptions): Promise<CommandResult> {
  const commands = await import("../../app/control/commands.ts");
  const { change } = options;
  const record = await commands.changeList(list, options);
  const user = plain(personName(options.user));
  if (options.json) return jsonResult({ changed: record !== null, epoch: record?.epoch ?? null }, true);
  const was = change === "add" ? `is on the ${list} already` : `is not on the ${list}`;
  return {
    exitCode: 0,
    text:
      record === null
        ? `${user} ${was}`
        : `${user} ${change === "add" ? "added" : "removed"}, epoch ${record.epoch}`,
  };
}

async function printList(list: UserList, options: ListOptions): Promise<CommandResult> {
  const { userList } = await import("../../app/control/commands.ts");
  const users = await userList(list, options);
  return options.json
    ? jsonResult({ users }, true)
    : { exitCode: 0, text: users.length === 0 ? "nobody" : users.map(plain).join("\n") };
}
