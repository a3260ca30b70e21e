import { personName } from "../../../base/person-name.ts";
import type { App, RouteContext } from "../context.ts";
import { holderOf } from "../names-of-call.ts";
import { operation } from "../openapi.ts";
import { session } from "../wire/session.ts";

/**
 * Describes the caller. The page sends this request first, and shows only the commands that the caller may
 * use.
 */
export const sessionRoutes =
  ({ bridge, caller, control, needs }: RouteContext) =>
  async (app: App): Promise<void> => {
    app.get(
      "/session",
      {
        onRequest: needs("viewer"),
        schema: {
          ...operation("health", "getSession", "Who the caller is, and what it may do"),
          response: { 200: session },
        },
      },
      async (request, reply) => {
        const { actor: name, role } = caller(request, "viewer");
        const isOperator = role !== "viewer";
        const { epoch, phase, useNewPnlSystem, userWhitelist } = bridge.service.plan;
        const user = holderOf(request);
        const isListed = user !== undefined && userWhitelist.has(personName(user));
        reply.header("cache-control", "no-store");
        return {
          ...{ name, role },
          hasToken: request.tokenHolder !== undefined,
          mayChange: isOperator && control !== undefined,
          mayCompare: isOperator || isListed,
          ...{ epoch, phase, useNewPnlSystem },
        };
      },
    );
  };
