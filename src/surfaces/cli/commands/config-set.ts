import { setConfigValue } from "../../../app/control/config.ts";
import { plain } from "../../../base/plain-text.ts";
import { type CommandResult, jsonResult, type Streams } from "../terminal.ts";

interface Options {
  readonly change: readonly [key: string, value?: string];
  readonly config: string;
  readonly json?: boolean;
}

export async function run({ change: [key, value], config, json }: Options, _streams: Streams): Promise<CommandResult> {
  const changed = await setConfigValue(config, key, value);
  if (json) return jsonResult({ file: config, key, changed }, true);
  const what = value === undefined ? `${plain(key)} removed` : `${plain(key)} is ${plain(value)}`;
  return { exitCode: 0, text: changed ? `${what} in ${plain(config)}` : `${what} in ${plain(config)} already` };
}
