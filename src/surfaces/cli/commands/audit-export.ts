import * as option from "../options.ts";
import type { CommandSpec } from "../spec.ts";
import type { CommandResult, Streams } from "../terminal.ts";

export const commands: readonly CommandSpec[] = [
  {
    name: "audit export",
    about: "Prints every row of the audit as a line of JSON",
    example: "audit export > audit.ndjson",
    options: [option.fleetConfig(), option.store()],
    run,
  },
];

async function run(
  options: { readonly config?: string; readonly store?: string },
  _streams: Streams,
): Promise<CommandResult> {
  const { exportAudit } = await import("../../../app/control/audit-export.ts");
  return { exitCode: 0, text: exportAudit(options), endsLines: true };
}
