import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { foreignSystem } from "../../src/app/bridge/pnl-bridge.ts";
import { pinnedPrices, runPnl } from "../../src/app/parity/pnl-run.ts";
import { replay } from "../../src/app/parity/replay.ts";
import { loadConfig } from "../../src/config/index.ts";
import { agrees } from "../../src/domain/migration/verdict.ts";
import type { explainedCauses } from "../../src/explain/index.ts";
import type { ParityReport } from "../../src/ports/parity-report.ts";
import { python, pythonMissing, pythonWorker } from "../../src/testing/worker-programs.ts";
import { isLongRun } from "../campaigns.ts";
import { ledger, withFiles } from "../cli/run-cli.ts";
import { randomFrom } from "../explain/cases.ts";

const folder = fileURLToPath(new URL(".", import.meta.url));

const configured = {
  kind: "command",
  command: [python, pythonWorker, "desk:Desk"],
  cwd: folder,
  day_rule: "calendar",
};

/** The mistakes that desk.py can make, each with its cause in the catalogue. */
const mistakes: Readonly<Record<string, keyof typeof explainedCauses>> = {
  newest_first: "LIFO",
  average_cost: "AVERAGE",
  text_order: "LOT_TEXT",
  file_order: "FILE_ORDER",
  files_alone: "NO_CARRY",
  one_multiplier: "MULTIPLIER",
  two_year_as_ten_year: "TU_MULTIPLIER",
  repeats_counted: "COUNTED_TWICE",
  ids_once: "DEDUPED",
  expiries_dropped: "EXPIRY_DROPPED",
  midnight_dropped: "SOD_EXCLUDED",
  whole_quantities: "TRUNCATED_QTY",
  longs_negated: "SIGN_FLIP",
  level_as_total: "DAILY_DEFINITION",
  zero_without_price: "NO_MARK",
  last_trade_as_price: "LAST_TRADE_MARK",
  flat_forgotten: "REALIZED_LOST",
};

const symbols = ["XCMEFFDPSX20250919U0ZN", "XCMEFFDPSX20250930U0ZT"];

/** Ledgers of two days in which each mistake can show, and price files of both. */
function historyOf(seed: number): Readonly<Record<string, string>> {
  const random = randomFrom(seed);
  const int = (below: number): number => Math.floor(random() * below);
  let id = 0;
  const rows = (day: string, count: number): string[] =>
    Array.from({ length: count }, () => {
      if (random() > 0.1) id += 1;
      const clock =
        random() < 0.1 ? "00:00:00" : `${9 + int(7)}`.padStart(2, "0").concat(`:${10 + int(50)}:00`);
      const price = random() < 0.1 ? "0" : String(110 + int(64) / 32);
      const size = `${1 + int(4)}${random() < 0.3 ? ".5" : ""}`;
      return `${id},${symbols[int(2)]},2025-07-${day} ${clock},${random() < 0.5 ? "B" : "S"},${size},${price}`;
    });
  const [first, second] = [rows("21", 14), rows("22", 8)];
  const closing = symbols.map((symbol) => {
    const own = [...first, ...second].map((row) => row.split(",")).filter(([, name]) => name === symbol);
    const held = own.reduce((sum, [, , , side, size]) => sum + (side === "B" ? 1 : -1) * Number(size), 0);
    const [side, size] = [held > 0 ? "S" : "B", Math.abs(held)];
    return size === 0 || seed % 3 > 0 ? [] : [`${++id},${symbol},2025-07-22 16:30:00,${side},${size},111`];
  });
  return {
    "trades_20250721.csv": ledger(...first),
    "trades_20250722.csv": ledger(...first.slice(-2), ...second, ...closing.flat()),
    "Futures_20250721_1600.csv": "SYMBOL,PX_LAST,PX_SETTLE,\nTY,111.16,111.16,\n",
    "Futures_20250722_1600.csv": "SYMBOL,PX_LAST,PX_SETTLE,\nTY,112.08,112.08,\n",
  };
}

interface Score {
  readonly mistake: string;
  readonly isRight: boolean;
  readonly isFalse: boolean;
}

function scoreOf(mistake: string, { rows, explanations = [] }: ParityReport): Score | undefined {
  if (rows.every(({ verdict }) => agrees(verdict))) return undefined;
  const code = mistakes[mistake] ?? "";
  const isNamed = explanations.map(({ causes, alternatives }) =>
    [causes.map((cause) => cause.code), ...alternatives].some((codes) => codes.join(" ") === code),
  );
  const isProved = explanations.map(({ causes }) => causes.some(({ level }) => level === "proved"));
  return {
    mistake,
    isRight: isNamed.every((named, at) => named && isProved[at]),
    isFalse: isProved.some((proved, at) => proved && !isNamed[at]),
  };
}

const noPython = pythonMissing ? " (skipped: no Python)" : "";

it.skipIf(pythonMissing)(
  `explain names the mistake of a Python desk from its rows, and none if it makes none${noPython}`,
  () =>
    withFiles({ "desk.yaml": `systems:\n  legacy: ${JSON.stringify(configured)}\n` }, async (base) => {
      const config = await loadConfig(join(base, "desk.yaml"));
      const { legacy } = config.systems;
      if (legacy.kind === "builtin") throw new Error("the desk must not be a built-in system");
      const desk = await foreignSystem(legacy, {
        folder,
        log: undefined,
        methods: ["history"],
        readOnly: true,
      });
      const scores: Score[] = [];
      const [histories, breaks] = isLongRun("explain") ? [60, 20] : [6, 1];
      try {
        await desk.start?.();
        for (let seed = 1; seed <= histories; seed++)
          await withFiles(historyOf(seed), async (own) => {
            const ledgers = ["21", "22"].map((day) => join(own, `trades_202507${day}.csv`));
            const world = await runPnl({ trades: ledgers, prices: [own], dayRule: "calendar" });
            const closes = pinnedPrices({ ...world, ...world.input });
            for (const mistake of ["none", ...Object.keys(mistakes)]) {
              const shown = scores.filter((score) => score.mistake === mistake).length;
              if (shown >= breaks || (mistake === "none" && seed > 3)) continue;
              const asked = { ledgers, closes: closes.map((close) => ({ ...close })), mistakes: [mistake] };
              const rows = await desk.invoke("history", asked, { deadlineMs: 600_000 });
              await writeFile(join(own, "rows.json"), JSON.stringify(rows));
              const given = { trades: ledgers, prices: [own], legacyRows: join(own, "rows.json"), config };
              const score = scoreOf(mistake, await replay(given));
              if (score !== undefined) scores.push(score);
            }
          });
      } finally {
        await desk.close?.();
      }
      const byMistake = Map.groupBy(scores, ({ mistake }) => mistake);
      const words = [...byMistake].map(([mistake, own]) => {
        const right = own.filter(({ isRight }) => isRight).length;
        return `${mistake}: ${right} of ${own.length}, ${own.filter(({ isFalse }) => isFalse).length} false`;
      });
      if (isLongRun("explain")) console.info(words.join("\n"));
      expect([...byMistake.keys()].sort()).toEqual(Object.keys(mistakes).sort());
      expect(
        scores.filter(({ isRight }) => isRight).length / scores.length,
        words.join("; "),
      ).toBeGreaterThanOrEqual(0.95);
      expect(scores.filter(({ isFalse }) => isFalse).length / scores.length).toBeLessThanOrEqual(0.01);
    }),
  900_000,
);
