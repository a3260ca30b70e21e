import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { OpenFeature } from "@openfeature/server-sdk";
import { describe, expect, it } from "vitest";
import { PnlBridgeProvider } from "../../src/adapters/openfeature/index.ts";
import { createPnlBridge } from "../../src/app/bridge/pnl-bridge.ts";
import { bucketAlgorithm, bucketOf, murmur3 } from "../../src/domain/migration/bucket.ts";
import { routeReasons } from "../../src/domain/migration/route.ts";
import { root, withFiles } from "../cli/run-cli.ts";

const text = await readFile(join(root, "docs/rollout.md"), "utf8");

describe("docs/rollout.md", () => {
  const [, table = ""] = /<!-- vectors -->\n([\s\S]*?)\n<!-- \/vectors -->/.exec(text) ?? [];
  const vectors = table
    .split("\n")
    .slice(2)
    .map((line) =>
      [...line.matchAll(/\|\s*((?:\\\||[^|])*?)\s*(?=\|)/g)].map(([, cell = ""]) =>
        cell.replaceAll("`", "").replaceAll("\\|", "|"),
      ),
    );

  it("has test vectors", () => expect(vectors.length).toBeGreaterThan(5));

  it.each(vectors)(
    "the flag %s with the salt %j and the unit %s has the page's hash and bucket",
    (flag = "", salt = "", unit = "", hash, bucket) => {
      expect(murmur3(`${bucketAlgorithm}|${flag}|${salt}|${unit}`)).toBe(Number(hash));
      expect(bucketOf(flag, salt, unit)).toBe(Number(bucket));
    },
  );

  it("names every reason that a plan can have", () => {
    for (const reason of Object.keys(routeReasons).filter((name) => name !== "UNKNOWN_ALGORITHM"))
      expect(text).toContain(`\`${reason}\``);
  });

  it("has an OpenFeature program that gives the bridge's own answers, also for a book that is a number", () =>
    withFiles({ "desk.mjs": desk, "desk.yaml": config }, async (folder) => {
      const bridge = await createPnlBridge({ config: join(folder, "desk.yaml"), log: () => {} });
      try {
        expect(await runProgram(bridge)).toBe("modern");
        const client = OpenFeature.getClient();
        const answers = new Set<string>();
        for (let book = 0; book < 10; book++) {
          const { source } = await bridge.service.call("totals", {}, { book: String(book) });
          expect(await client.getStringValue("pnl_route", "none", { book }), String(book)).toBe(source);
          answers.add(source);
        }
        expect(answers).toEqual(new Set(["legacy", "modern"]));
      } finally {
        await OpenFeature.close();
        await bridge.close();
      }
    }));

  const desk = "export const totals = () => ({ totals: {} });";
  const config = `
migration:
  phase: dual_write
  feature_flags: { use_new_calculator: true, use_new_storage: true }
  traffic_routing: { new_system_percentage: 50, user_whitelist: [amy] }
systems: { legacy: { kind: module, path: ./desk.mjs }, modern: { kind: module, path: ./desk.mjs } }`;

  /** Runs the page's program, except its imports, and returns the value of its last statement. */
  function runProgram(bridge: object): Promise<unknown> {
    const [, program = ""] = /```ts\n(import [\s\S]*?)```/.exec(text) ?? [];
    const lines = program
      .trim()
      .split("\n")
      .filter((line) => !line.startsWith("import "));
    const last = lines.pop();
    const body = `return (async () => { ${lines.join("\n")}\nreturn ${last} })();`;
    return new Function("OpenFeature", "PnlBridgeProvider", "bridge", body)(
      OpenFeature,
      PnlBridgeProvider,
      bridge,
    );
  }
});
