import type { TrafficReport } from "../../app/control/commands.ts";
import { plain } from "../../base/plain-text.ts";
import { type CommandResult, jsonResult } from "./terminal.ts";

/** Returns the percentage and the ramp that were set, and which answers follow from them. */
export function trafficResult({ record, answers }: TrafficReport, json: boolean | undefined): CommandResult {
  const { epoch, overrides, ramp } = record;
  const { newSystemPercentage } = overrides;
  if (json) return jsonResult({ epoch, newSystemPercentage, ramp, answers }, true);
  return {
    exitCode: 0,
    text: `${newSystemPercentage} %${rampText(ramp)}, epoch ${epoch}: ${plain(answers)}`,
  };
}

/** Describes the remaining steps of a ramp. A running process of the fleet makes them. */
export function rampText(ramp: TrafficReport["record"]["ramp"]): string {
  if (ramp === null) return "";
  const steps = [...ramp.steps, ...(ramp.endsIn === "rollback" ? ["the rollback"] : [])];
  return `, then ${steps.join(", ")}, every ${ramp.dwellMs / 1_000} s while a process runs`;
}
