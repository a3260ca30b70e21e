import { expect, it } from "vitest";
import { wholeYaml } from "../../scripts/pages/configuration.ts";
import { defaultConfig, parseConfig } from "../../src/config/index.ts";

it("the whole file of docs/configuration.md means the same as an empty file", () => {
  expect({ ...parseConfig(wholeYaml(), "whole.yaml"), unused: [] }).toEqual(defaultConfig);
});
