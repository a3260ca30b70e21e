import type { HowExplained, Method, ParityReport, TradingDayRuleName } from "../../app/commands.ts";
import {
  checkTargets,
  inputFiles,
  parityDocument,
  parityFiles,
  parityTargets,
  renderParityTable,
  withAccepted,
  writeWhole,
} from "../../app/commands.ts";
import { plain } from "../../base/plain-text.ts";
import { type CommandResult, colourful, jsonResult, type Streams, terminalWidth } from "./terminal.ts";

export interface ParityCommandOptions {
  readonly config?: string;
  readonly method?: Method;
  readonly dayRule?: TradingDayRuleName;
  readonly explain?: HowExplained;
  readonly json?: boolean;
  readonly out?: string;
}

/**
 * Lists the files that a run reads and checks that `--out` would not replace any of them. Empty without
 * `--out`.
 */
export async function checkedInputs(
  out: string | undefined,
  options: Parameters<typeof inputFiles>[0],
): Promise<readonly string[]> {
  if (out === undefined) return [];
  const inputs = (await inputFiles(options)).map(({ path }) => path);
  await checkTargets(Object.values(parityTargets(out)), inputs);
  return inputs;
}

/** Writes notes to the stream of errors. */
export const noteOn =
  ({ err }: Streams) =>
  (note: string): void => {
    err.write(`${plain(note)}\n`);
  };

/**
 * Writes the report to `out`, if given, and returns it as a table, or as JSON with `json`. `onReport`
 * receives it with the accepted causes marked.
 */
export async function parityResult(
  found: ParityReport,
  {
    json,
    out,
    config,
    onReport,
  }: ParityCommandOptions & { readonly onReport?: (report: ParityReport) => Promise<void> },
  inputs: readonly string[],
  streams: Streams,
): Promise<CommandResult> {
  const report = await withAccepted(found, { ...(config && { config }), onNote: noteOn(streams) });
  if (out !== undefined) await writeWhole(parityFiles(report, out), inputs);
  await onReport?.(report);
  if (json) return jsonResult(parityDocument(report), report.ok);
  return {
    exitCode: report.ok ? 0 : 1,
    text: renderParityTable(report, { colour: colourful(streams.out), width: terminalWidth(streams.out) }),
  };
}
