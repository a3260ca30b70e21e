import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createPnlBridge } from "../../src/app/bridge/pnl-bridge.ts";
import type { ComparisonRecord, EvidenceStore } from "../../src/ports/evidence.ts";
import { pnlMethods } from "../../src/ports/pnl-service.ts";
import { Observations, startGateway } from "../../src/surfaces/gateway/index.ts";
import { ask } from "./desk.ts";

interface Media {
  readonly schema?: object;
}
interface Operation {
  readonly operationId?: string;
  readonly summary?: string;
  readonly tags?: readonly string[];
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly required?: boolean;
  }[];
  readonly requestBody?: { readonly content?: Readonly<Record<string, Media>> };
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, Media>> }>>;
}
interface Document {
  readonly openapi: string;
  readonly tags: readonly { readonly name: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
}

const ledger = `tradeId,instrumentName,marketTradeTime,buySell,quantity,price
1,XCMEFFDPSX20250919U0ZN,2025-07-24 09:30:00.000,B,2,110.5
2,XCMEFFDPSX20250919U0ZN,2025-07-24 10:15:00.000,S,1,110.515625
`;
const desk = {
  migration: { phase: "shadow_mode" },
  gates: { profile: "trial" },
  stores: { control: "sqlite:control.db" },
  watch: { trade_ledger: "." },
};

const kept: ComparisonRecord = {
  at: "2025-07-24T15:00:00.000Z",
  method: "totals",
  epoch: 1,
  answered: "legacy",
  kind: "ab",
  verdict: "diverged",
  unit: "UST",
  fingerprint: "abc",
  legacyMs: 1.5,
  modernMs: null,
  legacyError: null,
  modernError: null,
  fields: [
    { path: "totals.USD", entry: null, verdict: "diverged", legacy: "1", modern: "2", difference: "1" },
  ],
  more: 0,
  excluded: 0,
  request: null,
};

let url: string;
let evidence: EvidenceStore;
let document: Document;
let operations: readonly {
  readonly at: string;
  readonly path: string;
  readonly method: string;
  readonly operation: Operation;
}[];
const ends: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), "pnl-bridge-openapi-"));
  ends.unshift(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, "desk.yaml"), JSON.stringify(desk));
  await writeFile(join(folder, "trades_20250725.csv"), ledger);
  const observations = new Observations();
  const bridge = await createPnlBridge({
    config: join(folder, "desk.yaml"),
    load: { overload: () => undefined },
    onComparison: observations.compared,
  });
  ends.unshift(() => bridge.close());
  if (bridge.evidence === undefined)
    throw new Error("a configuration with a control store must have an evidence store");
  evidence = bridge.evidence;
  const gateway = await startGateway({
    host: "127.0.0.1",
    port: 0,
    tokens: [],
    allowedHosts: [],
    localActor: "amy",
    rateLimitPerS: 0,
    bridge,
    control: bridge.control,
    observations,
    limits: { leaveMs: 0 },
  });
  ends.unshift(() => gateway.close());
  ({ url } = gateway);
  document = (await ask(`${url}/openapi.json`)).body;
  operations = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ at: `${method} ${path}`, path, method, operation })),
  );
});
afterAll(async () => {
  for (const end of ends) await end();
});

/** Fails for unknown keywords, dangling references and invalid schemas. */
const ajv = new Ajv2020({ strict: true, strictTypes: false, allErrors: true, keywords: ["components"] });
const validatorOf = (schema: object) => ajv.compile({ components: document.components, ...schema });

const jsonOf = (operation: Operation, status: string): object | undefined =>
  operation.responses[status]?.content?.["application/json"]?.schema;

/** The kinds of objects in a document, with their permitted keys in OpenAPI 3.1. */
const kinds = {
  document: ["openapi", "info", "servers", "tags", "paths", "components", "security"],
  operation: [
    "operationId",
    "summary",
    "description",
    "tags",
    "parameters",
    "requestBody",
    "responses",
    "security",
  ],
  parameter: ["name", "in", "required", "description", "schema"],
  body: ["required", "description", "content"],
  response: ["description", "content", "headers"],
  media: ["schema"],
} as const;
const unknownKeys = (kind: keyof typeof kinds, value: object): readonly string[] => {
  const known: readonly string[] = kinds[kind];
  return Object.keys(value).filter((key) => !known.includes(key));
};

