import type { ConfigValue } from "../../../app/control/config.ts";
import { plain } from "../../../base/plain-text.ts";
import * as option from "../options.ts";
import type { CommandSpec } from "../spec.ts";
import { type CommandResult, colourful, jsonResult, painter, type Streams } from "../terminal.ts";

export const commands: readonly CommandSpec[] = [
  {
    name: "config show",
    about: "Prints every effective value and its source, without secrets",
    example: "config show --config pnl_migration_config.yaml",
    options: [option.config(), option.json()],
    run,
  },
];

async function run(
  options: { readonly config?: string; readonly json?: boolean },
  { out }: Streams,
): Promise<CommandResult> {
  const { showConfig } = await import("../../../app/control/config.ts");
  const listing = await showConfig(options.config);
  if (options.json) return jsonResult({ file: options.config ?? null, ...listing }, true);
  const { values, unused, store, ignored = [] } = listing;
  const paint = painter(colourful(out));
  const rows = values.map(({ value, ...one }) => ({ ...one, value: plain(textOf(value)) }));
  const keyWidth = Math.max(...rows.map(({ key }) => key.length));
  const valueWidth = Math.min(valueWidthMax, Math.max(...rows.map(({ value }) => value.length)));
  const lines = rows.map(({ key, value, from, hasNoEffect }) => {
    const source = from === "default" ? paint("dim", from) : plain(from);
    const mark = hasNoEffect ? `  ${paint("yellow", "no effect yet")}` : "";
    return `${key.padEnd(keyWidth)}  ${value.padEnd(valueWidth)}  ${source}${mark}`;
  });
  const note =
    unused.length === 0
      ? []
      : [`${paint("yellow", "these keys have no effect in this version")}: ${unused.join(", ")}`];
  const unread =
    store === undefined ? [] : [`${paint("yellow", "the control store cannot be read")}: ${plain(store)}`];
  const older = ignored.map(
    (key) =>
      `${paint("yellow", "ignored")}: the published ${key}, since each process uses its own file; ` +
      "config publish removes it",
  );
  return { exitCode: 0, text: [...lines, ...note, ...older, ...unread].join("\n") };
}

/** Width of the column of values. A longer value moves its source to the right. */
const valueWidthMax = 40;

const textOf = (value: ConfigValue["value"]): string =>
  Array.isArray(value) ? `[${value.join(", ")}]` : value === null ? "(none)" : String(value);
