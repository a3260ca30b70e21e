import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { beginResult, featuresOf, suitesOf } from "../../scripts/result-file.ts";
import { edgeFeatures } from "../../src/control/evidence/record-gates.ts";
import { root, withFiles } from "../cli/run-cli.ts";
import { edgeTests } from "../edge-tests.ts";

it("a run is recorded with the build at its start, and not at all if the sources change during the run", () =>
  withFiles({}, async (folder) => {
    const file = join(folder, "tests.json");
    let build = "1+a";
    const begin = () => beginResult("tests", { folder, readBuild: () => build });
    const changed = begin();
    build = "1+b";
    expect(changed({ passed: 1 })).toMatch(/^no result is recorded: .* build 1\+a before .* build 1\+b now$/);
    expect(existsSync(file)).toBe(false);
    expect(begin()({ passed: 1 })).toBeUndefined();
    expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({
      ...{ kind: "tests", at: expect.any(String), build: "1+b", seconds: expect.any(Number), passed: 1 },
    });
  }));

it("the suites of a run are its folders, with the tests and the time of their files", () => {
  const file = (name: string, startTime: number, statuses: readonly string[]) => ({
    ...{ name, status: "passed", startTime, endTime: startTime + 1_500 },
    assertionResults: statuses.map((status) => ({ status, fullName: "a test", title: "a test" })),
  });
  const files = [
    file("/desk/test/cli/gates.test.ts", 0, ["passed", "failed"]),
    file("/desk/src/control/evidence/gates.test.ts", 10, ["passed"]),
    file("/desk/src/control/operator.test.ts", 20, ["passed", "pending"]),
  ];
  expect(suitesOf(files, "/desk")).toEqual([
    { name: "src/control", passed: 2, failed: 0, skipped: 1, seconds: 3 },
    { name: "test/cli", passed: 1, failed: 1, skipped: 0, seconds: 1.5 },
  ]);
});

it("each edge feature of the gates has tests, whose titles exist in their files", () => {
  expect(Object.keys(edgeTests)).toEqual(Object.keys(edgeFeatures));
  for (const { file, title } of Object.values(edgeTests).flat())
    expect(readFileSync(join(root, file), "utf8"), file).toContain(`("${title}"`);
});

it("a run covers an edge feature only if all tests of the feature passed", () => {
  const ran = (statusOf: (file: string, title: string) => string) =>
    Object.values(edgeTests)
      .flat()
      .map(({ file, title }) => ({
        ...{ name: `/desk/${file}`, status: "passed", startTime: 0, endTime: 1 },
        assertionResults: [{ status: statusOf(file, title), fullName: `a suite ${title}`, title }],
      }));
  const features = Object.keys(edgeTests);
  expect(
    featuresOf(
      ran(() => "passed"),
      "/desk",
    ),
  ).toEqual(features);
  for (const status of ["failed", "pending"])
    expect(
      featuresOf(
        ran((file) => (file.endsWith("pnl.test.ts") ? status : "passed")),
        "/desk",
      ),
    ).toEqual(features.filter((feature) => feature !== "option"));
  expect(featuresOf([], "/desk")).toEqual([]);
});
