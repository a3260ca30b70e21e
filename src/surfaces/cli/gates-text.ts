import type { MoveResult } from "../../app/control/commands.ts";
import { plain } from "../../base/plain-text.ts";
import type { painter } from "./terminal.ts";

type Report = Omit<NonNullable<MoveResult["gates"]>, "target"> & { readonly target: string };
type Paint = ReturnType<typeof painter>;

export function gatesText(report: Report, paint: Paint): string {
  const width = Math.max(...report.gates.map(({ name }) => name.length));
  const lines = report.gates.map(
    (gate) => `  ${stateText(gate, paint)}  ${gate.name.padEnd(width)}  ${plain(gate.why)}`,
  );
  const notes = (report.unseen ?? []).map((text) => `  note: ${plain(text)}`);
  return [`gates before ${report.target}${aroundText(report)}:`, ...notes, ...lines].join("\n");
}

export function stateText({ state, open }: Report["gates"][number], paint: Paint): string {
  if (open && state !== "open") return paint("yellow", "waived");
  if (state === "open") return paint("green", "open  ");
  return state === "closed" ? paint("red", "CLOSED") : paint("yellow", "UNSURE");
}

/** The key of the evidence, the number of the attempt, and how often the gates were judged. */
function aroundText({ profile, key, attempt, looks }: Report): string {
  if (profile === "trial") return " (profile trial)";
  return key === null
    ? ""
    : ` (key ${key}, attempt ${attempt}, judged ${looks === 1 ? "once" : `${looks} times`})`;
}
