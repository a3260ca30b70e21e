import { join } from "node:path";
import { expect, it } from "vitest";
import type { AcceptedTerms } from "../../src/explain/index.ts";
import type { Explanation } from "../../src/ports/explanation.ts";
import { ledger, pnlBridge, withFiles } from "./run-cli.ts";

const ZN = "XCMEFFDPSX20250919U0ZN";

/** A history in which legacy closes the newest lot first, with its report; `amount` is the difference. */
const files = {
  "trades_20250724.csv": ledger(
    `1,${ZN},2025-07-24 09:00:00,B,1,110`,
    `2,${ZN},2025-07-24 09:00:01,B,1,111`,
    `3,${ZN},2025-07-24 09:00:02,S,1,112`,
  ),
  "rows.json": JSON.stringify({
    dayRule: "calendar",
    positions: [{ symbol: ZN, quantity: 1, averagePrice: 110, realized: 1000, unrealized: 2000 }],
    daily: [{ symbol: ZN, tradingDay: "2025-07-24", realized: 1000, unrealized: 2000, total: 3000 }],
    errors: [],
  }),
};

const terms = {
  scope: "product=ZN,field=realized,side=legacy",
  limit: "1000",
  owner: "amy",
  until: "2999-12-31",
};

it("a difference counts as accepted while explain proves it under the terms of the register", () =>
  withFiles(files, async (folder) => {
    const store = ["--store", `sqlite:${join(folder, "control.db")}`];
    const config = join(folder, "pnl.yaml");
    const { writeFile } = await import("node:fs/promises");
    await writeFile(config, `stores:\n  control: sqlite:${join(folder, "control.db")}\n`);
    const report = join(folder, "report", "report.json");
    const rows = ["--legacy-rows", join(folder, "rows.json"), "--out", join(folder, "report")];
    await pnlBridge(["replay", "--trades", folder, ...rows]);
    const json = async (...args: string[]): Promise<unknown> => {
      const { code, out, err } = await pnlBridge([...args, "--json"]);
      if (code !== 0) throw new Error(err);
      return JSON.parse(out);
    };
    const accept = (changed: Partial<typeof terms>): Promise<unknown> => {
      const options = Object.entries({ ...terms, ...changed }).flatMap(([key, value]) => [`--${key}`, value]);
      return json("causes", "accept", "LIFO", ...options, "--reason", "until the move", "--config", config);
    };
    const accepted = async (): Promise<Explanation["accepted"]> => {
      const [explanation] = (await json("explain", report, ...store)) as Explanation[];
      return explanation?.accepted;
    };

    for (const changed of [{ limit: "999.99" }, { until: "2020-01-01" }, { scope: "field=quantity" }]) {
      await accept(changed);
      expect(await accepted()).toBeUndefined();
    }
    const { id } = (await accept({})) as AcceptedTerms;
    expect(await accepted()).toEqual([{ id, code: "LIFO", owner: "amy", until: terms.until }]);
    const { out } = await pnlBridge(["replay", "--trades", folder, ...rows, "--config", config]);
    expect(out).toContain(`accepted: LIFO by amy until ${terms.until} (entry ${id})`);
    const { causes } = (await json("causes", "list", ...store)) as { causes: AcceptedTerms[] };
    expect(causes.map(({ limit }) => limit)).toEqual(["999.99", "1000", "1000", "1000"]);
    await json("causes", "revoke", id, "--reason", "mended", ...store);
    expect(await accepted()).toBeUndefined();
  }));

it.each([
  [["NIFO"], /"NIFO" is no cause that an explanation can prove; did you mean LIFO\?/],
  [["LIFO", "--scope", "desk=east"], /the scope "desk=east" cannot be read; write all, or pairs of symbol/],
  [["LIFO", "--limit", "-1"], /the limit "-1" is no amount; write an amount of money of 0 or more/],
  [["LIFO", "--until", "soon"], /"soon" is no day; write the last day/],
])("causes accept %j is refused with the way to write it", async ([code = "", ...args], line) => {
  const given = Object.entries(terms).filter(([key]) => !args.includes(`--${key}`));
  const options = given.flatMap(([key, value]) => [`--${key}`, value]);
  const refused = [
    "causes",
    "accept",
    code,
    ...args,
    ...options,
    "--reason",
    "x",
    "--store",
    "sqlite:none.db",
  ];
  expect(await pnlBridge(refused)).toMatchObject({ code: 2, err: expect.stringMatching(line) });
});
