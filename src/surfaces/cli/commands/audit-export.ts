import { exportAudit } from "../../../app/control/audit-export.ts";
import type { CommandResult, Streams } from "../terminal.ts";

export const run = async (
  options: { readonly config?: string; readonly store?: string },
  _streams: Streams,
): Promise<CommandResult> => ({ exitCode: 0, text: exportAudit(options), endsLines: true });
