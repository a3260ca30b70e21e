/**
 * The tests that cover each edge feature of the gate `edges_covered`. `./run test` lists a feature in its
 * result file only if all of its tests passed.
 */

interface EdgeTest {
  readonly file: string;
  /** The title of the test, without those of the suites around it. */
  readonly title: string;
}

/** The gates of this rehearsal need its month-end, its expiry week and its day after a holiday. */
const wholeMigration: EdgeTest = {
  file: "test/rehearse/rehearse.test.ts",
  title: "of a clean desk reaches every phase, and each move names the evidence of its gates",
};

export const edgeTests: Readonly<Record<string, readonly EdgeTest[]>> = {
  option: [
    {
      file: "src/app/demo-desk/desk.test.ts",
      title: "an expiring option is closed on its day: at zero, or by a future at its strike",
    },
    {
      file: "test/cli/pnl.test.ts",
      title: "finds an option's price under its Bloomberg name, and refuses a ledger's name in a price file",
    },
  ],
  expiry: [
    {
      file: "src/app/parity/pnl-run.test.ts",
      title: "is not noted if a trade at price 0 books the expiry, even a day late",
    },
    wholeMigration,
  ],
  "month-end": [wholeMigration],
  holiday: [
    {
      file: "src/domain/market/trading-day.test.ts",
      title: "are the days that are neither weekend nor holiday, inside and outside the table",
    },
    wholeMigration,
  ],
};
