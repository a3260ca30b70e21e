import { beforeAll, describe, expect, it } from "vitest";
import { build } from "../../scripts/pack.ts";
import { allFlags } from "../../src/testing/fleet.ts";
import { ask, desk } from "./desk.ts";

describe("the page over HTTP", () => {
  let page: string;
  beforeAll(async () => {
    page = `${await build()}/web`;
  });

  it("may load files of this gateway only, and may not be shown in a frame", async () => {
    const { url } = await desk({ page });
    const { status, headers, text } = await ask(`${url}/`);
    expect([status, headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
    expect(headers.get("content-security-policy")?.split(";")).toEqual([
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      "img-src 'self'",
      "connect-src 'self'",
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
    ]);
    expect(text).not.toMatch(/<script(?![^>]*\bsrc=)|<style|\son\w+=|\bhttps?:/);
  });

  it("is revalidated on each request, and its other files are cached for a year", async () => {
    const { url } = await desk({ page });
    const index = await ask(`${url}/`);
    expect(index.headers.get("cache-control")).toBe("no-cache");
    const etag = index.headers.get("etag") ?? "";
    expect((await ask(`${url}/`, "GET", undefined, { "if-none-match": etag })).status).toBe(304);
    const files = [...index.text.matchAll(/(?:src|href)="\.\/([^"]+)"/g)].map(([, file]) => file);
    expect(files.length).toBeGreaterThanOrEqual(3);
    for (const file of files) {
      const { status, headers } = await ask(`${url}/${file}`);
      expect([file, status]).toEqual([file, 200]);
      expect(headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
      expect(headers.get("content-encoding")).toBe("gzip");
    }
  });

  it("does not answer for unknown paths, which get a problem document", async () => {
    const { url } = await desk({ page });
    for (const path of ["/api/v1/nothing", "/assets/nothing.js", "/../package.json"]) {
      const { status, headers, body } = await ask(`${url}${path}`);
      expect([path, status, body.code]).toEqual([path, 404, "BAD_USAGE"]);
      expect(headers.get("content-type")).toBe("application/problem+json");
    }
  });

  it("needs no token, unlike the figures that it shows", async () => {
    const tokens = [{ name: "amy", role: "operator", env: "A" }] as const;
    const { url } = await desk({ page, tokens, env: { A: "amy-0123456789012" } });
    expect((await ask(`${url}/`)).status).toBe(200);
    expect((await ask(`${url}/api/v1/session`)).status).toBe(401);
  });
});

describe("GET /api/v1/session", () => {
  it("says who the caller is, and what it may do under the plan", async () => {
    const env = { V: "viewer-0123456789", A: "amy-0123456789012", C: "cid-0123456789012" };
    const { url } = await desk({
      plan: { phase: "dual_write", flags: allFlags, epoch: 7, userWhitelist: ["cid"] },
      tokens: [
        { name: "viewer", role: "viewer", env: "V" },
        { name: "amy", role: "operator", env: "A" },
        { name: "cid", role: "viewer", env: "C" },
      ],
      env,
    });
    const session = async (token: string) =>
      (await ask(`${url}/api/v1/session`, "GET", undefined, { authorization: `Bearer ${token}` })).body;
    const plan = { epoch: 7, phase: "dual_write", useNewPnlSystem: true, hasToken: true };
    expect(await session(env.V)).toEqual({
      ...plan,
      ...{ name: "viewer", role: "viewer", mayChange: false, mayCompare: false },
    });
    expect(await session(env.A)).toEqual({
      ...plan,
      ...{ name: "amy", role: "operator", mayChange: true, mayCompare: true },
    });
    expect(await session(env.C)).toEqual({
      ...plan,
      ...{ name: "cid", role: "viewer", mayChange: false, mayCompare: true },
    });
  });

  it("says that every caller is an admin if there are no tokens, and may change nothing if there is no control store", async () => {
    const { url } = await desk({ withControl: false });
    expect((await ask(`${url}/api/v1/session`)).body).toMatchObject({
      ...{ name: "amy", role: "admin", hasToken: false, mayChange: false, mayCompare: true },
    });
  });
});
