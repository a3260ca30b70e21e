import { basename, join, resolve } from "node:path";
import { witnessLedger } from "../../adapters/report/index.ts";
import type { Explanation } from "../../ports/explanation.ts";
import type { InputFile } from "../../ports/parity-report.ts";

/**
 * The files of `--out`: for each witness a folder with its trades as ledgers, the explanation, and a command
 * that replays them with the prices of the report. `more` are further JSON files of a folder, by their names;
 * if one of them is `marks.json`, the trades are replayed with its prices.
 */
export function witnessFiles(
  explanations: readonly Explanation[],
  inputs: readonly Pick<InputFile, "kind" | "path">[],
  folder: string,
  more: (explanation: Explanation) => Readonly<Record<string, unknown>> = () => ({}),
): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const explanation of explanations) {
    const { id, witness } = explanation;
    if (witness === null) continue;
    const place = join(folder, `explain-${id}`);
    const names = ledgerNames(witness.trades.map(({ file }) => file));
    for (const [file, trades] of Map.groupBy(witness.trades, (trade) => trade.file))
      files.set(join(place, names.get(file) ?? "trades_.csv"), witnessLedger(trades));
    const added = more(explanation);
    for (const [name, value] of Object.entries(added))
      files.set(join(place, name), `${JSON.stringify(value, null, 2)}\n`);
    const own = "marks.json" in added ? [{ kind: "marks" as const, path: join(place, "marks.json") }] : [];
    const given = (["prices", "marks", "calendar", "config"] as const).flatMap((kind) => {
      const paths = [...inputs, ...own].flatMap((input) =>
        input.kind === kind ? [quoted(resolve(input.path))] : [],
      );
      return paths.length === 0 ? [] : [`--${kind}`, ...paths];
    });
    files.set(join(place, "explanation.json"), `${JSON.stringify(explanation, null, 2)}\n`);
    files.set(
      join(place, "replay.sh"),
      `pnl-bridge ${["replay", "--trades", quoted(resolve(place)), ...given].join(" ")}\n`,
    );
  }
  return files;
}

/** File names for ledgers: those of the history, made unique and such that a folder of ledgers finds them. */
function ledgerNames(files: readonly string[]): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  for (const file of new Set(files)) {
    const own = basename(file);
    const isLedger = /^trades_.*\.csv$/i.test(own) && ![...names.values()].includes(own);
    names.set(file, isLedger ? own : `trades_${names.size + 1}.csv`);
  }
  return names;
}

const quoted = (path: string): string =>
  /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
