import { readFile } from "node:fs/promises";
import { type Blocks, fenced } from "./markdown.ts";

const example = (path: string, language: string) => async () =>
  fenced(language, (await readFile(new URL(`../../examples/${path}`, import.meta.url), "utf8")).trimEnd());

export const blocks: Blocks = {
  unit: example("systemd/pnl-bridge.service", "ini"),
  dockerfile: example("docker/Dockerfile", "dockerfile"),
  compose: example("docker/compose.yaml", "yaml"),
  config: example("docker/desk/pnl_migration_config.yaml", "yaml"),
};
