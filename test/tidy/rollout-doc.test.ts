import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { bucketAlgorithm, bucketOf, murmur3 } from "../../src/domain/migration/bucket.ts";
import { routeReasons } from "../../src/domain/migration/route.ts";
import { root } from "../cli/run-cli.ts";

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

  it.each(vectors)("%s, salt %j, unit %s", (flag = "", salt = "", unit = "", hash, bucket) => {
    expect(murmur3(`${bucketAlgorithm}|${flag}|${salt}|${unit}`)).toBe(Number(hash));
    expect(bucketOf(flag, salt, unit)).toBe(Number(bucket));
  });

  it("names every reason that a plan can have", () => {
    for (const reason of Object.keys(routeReasons).filter((name) => name !== "UNKNOWN_ALGORITHM"))
      expect(text).toContain(`\`${reason}\``);
  });
});
