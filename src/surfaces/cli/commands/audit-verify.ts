import { plain } from "../../../base/plain-text.ts";
import * as option from "../options.ts";
import type { CommandSpec } from "../spec.ts";
import { type CommandResult, colourful, jsonResult, painter, type Streams } from "../terminal.ts";

export const commands: readonly CommandSpec[] = [
  {
    name: "audit verify",
    about: "Checks the audit and names the rows that were edited, removed or inserted",
    example: "audit verify --store sqlite:.pnl-bridge/control.db",
    options: [option.fleetConfig(), option.store(), option.json()],
    run,
  },
];

async function run(
  options: { readonly config?: string; readonly store?: string; readonly json?: boolean },
  { out }: Streams,
): Promise<CommandResult> {
  const { verifyAudit } = await import("../../../app/control/commands.ts");
  const report = await verifyAudit(options);
  if (options.json) return jsonResult(report, report.ok);
  const paint = painter(colourful(out));
  const { ok, rows, head, notSealedYet, faults } = report;
  const found = faults.map(({ fault, why }) => `${paint("red", fault)}  ${plain(why)}`);
  const open = notSealedYet.length === 0 ? "" : `; not sealed yet: ${notSealedYet.join(", ")}`;
  const summary = ok
    ? paint("green", `${rows} rows, the chain holds`)
    : paint("red", `${rows} rows, the chain is broken`);
  return {
    exitCode: ok ? 0 : 1,
    text: [...found, `${summary}; head ${head.seq} ${head.hash}${open}`].join("\n"),
  };
}
