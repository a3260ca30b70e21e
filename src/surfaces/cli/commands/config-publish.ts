import { publishFile } from "../../../app/control/commands.ts";
import { type CommandResult, jsonResult, type Streams } from "../terminal.ts";

interface Options {
  readonly config?: string;
  readonly reason: string;
  readonly actor?: string;
  readonly json?: boolean;
}

export async function run(options: Options, _streams: Streams): Promise<CommandResult> {
  const { epoch, published } = await publishFile(options);
  if (options.json) return jsonResult({ epoch, hash: published?.hash ?? null }, true);
  return { exitCode: 0, text: `published for the whole fleet as ${published?.hash.slice(0, 12)}, epoch ${epoch}` };
}
