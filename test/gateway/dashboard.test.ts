import { describe, expect, it } from "vitest";
import type { GatewayOptions } from "../../src/surfaces/gateway/index.ts";
import { dashboardAnswer } from "../../src/surfaces/gateway/wire/dashboard.ts";
import { allFlags, publishedSection } from "../../src/testing/fleet.ts";
import { until } from "../../src/testing/until.ts";
import { ask, desk } from "./desk.ts";

const answers = (quantity: string) => (method: string) => ({
  totals: { USD: { realized: "1.25", unrealized: "$-1,234.50", total: "-1233.25" } },
  positions: [{ symbol: "TYU5", quantity, averagePrice: "1/3", realized: "1.25", unrealized: "-1234.5" }],
  daily: [{ symbol: "TYU5", tradingDay: "2025-07-24", realized: "1.25", unrealized: "0", total: "1.25" }],
  trades: [{ id: "1", symbol: "TYU5", side: "B", quantity, price: "110.5", time: "2025-07-24T10:00:00" }],
  method,
});
const env = {
  V: "viewer-0123456789",
  A: "amy-0123456789012",
  B: "bob-0123456789012",
  C: "cid-0123456789012",
};
const tokens: GatewayOptions["tokens"] = [
  { name: "viewer", role: "viewer", env: "V" },
  { name: "amy", role: "operator", env: "A" },
  { name: "bob", role: "operator", env: "B" },
  { name: "cid", role: "viewer", env: "C" },
];
const as = (token: string) => ({ authorization: `Bearer ${token}` });

describe("GET /api/v1/dashboard", () => {
  it("answers every view in the shape of the contract, with exact text for every number", async () => {
    const { url } = await desk({ legacy: answers("2"), plan: { phase: "shadow_mode", epoch: 4 } });
    for (const view of ["screen", "summary", "positions", "daily", "trades", "chart"]) {
      const { status, body, headers } = await ask(`${url}/api/v1/dashboard?view=${view}&book=UST`);
      expect([status, headers.get("cache-control")]).toEqual([200, "no-store"]);
      expect(dashboardAnswer.parse(body)).toEqual(body);
      expect(body).toMatchObject({ source: "legacy", epoch: 4, stale: false, complete: true });
      const panels = Object.keys(body.value).filter((key) => key !== "unavailable");
      expect(panels).toEqual(
        view === "screen" ? ["summary", "positions", "daily", "trades", "chart"] : [view],
      );
    }
    const { body } = await ask(`${url}/api/v1/dashboard`);
    expect(body.value.summary.totals.USD.unrealized).toBe("-1234.5");
    expect(body.value.positions[0].averagePrice).toBe("1/3");
  });

  it("takes the user from x-pnl-user, else from the person of the token, and never from a role", async () => {
    const plan = { phase: "dual_write", flags: allFlags, bucketBy: "user", userWhitelist: ["amy", "viewer"] };
    const { url } = await desk({
      ...{ legacy: answers("2"), modern: answers("3"), tokens, env },
      plan: plan as never,
    });
    const sourceOf = async (headers: Readonly<Record<string, string>>) =>
      (await ask(`${url}/api/v1/dashboard`, "GET", undefined, headers)).body.source;
    expect(await sourceOf(as(env.A))).toBe("modern");
    expect(await sourceOf(as(env.B))).toBe("legacy");
    expect(await sourceOf(as(env.V))).toBe("legacy");
    expect(await sourceOf({ ...as(env.B), "x-pnl-user": "amy" })).toBe("modern");
    expect((await ask(`${url}/api/v1/dashboard`)).status).toBe(401);
  });

  it("shows both systems to operators and to users on the whitelist only", async () => {
    const plan = { phase: "dual_write", flags: allFlags, userWhitelist: ["cid"] } as const;
    const { url } = await desk({ legacy: answers("2"), modern: answers("3"), plan, tokens, env });
    const beside = (token: string) =>
      ask(`${url}/api/v1/dashboard?beside=true&view=positions`, "GET", undefined, as(token));
    expect((await beside(env.V)).status).toBe(403);
    const { body } = await beside(env.A);
    expect([body.source, body.other.source, body.other.comparison.verdict]).toEqual([
      "legacy",
      "modern",
      "diverged",
    ]);
    expect(dashboardAnswer.parse(body)).toEqual(body);
    const cid = await beside(env.C);
    expect([cid.status, cid.body.source, cid.body.other.source]).toEqual([200, "modern", "legacy"]);
  });

  it("refuses a bad query and says what is wrong", async () => {
    const { url } = await desk({ legacy: answers("2") });
    for (const [query, what] of [
      ["view=all", "querystring.view"],
      ["date=yesterday", "querystring.date"],
      ["limit=0", "querystring.limit"],
      ["limit=many", "querystring.limit"],
      ["view=trades&cursor=1", "the cursor names no row"],
      ["book=", "querystring.book"],
    ]) {
      const { status, body } = await ask(`${url}/api/v1/dashboard?${query}`);
      expect([query, status, body.code]).toEqual([query, 400, "BAD_USAGE"]);
      expect(body.detail).toContain(what);
    }
  });

  it("keeps its comparisons and notes its calls like those of any other method", async () => {
    const notes: object[] = [];
    const { url, service } = await desk({
      ...{ legacy: answers("2"), modern: answers("3"), onCall: (note) => notes.push(note) },
    });
    await ask(`${url}/api/v1/dashboard?book=UST`);
    expect(notes).toEqual([
      {
        ...{ method: "dashboard", book: "UST", source: "legacy" },
        epoch: 1,
        stale: false,
        ms: expect.any(Number),
      },
    ]);
    await service.idle();
    await until(
      async () => (await ask(`${url}/api/v1/comparisons?method=dashboard`)).body.comparisons.length === 1,
    );
    const { body } = await ask(`${url}/api/v1/comparisons?method=dashboard`);
    expect(body.comparisons).toMatchObject([{ verdict: "diverged", unit: "UST", answered: "legacy" }]);
    expect((await ask(`${url}/metrics`)).text).toContain(
      'pnl_bridge_calls_total{method="dashboard",source="legacy"} 1',
    );
  });
});

it("two people with tokens of their own are two approvers", async () => {
  const { url, store } = await desk({ tokens, env });
  const published = publishedSection({
    plan: { phase: "read_only", flags: allFlags },
    twoPerson: ["shadow_mode"],
  });
  await store.change({ actor: "amy", action: "publish", reason: "two people", set: { published } });
  const approve = (token: string) =>
    ask(`${url}/api/v1/gates/approved/sign-off`, "POST", { note: "seen", phase: "shadow_mode" }, as(token));
  const gate = async () => {
    const { body } = await ask(`${url}/api/v1/gates?target=shadow_mode`, "GET", undefined, as(env.A));
    return body.gates.find((one: { name: string }) => one.name === "approved");
  };
  expect((await approve(env.A)).body.actor).toBe("amy");
  await approve(env.A);
  expect(await gate()).toMatchObject({ open: false, why: expect.stringContaining("only amy has approved") });
  await approve(env.B);
  expect(await gate()).toMatchObject({ open: true, why: "approved by amy, bob" });
});
