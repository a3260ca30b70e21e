import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { historyOf } from "../../src/app/parity/explain.ts";
import { explainedWorld } from "../../src/app/parity/explained-world.ts";
import { runPnl } from "../../src/app/parity/pnl-run.ts";
import { inNames, multipliersOf, validatorFor } from "../../src/app/parity/replay.ts";
import { defaultConfig } from "../../src/config/index.ts";
import { formatDay } from "../../src/domain/market/trading-day.ts";
import { agrees } from "../../src/domain/migration/verdict.ts";
import { explain } from "../../src/explain/index.ts";
import { withFiles } from "../cli/run-cli.ts";
import { hasSharedData, readShared, sharedData } from "../shared-data.ts";

interface Published {
  readonly files: readonly string[];
  readonly marks: Readonly<Record<string, number>>;
  readonly legacy: Readonly<
    Record<string, { position: number; avg_cost: number; realized_x_mult: number; unrealized_x_mult: number }>
  >;
  readonly modern_as_published: {
    readonly fifo: Readonly<
      Record<
        string,
        { position: number; avg_price: number; realized_x1000: number; unrealized_simple_x1000: number }
      >
    >;
  };
}

describe.skipIf(!hasSharedData)(
  "the published figures of both systems (skipped without ../shared/data)",
  () => {
    const all = hasSharedData ? readShared<Record<string, Published>>("expected/two-systems.json") : {};

    it("at least 95 of 100 rows that differ are explained completely", async () => {
      let [rows, explainedRows] = [0, 0];
      const left: string[] = [];
      for (const [name, { files, marks, legacy, modern_as_published: published }] of Object.entries(all)) {
        const position = (
          symbol: string,
          quantity: number,
          average: number,
          realized: number,
          unrealized: number,
        ) => ({
          symbol,
          quantity: String(quantity),
          averagePrice: quantity === 0 ? null : String(average),
          realized: String(realized),
          unrealized: String(unrealized),
        });
        const answers = {
          legacy: Object.entries(legacy).map(([symbol, one]) =>
            position(symbol, one.position, one.avg_cost, one.realized_x_mult, one.unrealized_x_mult),
          ),
          modern: Object.entries(published.fifo).map(([symbol, one]) =>
            position(symbol, one.position, one.avg_price, one.realized_x1000, one.unrealized_simple_x1000),
          ),
        };
        await withFiles({ "marks.json": JSON.stringify(marks) }, async (folder) => {
          const trades = files.map((file) => join(sharedData, file));
          const world = await runPnl({ trades, marks: join(folder, "marks.json"), dayRule: "chicago-17" });
          const side = (system: "legacy" | "modern") =>
            inNames(
              { system, dayRule: "chicago-17", positions: answers[system], daily: [], errors: [] },
              (symbol) => world.input.aliases.get(symbol) ?? symbol,
            );
          const config = {
            ...defaultConfig,
            systems: { ...defaultConfig.systems, legacy: defaultConfig.systems.modern },
          };
          const multiplierOf = multipliersOf(world.input.trades, (symbol) => symbol);
          const report = {
            ...validatorFor(config, multiplierOf, () => false).compare(side("legacy"), side("modern")),
            method: "fifo",
          };
          const apart = report.rows.filter(({ verdict }) => !agrees(verdict));
          rows += apart.length;
          const history = await historyOf(explainedWorld(world, { legacy: { errors: [] }, netBooks: false }));
          for (const { explanation, rows: own } of explain(report, history)) {
            const isWhole =
              explanation.causes.every(({ level }) => level === "proved") && explanation.causes.length > 0;
            if (isWhole && explanation.unexplained === "0") explainedRows += own.size;
            else
              left.push(
                `${name} ${formatDay(history.asOfDay)} ${JSON.stringify(explanation.component.lanes)} ${JSON.stringify(explanation.causes)}`,
              );
          }
        });
      }
      expect(rows).toBeGreaterThan(10);
      expect(explainedRows / rows, left.join("\n")).toBeGreaterThanOrEqual(0.95);
    });
  },
);
