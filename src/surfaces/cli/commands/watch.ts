import { Option } from "commander";
import { BridgeError } from "../../../base/errors.ts";
import { plain } from "../../../base/plain-text.ts";
import * as option from "../options.ts";
import type { CommandSpec } from "../spec.ts";
import { type CommandResult, jsonResult, progressOn, type Streams } from "../terminal.ts";

export const commands: readonly CommandSpec[] = [
  {
    name: "watch",
    about:
      "Feeds the files of the watched folders to both databases, each row once; " +
      "exits with 1 if something waits for a person, 2 if a folder or a database cannot be reached",
    example: "watch --once --config pnl_migration_config.yaml",
    options: [
      new Option("--once", "apply the present files, and end").conflicts("follow"),
      new Option("--follow", "watch until it is interrupted; a line for each file"),
      option.fleetConfig(),
      option.json(),
    ],
    run,
  },
];

interface Options {
  readonly config?: string;
  readonly json?: boolean;
  readonly once?: boolean;
  readonly follow?: boolean;
}

async function run(options: Options, streams: Streams): Promise<CommandResult> {
  const { watchOnce } = await import("../../../app/files/commands.ts");
  const { attentionOf, filesStatusText } = await import("../../../app/files/status.ts");
  if (options.follow === true) return follow(options, streams);
  if (options.once !== true)
    throw new BridgeError("BAD_USAGE", {
      what: "watch needs --once or --follow",
      fix: "run pnl-bridge watch --once; pnl-bridge serve watches, too",
    });
  const progress = progressOn(streams.err);
  let files = 0;
  const status = await watchOnce({
    ...options,
    onEvent: (event) => {
      if (event.kind === "file") files += 1;
      if (event.kind !== "read") return;
      progress.report(`reading files: ${files} done, ${plain(event.path)} up to byte ${event.offset}`);
    },
  }).finally(progress.done);
  const isAll = attentionOf(status).waiting.length === 0;
  if (options.json) return jsonResult(status, isAll);
  return { exitCode: isAll ? 0 : 1, text: plainLines(filesStatusText(status)) };
}

/** Ends at SIGINT and SIGTERM. */
async function follow(options: Options, { out }: Streams): Promise<CommandResult> {
  const { watchUntil } = await import("../../../app/files/commands.ts");
  const { fileLine } = await import("../../../app/files/event-line.ts");
  const end = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => end.abort());
  await watchUntil({
    ...options,
    signal: end.signal,
    onEvent: (event) => {
      const line = fileLine(event);
      if (line !== undefined) out.write(`${options.json ? JSON.stringify(event) : plain(line)}\n`);
    },
  });
  return { exitCode: 0, text: [] };
}

const plainLines = (text: string): string => text.split("\n").map(plain).join("\n");
