import { describe, expect, it } from "vitest";
import { ask, desk } from "./desk.ts";

const json = "application/json";
/** Routes of each kind that read a body, with a valid body. */
const routes = [
  { method: "POST", path: "/pnl/totals", body: '{"book":"UST"}' },
  { method: "POST", path: "/pnl/nowhere", body: "{}", status: 400 },
  { method: "POST", path: "/migration/rollback", body: '{"reason":"x"}' },
  { method: "POST", path: "/migration/phase", body: '{"move":"advance","reason":"x","dryRun":true}' },
  { method: "PUT", path: "/migration/traffic", body: '{"percentage":0,"reason":"x"}' },
  { method: "PUT", path: "/migration/whitelist/amy", body: '{"reason":"x"}' },
  { method: "DELETE", path: "/migration/whitelist/amy", body: '{"reason":"x"}' },
  { method: "POST", path: "/gates/approved/sign-off", body: '{"note":"x","phase":"primary_switch"}' },
] as const;

async function send(
  url: string,
  { method, path }: (typeof routes)[number],
  body: Uint8Array | string,
  headers = {},
) {
  const answer = await fetch(`${url}/api/v1${path}`, {
    method,
    body,
    headers: { "content-type": json, ...headers },
  });
  return {
    status: answer.status,
    body: (await answer.json()) as { readonly code?: string; readonly detail?: string },
  };
}

describe.each(routes)("a body of $method $path", (route) => {
  const usual = "status" in route ? route.status : 200;

  it("may begin with a byte order mark, and may name the charset", async () => {
    const { url } = await desk();
    expect((await send(url, route, `\ufeff${route.body}`)).status).toBe(usual);
    for (const type of [`${json}; charset=utf-8`, `${json};charset="UTF-8"`, `${json}; charset=utf8`])
      expect((await send(url, route, route.body, { "content-type": type })).status).toBe(usual);
  });

  it("is refused with 400 if its bytes are not UTF-8", async () => {
    const { url } = await desk();
    const bytes = Buffer.from(route.body.replace("}", ',"name":"B\xfc"}'), "latin1");
    const answered = await send(url, route, bytes);
    expect(answered).toMatchObject({
      status: 400,
      body: { code: "BAD_USAGE", detail: "body: the bytes are not UTF-8" },
    });
  });

  it("is refused with 415 in another charset, content encoding or media type", async () => {
    const { url } = await desk();
    for (const headers of [
      { "content-type": `${json}; charset=iso-8859-1` },
      { "content-type": `${json}; charset=utf-16le` },
      { "content-encoding": "gzip" },
      { "content-type": "text/plain" },
      { "content-type": "application/xml" },
    ])
      expect([headers, (await send(url, route, route.body, headers)).status]).toEqual([headers, 415]);
  });

  it("is refused with 400 if an object repeats a key", async () => {
    const { url } = await desk();
    const [, key = "a"] = /"(\w+)"/.exec(route.body) ?? [];
    const twice = route.body === "{}" ? '{"a":1,"a":2}' : route.body.replace("{", `{"${key}":"y",`);
    const answered = await send(url, route, twice);
    expect(answered).toMatchObject({
      status: 400,
      body: { detail: expect.stringContaining("a key for the second time") },
    });
  });
});

describe("the headers of a call", () => {
  it("are refused if the bytes of a user or a book are not UTF-8", async () => {
    const { url } = await desk();
    for (const header of ["x-pnl-user", "x-pnl-book"])
      expect(await ask(`${url}/api/v1/pnl/totals`, "POST", {}, { [header]: "B\xfc" })).toMatchObject({
        status: 400,
        body: { code: "BAD_USAGE", detail: `headers.${header}: the bytes are not UTF-8` },
      });
  });
});

describe("a percentage", () => {
  it.each([12.3456, 0.0001, 1e-7, -1, 100.001])("of %d is refused with 400", async (percentage) => {
    const { url } = await desk();
    for (const body of [
      { percentage, reason: "x" },
      { steps: [percentage], dwellMs: 60_000, reason: "x" },
    ])
      expect(await ask(`${url}/api/v1/migration/traffic`, "PUT", body)).toMatchObject({
        status: 400,
        body: { code: "BAD_USAGE" },
      });
  });

  it.each([0, 12.345, 33.333, 0.001, 100])("of %d is accepted", async (percentage) => {
    const { url } = await desk();
    expect(await ask(`${url}/api/v1/migration/traffic`, "PUT", { percentage, reason: "x" })).toMatchObject({
      status: 200,
      body: { newSystemPercentage: percentage },
    });
  });
});
