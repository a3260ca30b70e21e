import swagger from "@fastify/swagger";
import { createJsonSchemaTransformObject, jsonSchemaTransform } from "fastify-type-provider-zod";
import type { App } from "./context.ts";
import { problem } from "./wire/problem.ts";

const document = {
  openapi: "3.1.0",
  info: {
    title: "pnl-bridge",
    description: "Bridged P&L calls, the migration's control plane, and the comparisons.",
    version: "1",
    license: { name: "Apache-2.0", identifier: "Apache-2.0" },
  },
  servers: [{ url: "/" }],
  tags: [
    { name: "pnl", description: "Bridged calls of the P&L service" },
    { name: "migration", description: "The plan of the fleet, its gates, and every way to move it" },
    { name: "comparisons", description: "The stored comparisons of calls" },
    { name: "symbols", description: "Names of instruments in every dialect" },
    { name: "records", description: "Trades, positions, prices and daily P&L, written to both databases" },
    { name: "health", description: "Health and signals of this process" },
  ],
  components: { securitySchemes: { token: { type: "http" as const, scheme: "bearer" } } },
  // The empty requirement is for a gateway without tokens.
  security: [{ token: [] }, {}],
};

/** The descriptive part of a route's schema. */
export const operation = (tag: string, operationId: string, summary: string) => ({
  tags: [tag],
  operationId,
  summary,
});

const refusal = {
  description: problem.description,
  content: { "application/problem+json": { schema: problem } },
};
const allSchemas = createJsonSchemaTransformObject({});

/**
 * Adds `GET /openapi.json`, which describes the routes added later. Every route may answer with a problem
 * document.
 */
export async function describeRoutes(app: App): Promise<void> {
  await app.register(swagger, {
    openapi: document,
    transform: jsonSchemaTransform,
    transformObject: (given) => withoutUnused(allSchemas(given)),
  });
  app.addHook("onRoute", ({ schema }) => {
    if (schema !== undefined)
      schema.response = { ...Object(schema.response), "4xx": refusal, "5xx": refusal };
  });
  app.get("/openapi.json", { schema: { hide: true } }, () => app.swagger());
}

/** Removes unused schemas from the document: zod creates each one twice, for requests and for answers. */
function withoutUnused(document: ReturnType<typeof allSchemas>): ReturnType<typeof allSchemas> {
  if (!("components" in document)) return document;
  const { components, paths } = document;
  const schemas: Readonly<Record<string, object>> = components?.schemas ?? {};
  const used = new Set<string>();
  const follow = (part: unknown): void => {
    for (const [, name = ""] of JSON.stringify(part).matchAll(/"#\/components\/schemas\/(\w+)"/g)) {
      if (used.has(name)) continue;
      used.add(name);
      follow(schemas[name]);
    }
  };
  follow(paths);
  for (const name of Object.keys(schemas)) if (!used.has(name)) delete components?.schemas?.[name];
  return document;
}
