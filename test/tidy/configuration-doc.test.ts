import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { configPage, wholeYaml } from "../../scripts/config-page.ts";
import { defaultConfig, parseConfig } from "../../src/config/index.ts";
import { root } from "../cli/run-cli.ts";

it("docs/configuration.md prints the table of keys: node scripts/config-page.ts --write", async () => {
  const page = await readFile(join(root, "docs/configuration.md"), "utf8");
  expect(page).toBe(configPage(page));
});

it("the whole file of docs/configuration.md means the same as an empty file", () => {
  expect({ ...parseConfig(wholeYaml(), "whole.yaml"), unused: [] }).toEqual(defaultConfig);
});
