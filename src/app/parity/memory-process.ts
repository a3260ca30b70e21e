/** The process in which one system computes a history, so that its memory can be measured. */
import { readdirSync, readFileSync } from "node:fs";
import { systemClock } from "../../adapters/host/index.ts";
import { BridgeError } from "../../base/errors.ts";
import type { SystemConfig } from "../../config/index.ts";
import type { HistoryRequest } from "../../ports/pnl-system.ts";
import { answerOnce } from "../apart.ts";
import { builtinDesk } from "../builtin-systems.ts";
import { type PnlRunOptions, runPnl } from "./pnl-run.ts";
import { askedRows } from "./recorded.ts";

/** A message to the process. */
export interface MemoryOrder {
  readonly system: SystemConfig;
  readonly folder: string;
  readonly history: HistoryRequest;
  readonly run: Pick<PnlRunOptions, "trades" | "prices" | "dayRule" | "netBooks">;
}

const sampleMs = 20;

/** Returns the peak of the memory in bytes: of this process or, for a command, of its processes. */
answerOnce<MemoryOrder, number>(async ({ system, folder, history, run }) => {
  if (system.kind === "builtin") {
    const desk = builtinDesk(system, undefined);
    if (desk === undefined) await runPnl(run);
    else await desk.history(history);
    return ownPeak();
  }
  let peak = 0;
  const stop = systemClock.every(sampleMs, () => {
    peak = Math.max(peak, peakOfChildren());
  });
  await askedRows(system, history, folder).finally(stop);
  if (system.kind !== "command") return ownPeak();
  if (peak > 0) return peak;
  throw new BridgeError("REFUSED", {
    what: `the memory of ${system.name} cannot be measured on this machine, which has no /proc`,
    fix: "measure it yourself, and record the file with evidence add",
  });
});

const ownPeak = (): number => process.resourceUsage().maxRSS * 1_024;

/** The sum of the peaks of all child processes, as the operating system counts them. */
function peakOfChildren(of = process.pid): number {
  try {
    const children = readdirSync(`/proc/${of}/task`).flatMap((thread) =>
      readFileSync(`/proc/${of}/task/${thread}/children`, "utf8").split(" ").filter(Boolean),
    );
    return children.reduce((sum, child) => {
      const [, kib = "0"] = /^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${child}/status`, "utf8")) ?? [];
      return sum + Number(kib) * 1_024 + peakOfChildren(Number(child));
    }, 0);
  } catch {
    // The child has ended meanwhile.
    return 0;
  }
}
