import type { ConfigValue } from "../../../app/control/config.ts";
import { plain } from "../../../base/plain-text.ts";
import * as option from "../options.ts";
import type { CommandSpec } from "../spec.ts";
import { type CommandResult, colourful, jsonResult, painter, type Streams } from "../terminal.ts";

export const commands: readonly CommandSpec[] = [
  {
    name: "config show",
    about: "every value that holds, with its source; secrets are left out",
    options: [option.config(), option.json()],
    run,
  },
];

async function run(options: { readonly config?: string; readonly json?: boolean }, { out }: Streams): Promise<CommandResult> {
  const { showConfig } = await import("../../../app/control/config.ts");
  const { values, unused, store } = await showConfig(options.config);
  if (options.json)
    return jsonResult({ file: options.config ?? null, values, unused, ...(store !== undefined && { store }) }, true);
  const paint = painter(colourful(out));
  const rows = values.map(({ key, value, from }) => ({ key, value: plain(textOf(value)), from }));
  const keyWidth = Math.max(...rows.map(({ key }) => key.length));
  const valueWidth = Math.min(valueWidthMax, Math.max(...rows.map(({ value }) => value.length)));
  const lines = rows.map(({ key, value, from }) => {
    const source = from === "default" ? paint("dim", from) : plain(from);
    return `${key.padEnd(keyWidth)}  ${value.padEnd(valueWidth)}  ${source}`;
  });
  const note = unused.length === 0 ? [] : [`${paint("yellow", "no effect in this version")}: ${unused.join(", ")}`];
  const away = store === undefined ? [] : [`${paint("yellow", "the control store cannot be asked")}: ${plain(store)}`];
  return { exitCode: 0, text: [...lines, ...note, ...away].join("\n") };
}

/** Longer ones push their source to the right. */
const valueWidthMax = 40;

const textOf = (value: ConfigValue["value"]): string =>
  Array.isArray(value) ? `[${value.join(", ")}]` : value === null ? "(none)" : String(value);
