import { whitelist } from "../../../app/control/commands.ts";
import { type CommandResult, jsonResult, type Streams } from "../terminal.ts";

interface Options {
  readonly change: "add" | "remove";
  readonly user: string;
  readonly config?: string;
  readonly store?: string;
  readonly reason: string;
  readonly actor?: string;
  readonly json?: boolean;
}

export async function run(options: Options, _streams: Streams): Promise<CommandResult> {
  const { change, user } = options;
  const record = await whitelist(change, user, options);
  if (options.json) return jsonResult({ changed: record !== null, epoch: record?.epoch ?? null }, true);
  const was = change === "add" ? "is on the whitelist already" : "is not on the whitelist";
  return {
    exitCode: 0,
    text: record === null ? `${user} ${was}` : `${user} ${change === "add" ? "added" : "removed"}, epoch ${record.epoch}`,
  };
}
