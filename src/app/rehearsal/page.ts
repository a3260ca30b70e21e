/** A rehearsal with its page for people, as the command shows it. */
import { randomUUID } from "node:crypto";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { renderRehearsalPage } from "../../adapters/report/index.ts";
import { checkTargets, writeWhole } from "../../platform/output.ts";
import { inputFiles } from "../parity/input-files.ts";
import { type Rehearsal, type RehearseOptions, rehearse } from "./rehearse.ts";
import { outcomeOf, timelineOf } from "./timeline.ts";

export interface RehearsedPage {
  readonly rehearsal: Rehearsal;
  readonly page: ReturnType<typeof pageOf>;
  /** The path of the page. */
  readonly report: string;
}

/** Rehearses, and writes the page to `out`, or else to a temporary file. Throws UNWRITABLE too. */
export async function rehearseToPage(
  options: RehearseOptions & { readonly out?: string },
): Promise<RehearsedPage> {
  const { out, configFile } = options;
  const report =
    out === undefined ? join(tmpdir(), `pnl-bridge-rehearsal-${randomUUID()}.html`) : resolve(out);
  const inputs = (await inputFiles({ ...options, config: configFile })).map(({ path }) => path);
  await checkTargets([report], inputs);
  const rehearsal = await rehearse(options);
  const page = pageOf(rehearsal);
  await writeWhole(new Map([[report, renderRehearsalPage(page)]]), inputs);
  return { rehearsal, page, report };
}

function pageOf(rehearsal: Rehearsal) {
  const { days, ok, assumed, stopped, waiting } = rehearsal;
  const [first, last] = [days[0], days.at(-1)];
  return {
    title: `rehearsal from ${first?.tradingDay} to ${last?.tradingDay}, ${days.length} trading days`,
    outcome: outcomeOf(rehearsal),
    ...{ ok, assumed },
    timeline: timelineOf(rehearsal),
    waiting: stopped === undefined ? [] : waiting,
  };
}
