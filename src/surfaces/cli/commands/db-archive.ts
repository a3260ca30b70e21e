import { Option } from "commander";
import { BridgeError } from "../../../base/errors.ts";
import { plain } from "../../../base/plain-text.ts";
import * as option from "../options.ts";
import type { CommandSpec } from "../spec.ts";
import { type CommandResult, colourful, jsonResult, painter, type Streams } from "../terminal.ts";

export const commands: readonly CommandSpec[] = [
  {
    name: "db archive",
    about:
      "Archives legacy's database into a new file and verifies it, if nothing uses that database any more; " +
      "with --remove-bridge, then removes the bridge's tables from both databases",
    example: "db archive --out pnl_tracker-archive.db",
    options: [
      new Option(
        "--out <file>",
        "the archive, a new file; with --remove-bridge it may exist, and is then verified again",
      ).makeOptionMandatory(),
      new Option(
        "--days <number>",
        "the days that must have passed since a call or a write last reached legacy",
      ).default("7"),
      new Option(
        "--accept <names>",
        "evidence for which you vouch, one or more of window,fleet,writes,files,rows; needs --reason",
      ),
      new Option(
        "--remove-bridge",
        "list the bridge's tables and indexes in both databases; remove them with --yes",
      ),
      new Option("--yes", "with --remove-bridge: make the archive, then remove the listed objects"),
      new Option("--reason <text>", "the reason, recorded in the audit"),
      option.actor(),
      option.fleetConfig(),
      option.json(),
    ],
    run,
  },
];

interface Options {
  readonly config?: string;
  readonly json?: boolean;
  readonly out: string;
  readonly days: string;
  readonly accept?: string;
  readonly removeBridge?: boolean;
  readonly yes?: boolean;
  readonly reason?: string;
  readonly actor?: string;
}

async function run(options: Options, { out }: Streams): Promise<CommandResult> {
  const { archiveLegacy } = await import("../../../app/database/archive.ts");
  const { removeBridge = false, yes = false, accept, reason } = options;
  if (!/^\d{1,5}$/.test(options.days))
    throw new BridgeError("BAD_USAGE", {
      what: `--days ${options.days} is not a number of days`,
      fix: "write a whole number, such as 7",
    });
  if (accept !== undefined && reason === undefined)
    throw new BridgeError("BAD_USAGE", {
      what: "evidence for which a person vouches needs a reason",
      fix: "add --reason TEXT; the audit keeps it",
    });
  if (yes && !removeBridge)
    throw new BridgeError("BAD_USAGE", { what: "--yes confirms a removal", fix: "add --remove-bridge" });
  const report = await archiveLegacy({
    ...options,
    removeBridge,
    yes,
    days: Number(options.days),
    accept: accept?.split(",").map((name) => name.trim()) ?? [],
    reason: reason ?? "legacy is no longer used",
  });
  const { evidence, tables, objects, removed, proved } = report;
  const isGiven = evidence.every(({ holds, accepted }) => holds || accepted);
  if (options.json) return jsonResult(report, isGiven);
  const paint = painter(colourful(out));
  const lines = evidence.map(({ name, holds, why, accepted }) => {
    const verdict = holds ? paint("green", "yes     ") : accepted ? "accepted" : paint("red", "NO      ");
    return `${verdict}  ${name.padEnd(6)}  ${plain(why)}`;
  });
  if (!isGiven) return { exitCode: 1, text: [...lines, "nothing is archived"].join("\n") };
  const verified = Object.values(tables);
  const rows = verified.reduce((sum, table) => sum + table.rows, 0);
  if (verified.length > 0)
    lines.push(`archived and verified: ${verified.length} tables, ${rows} rows in ${plain(report.out)}`);
  for (const [side, found] of Object.entries(objects ?? {})) {
    const names = found.map(({ name }) => name).join(", ");
    const verb = removed ? "has lost" : "would lose";
    lines.push(names === "" ? `${side}: nothing of the bridge is left` : `${side} ${verb}: ${names}`);
  }
  const tested = Object.entries(proved ?? {}).map(([table, count]) => `${table} ${count}`);
  if (tested.length > 0)
    lines.push(`modern was read and written without the bridge; rows by table: ${tested.join(", ")}`);
  if (objects !== null && !removed) lines.push("nothing is archived or removed yet: add --yes");
  return { exitCode: 0, text: lines.join("\n") };
}
