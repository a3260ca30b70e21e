import { Argument } from "commander";
import { personName } from "../../../base/person-name.ts";
import { plain } from "../../../base/plain-text.ts";
import * as option from "../options.ts";
import type { CommandSpec } from "../spec.ts";
import { type CommandResult, jsonResult, type Streams } from "../terminal.ts";
import { userListCommand } from "../user-list.ts";

const change = {
  options: [option.reason(), option.actor(), option.fleetConfig(), option.store(), option.json()],
  argument: new Argument("<user>", "the user's name"),
  run,
};

export const commands: readonly CommandSpec[] = [
  { ...change, name: "whitelist add", about: "lets a user in", fixed: { change: "add" } },
  { ...change, name: "whitelist remove", about: "takes a user out", fixed: { change: "remove" } },
  userListCommand("whitelist"),
];

interface Options {
  readonly change: "add" | "remove";
  readonly user: string;
  readonly config?: string;
  readonly store?: string;
  readonly reason: string;
  readonly actor?: string;
  readonly json?: boolean;
}

async function run(options: Options, _streams: Streams): Promise<CommandResult> {
  const { whitelist } = await import("../../../app/control/commands.ts");
  const { change } = options;
  const record = await whitelist(change, options.user, options);
  const user = plain(personName(options.user));
  if (options.json) return jsonResult({ changed: record !== null, epoch: record?.epoch ?? null }, true);
  const was = change === "add" ? "is on the whitelist already" : "is not on the whitelist";
  return {
    exitCode: 0,
    text: record === null ? `${user} ${was}` : `${user} ${change === "add" ? "added" : "removed"}, epoch ${record.epoch}`,
  };
}
