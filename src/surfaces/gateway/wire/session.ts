import { z } from "zod";
import { phases } from "../../../domain/migration/phase.ts";
import { named } from "./shape.ts";

export const session = named("Session", "Who the caller is, and what it may do", {
  name: z.string().describe("the actor's name in the audit"),
  role: z.enum(["viewer", "operator", "admin"]),
  hasToken: z.boolean().describe("false: the gateway has no tokens, so it serves this machine only"),
  mayChange: z.boolean().describe("whether the caller may change the plan"),
  mayCompare: z.boolean().describe("whether the caller may see both systems side by side"),
  epoch: z.int(),
  phase: z.enum(phases),
  useNewPnlSystem: z.boolean().describe("false: legacy answers every call, whatever the phase"),
});
