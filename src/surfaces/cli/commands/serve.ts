import * as option from "../options.ts";
import type { CommandSpec } from "../spec.ts";

export const commands: readonly CommandSpec[] = [
  {
    name: "serve",
    about: "the bridge over HTTP, until it is interrupted",
    options: [option.fleetConfig()],
    run: async (...given) => (await import("../serving.ts")).serve(...given),
  },
];
