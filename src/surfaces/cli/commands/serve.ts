import * as option from "../options.ts";
import type { CommandSpec } from "../spec.ts";

export const commands: readonly CommandSpec[] = [
  {
    name: "serve",
    about: "Serves the bridge over HTTP until it is interrupted",
    example: "serve --config pnl_migration_config.yaml",
    options: [option.fleetConfig()],
    run: async (...given) => (await import("../serving.ts")).serve(...given),
  },
];