describe("openapi.json", () => {
  it("describes every route", () => {
    expect(operations.map(({ at }) => at).sort()).toEqual(
      [
        ...pnlMethods.map((method) => `post /api/v1/pnl/${method}`),
        "delete /api/v1/migration/denylist/{user}",
        "delete /api/v1/migration/whitelist/{user}",
        "get /api/v1/audit",
        "get /api/v1/audit/verification",
        "get /api/v1/database",
        "get /api/v1/files",
        "get /api/v1/files/reviews/{id}",
        "get /api/v1/quarantine",
        "get /api/v1/reports/{date}",
        "post /api/v1/files/reviews/{id}",
        "post /api/v1/quarantine/settle",
        "get /api/v1/comparisons",
        "post /api/v1/records",
        "post /api/v1/validate",
        "get /api/v1/comparisons/{id}",
        "get /api/v1/comparisons/{id}/explanation",
        "get /api/v1/dashboard",
        "get /api/v1/events",
        "get /api/v1/gates",
        "get /api/v1/migration",
        "get /api/v1/session",
        "get /api/v1/symbols/{symbol}",
        "get /healthz",
        "get /metrics",
        "get /readyz",
        "post /api/v1/files",
        "post /api/v1/gates/{gate}/sign-off",
        "post /api/v1/migration/phase",
        "post /api/v1/migration/rollback",
        "put /api/v1/migration/denylist/{user}",
        "put /api/v1/migration/traffic",
        "put /api/v1/migration/whitelist/{user}",
      ].sort(),
    );
  });

  it("has exactly the structure of an OpenAPI 3.1 document", () => {
    expect(document.openapi).toBe("3.1.0");
    const found = [unknownKeys("document", document)];
    for (const { operation } of operations) {
      found.push(unknownKeys("operation", operation));
      for (const parameter of operation.parameters ?? []) found.push(unknownKeys("parameter", parameter));
      const bodies = [operation.requestBody, ...Object.values(operation.responses)];
      for (const body of bodies)
        for (const media of Object.values(body?.content ?? {})) found.push(unknownKeys("media", media));
      if (operation.requestBody !== undefined) found.push(unknownKeys("body", operation.requestBody));
      for (const [status, response] of Object.entries(operation.responses)) {
        expect(status).toMatch(/^([1-5]\d\d|[1-5]XX|default)$/);
        expect(response).toHaveProperty("description", expect.stringMatching(/\S/));
        found.push(unknownKeys("response", response));
      }
    }
    expect(found.flat()).toEqual([]);
  });

  it("gives every operation a unique name, a summary and a tag", () => {
    const tags = new Set(document.tags.map(({ name }) => name));
    for (const { at, operation } of operations) {
      expect([at, operation.operationId]).toEqual([at, expect.stringMatching(/^[a-z][A-Za-z]+$/)]);
      expect([at, operation.summary]).toEqual([at, expect.stringMatching(/\S/)]);
      expect([at, operation.tags?.every((tag) => tags.has(tag))]).toEqual([at, true]);
    }
    expect(new Set(operations.map(({ operation }) => operation.operationId)).size).toBe(operations.length);
  });

  it("declares every path parameter, as required", () => {
    for (const { at, path, operation } of operations) {
      const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      const declared = (operation.parameters ?? []).filter((parameter) => parameter.in === "path");
      expect([at, declared.map(({ name }) => name)]).toEqual([at, named]);
      expect([at, declared.every(({ required }) => required === true)]).toEqual([at, true]);
    }
  });

  it("has a schema for every success, and a problem document for every refusal", () => {
    for (const { at, operation } of operations) {
      const success = Object.values(operation.responses["200"]?.content ?? {});
      expect([
        at,
        success.length,
        success.every(({ schema }) => Object.keys(schema ?? {}).length > 0),
      ]).toEqual([at, 1, true]);
      for (const status of ["4XX", "5XX"])
        expect([at, operation.responses[status]?.content]).toEqual([
          at,
          { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
        ]);
    }
  });

  it("has a schema of its own for the value of each bridged method", () => {
    const values = pnlMethods.map((method) => {
      const schema = jsonOf(document.paths[`/api/v1/pnl/${method}`]?.post as Operation, "200") as {
        readonly properties: { readonly value: { readonly required: readonly string[] } };
      };
      return [method, schema.properties.value.required];
    });
    expect(Object.fromEntries(values)).toEqual({
      calculatePnl: ["positions", "totals", "rejected"],
      openPositions: ["positions"],
      tradeHistory: ["trades"],
      dailyPnl: ["daily"],
      totals: ["totals"],
      positionDetail: ["position"],
    });
  });

  it("contains only valid JSON Schemas of the 2020-12 dialect, without dangling references or unused schemas", () => {
    for (const { operation } of operations)
      for (const body of [operation.requestBody, ...Object.values(operation.responses)])
        for (const { schema = {} } of Object.values(body?.content ?? {}))
          expect(() => validatorOf(schema)).not.toThrow();
    const { components, ...rest } = document;
    const text = JSON.stringify([rest, components]);
    for (const name of Object.keys(components.schemas))
      expect(text).toContain(`"#/components/schemas/${name}"`);
  });

  const symbol = "XCMEFFDPSX20250919U0ZN";
  const trades = [{ id: "1", symbol, side: "B", quantity: "2", price: 110.5 }];
  /** A request for most operations, with its path if it differs from the operation's. */
  const asked: readonly { readonly at: string; readonly path?: string; readonly body?: object }[] = [
    { at: "post /api/v1/pnl/calculatePnl", body: { trades } },
    { at: "post /api/v1/pnl/openPositions", body: {} },
    { at: "post /api/v1/pnl/tradeHistory", body: { limit: 1 } },
    { at: "post /api/v1/pnl/dailyPnl", body: {} },
    { at: "post /api/v1/pnl/totals", body: {} },
    { at: "post /api/v1/pnl/positionDetail", body: { symbol } },
    { at: "get /healthz" },
    { at: "get /readyz" },
    { at: "get /api/v1/migration" },
    { at: "get /api/v1/gates", path: "/api/v1/gates?target=dual_write" },
    { at: "post /api/v1/migration/phase", body: { move: "advance", reason: "x", dryRun: true } },
    { at: "put /api/v1/migration/traffic", body: { percentage: 12.5, reason: "x" } },
    ...["whitelist", "denylist"].flatMap((list) =>
      ["put", "delete"].map((method) => ({
        at: `${method} /api/v1/migration/${list}/{user}`,
        path: `/api/v1/migration/${list}/amy`,
        body: { reason: "x" },
      })),
    ),
    {
      at: "post /api/v1/gates/{gate}/sign-off",
      path: "/api/v1/gates/approved/sign-off",
      body: { note: "x", phase: "primary_switch" },
    },
    { at: "post /api/v1/migration/rollback", body: { reason: "x" } },
    { at: "get /api/v1/audit" },
    { at: "get /api/v1/audit/verification" },
    { at: "get /api/v1/quarantine" },
    { at: "get /api/v1/comparisons" },
    { at: "get /api/v1/dashboard", path: "/api/v1/dashboard?book=UST&beside=true" },
    {
      at: "post /api/v1/validate",
      body: { legacy: { a: "1" }, modern: { a: 2 }, tolerances: { pnl: "0.5" } },
    },
    {
      at: "get /api/v1/symbols/{symbol}",
      path: "/api/v1/symbols/XCMEOPADPS20250721N0VY3%2F110.25?legacy=true",
    },
  ];
  it.each(asked)("matches the actual request and answer of $at", async ({ at, path, body }) => {
    const [method = "", own = ""] = at.split(" ");
    const found = operations.find((operation) => operation.at === at)?.operation as Operation;
    if (body !== undefined) {
      const fits = validatorOf(found.requestBody?.content?.["application/json"]?.schema ?? { not: {} });
      expect([fits(body), fits.errors]).toEqual([true, null]);
    }
    const answered = await ask(`${url}${path ?? own}`, method.toUpperCase(), body);
    expect([answered.status, answered.text]).toEqual([200, expect.anything()]);
    const holds = validatorOf(jsonOf(found, "200") ?? { not: {} });
    expect([holds(answered.body), holds.errors]).toEqual([true, null]);
  });

  it("matches a stored comparison", async () => {
    await evidence.append([kept]);
    const { body } = await ask(`${url}/api/v1/comparisons?verdict=diverged`);
    const list = validatorOf(jsonOf(document.paths["/api/v1/comparisons"]?.get as Operation, "200") ?? {});
    expect([list(body), list.errors, body.comparisons.length]).toEqual([true, null, 1]);
    const { body: found } = await ask(`${url}/api/v1/comparisons/${body.comparisons[0].id}`);
    const one = validatorOf(
      jsonOf(document.paths["/api/v1/comparisons/{id}"]?.get as Operation, "200") ?? {},
    );
    expect([one(found), one.errors]).toEqual([true, null]);
  });

  it.each([
    ["GET", "/api/v1/nowhere", 404],
    ["GET", "/api/v1/symbols/XCME.RX.H5", 404],
    ["GET", "/api/v1/audit?limit=0", 400],
    ["POST", "/api/v1/migration/phase", 415],
  ])("matches refusals: %s %s is %i", async (method, path, status) => {
    const { body, headers, ...answered } = await ask(`${url}${path}`, method);
    expect([answered.status, headers.get("content-type")]).toEqual([status, "application/problem+json"]);
    const isProblem = validatorOf({ $ref: "#/components/schemas/Problem" });
    expect([isProblem(body), isProblem.errors]).toEqual([true, null]);
  });
});
