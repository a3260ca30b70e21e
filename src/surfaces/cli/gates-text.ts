import type { MoveResult } from "../../app/control/commands.ts";
import { plain } from "../../base/plain-text.ts";
import type { painter } from "./terminal.ts";

export function gatesText(
  report: NonNullable<MoveResult["gates"]>,
  paint: ReturnType<typeof painter>,
): string {
  const width = Math.max(...report.gates.map(({ name }) => name.length));
  const lines = report.gates.map(
    ({ name, open, why }) =>
      `  ${open ? paint("green", "open  ") : paint("red", "CLOSED")}  ${name.padEnd(width)}  ${plain(why)}`,
  );
  return [`gates before ${report.target}:`, ...lines].join("\n");
}
