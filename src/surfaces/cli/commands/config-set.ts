import { Argument } from "commander";
import { plain } from "../../../base/plain-text.ts";
import * as option from "../options.ts";
import type { CommandSpec } from "../spec.ts";
import { type CommandResult, jsonResult, type Streams } from "../terminal.ts";

export const commands: readonly CommandSpec[] = [
  {
    name: "config set",
    about: "Changes one value in the file; comments and order stay",
    example: "config set gateway.listen 127.0.0.1:9090",
    options: [option.file(), option.json()],
    argument: new Argument("<change...>", "a dotted key and its value; without a value the key is removed"),
    run,
  },
];

interface Options {
  readonly change: readonly [key: string, value?: string];
  readonly config: string;
  readonly json?: boolean;
}

async function run(
  { change: [key, value], config, json }: Options,
  _streams: Streams,
): Promise<CommandResult> {
  const { setConfigValue } = await import("../../../app/control/config.ts");
  const { changed, value: written } = await setConfigValue(config, key, value);
  if (json) return jsonResult({ file: config, key, changed }, true);
  const what = written === undefined ? `${plain(key)} removed` : `${plain(key)} is ${plain(written)}`;
  return {
    exitCode: 0,
    text: changed ? `${what} in ${plain(config)}` : `${what} in ${plain(config)} already`,
  };
}
