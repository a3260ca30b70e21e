import * as option from "../options.ts";
import type { CommandSpec } from "../spec.ts";
import { type CommandResult, jsonResult, type Streams } from "../terminal.ts";

export const commands: readonly CommandSpec[] = [
  {
    name: "config publish",
    about: "Makes the file's section `migration:` the plan of the whole fleet",
    example: 'config publish --reason "the new whitelist"',
    options: [option.reason(), option.actor(), option.fleetConfig(), option.json()],
    run,
  },
];

interface Options {
  readonly config?: string;
  readonly reason: string;
  readonly actor?: string;
  readonly json?: boolean;
}

async function run(options: Options, _streams: Streams): Promise<CommandResult> {
  const { publishFile } = await import("../../../app/control/commands.ts");
  const { epoch, published } = await publishFile(options);
  if (options.json) return jsonResult({ epoch, hash: published?.hash ?? null }, true);
  return {
    exitCode: 0,
    text: `published for the whole fleet as ${published?.hash.slice(0, 12)}, epoch ${epoch}`,
  };
}
