import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { campaigns } from "../campaigns.ts";
import { root } from "../cli/run-cli.ts";

const read = (file: string): string => readFileSync(join(root, file), "utf8");
const tests = globSync("{src,test}/**/*.test.ts", { cwd: root }).map((file) => file.replaceAll("\\", "/"));

it("each campaign runs every test file that has a long version for it, and declares whether it goes on until its time is over", () => {
  for (const [name, { files, ...campaign }] of Object.entries(campaigns)) {
    const mention = new RegExp(`(isLongRun|overSeeds)\\(\\s*"${name}"`);
    const long = tests.filter((file) => mention.test(read(file)));
    expect(files, name).toEqual(expect.arrayContaining(long));
    const overSeeds = new RegExp(`overSeeds\\(\\s*"${name}"`);
    const ends = (text: string): boolean => overSeeds.test(text) || /untilMs = .*longSeconds/.test(text);
    expect("isOverSeeds" in campaign, name).toBe(long.some((file) => ends(read(file))));
  }
  const varied = tests.filter((file) => /^import \{[^}]*\bvariant\b[^}]*\} from/m.test(read(file)));
  expect([...campaigns.variants.files]).toEqual(varied.toSorted());
  const properties = tests.filter((file) => /numRuns: runs\(/.test(read(file)));
  expect([...campaigns.properties.files]).toEqual(properties.toSorted());
});
