import { describe, expect, it } from "vitest";
import type { GatewayOptions } from "../../src/surfaces/gateway/index.ts";
import { desk, raw } from "./desk.ts";

const env = { V: "viewer-0123456789", O: "operator-0123456789" };
const tokens: GatewayOptions["tokens"] = [
  { name: "viewer", role: "viewer", env: "V" },
  { name: "amy", role: "operator", env: "O" },
];
const max = 3;
const asked = 12;
/** The window is longer than each test. */
const limited = { rateLimitPerS: max, limits: { rateWindowMs: 600_000 } };

type Ask = (at: number) => {
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
};

/** Sends requests at the same time, and counts those that are refused for their rate. */
async function refusals(url: string, ask: Ask): Promise<number> {
  const statuses = await Promise.all(
    Array.from({ length: asked }, async (_, at) => {
      const { path = "/api/v1/migration", method = "GET", headers = {} } = ask(at);
      return (await raw(`${url}${path}`, headers, { method })).status;
    }),
  );
  return statuses.filter((status) => status === 429).length;
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

describe("the rate limit", () => {
  it.each<[string, boolean, Ask]>([
    ["without tokens, plain requests", false, () => ({})],
    [
      "without tokens, another authorization header each time",
      false,
      (at) => ({ headers: { authorization: `Basic ${at}` } }),
    ],
    ["a right token", true, () => ({ headers: bearer(env.V) })],
    [
      "a right token, with blanks after Bearer",
      true,
      (at) => ({ headers: { authorization: `Bearer ${" ".repeat(at)}${env.V}` } }),
    ],
    [
      "a right token, in other letter cases",
      true,
      (at) => ({ headers: { authorization: at % 2 ? `bearer ${env.V}` : `BEARER ${env.V}` } }),
    ],
    ["a wrong token, another each time", true, (at) => ({ headers: bearer(`wrong-token-number-${at}`) })],
    ["no token", true, () => ({})],
    [
      "a role that is too low",
      true,
      () => ({
        path: "/api/v1/migration/rollback",
        method: "POST",
        headers: { ...bearer(env.V), "content-type": "application/json" },
      }),
    ],
    ["routes that do not exist", false, (at) => ({ path: `/api/v1/nowhere/${at}` })],
    ["a foreign origin", false, () => ({ headers: { origin: "https://evil.example" } })],
    ["the metrics and the document", false, (at) => ({ path: at % 2 ? "/metrics" : "/openapi.json" })],
  ])("refuses the requests beyond it (%s)", async (_, withTokens, ask) => {
    const { url } = await desk({ ...limited, ...(withTokens ? { tokens, env } : {}) });
    expect(await refusals(url, ask)).toBe(asked - max);
  });

  it("is separate for each holder of a token, and shared by all callers of one address without a valid token", async () => {
    const { url } = await desk({ ...limited, tokens, env });
    expect(await refusals(url, (at) => ({ headers: bearer(`wrong-token-number-${at}`) }))).toBe(asked - max);
    expect(await refusals(url, () => ({}))).toBe(asked);
    expect(await refusals(url, () => ({ headers: bearer(env.V) }))).toBe(asked - max);
    expect((await raw(`${url}/api/v1/migration`, bearer(env.O))).status).toBe(200);
  });

  it("does not apply to probes, which do not count towards it", async () => {
    const { url } = await desk(limited);
    const probes: Ask = (at) => ({ path: at % 2 ? "/healthz" : "/readyz", method: at % 3 ? "GET" : "HEAD" });
    expect(await refusals(url, probes)).toBe(0);
    expect((await raw(`${url}/api/v1/migration`, {})).status).toBe(200);
  });
});

describe("HEAD", () => {
  it.each([
    "/healthz",
    "/readyz",
    "/metrics",
    "/openapi.json",
    "/api/v1/migration",
    "/api/v1/gates",
    "/api/v1/audit",
    "/api/v1/events",
  ])("%s answers like GET, without a body", async (path) => {
    const { url } = await desk();
    const answer = await raw(`${url}${path}`, {}, { method: "HEAD" });
    expect([answer.status, answer.body]).toEqual([200, ""]);
  });
});
