import type { FastifyRequest } from "fastify";
import type { JsonValue } from "../../../base/exact-json.ts";
import type { RouteContext } from "../context.ts";

/** Logs a person's decision, and adds it to the audit if a control store is configured. */
export async function noted(
  { caller, control, log }: RouteContext,
  request: FastifyRequest,
  action: string,
  { reason, evidence }: { readonly reason: string; readonly evidence: JsonValue },
): Promise<void> {
  const { actor } = caller(request, "operator");
  log.info({ actor, action, evidence }, "a person has decided");
  await control?.store.note({ actor, reason, action, evidence });
}
