/** The routes of files, databases and quarantine, over a desk whose ledger has a bad row and is edited. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createPnlBridge } from "../../src/app/bridge/pnl-bridge.ts";
import { createLegacy } from "../../src/app/files/open.ts";
import { FileService } from "../../src/app/files/service.ts";
import { present } from "../../src/base/present.ts";
import { loadConfig } from "../../src/config/index.ts";
import { startGateway } from "../../src/surfaces/gateway/index.ts";
import { until } from "../../src/testing/until.ts";
import { ask } from "./desk.ts";

const ledger = (price: string): string => `tradeId,instrumentName,marketTradeTime,buySell,quantity,price
1,XCMEFFDPSX20250919U0ZN,2025-07-24 09:30:00.000,B,2,${price}
2,XCMEFFDPSX20250919U0ZN,2025-07-24 10:15:00.000,S,1,110.515625
3,XCMEFFDPSX20250919U0ZN,yesterday,B,1,110.5
`;
const config = {
  migration: { phase: "dual_write", feature_flags: { use_new_storage: true } },
  stores: { control: "sqlite:control.db", legacy: "sqlite:legacy.db", modern: "sqlite:modern.db" },
  watch: { trade_ledger: "ledgers", settle_ms: 50, scan_ms: 50 },
};
const tokens = [
  { name: "olivia", role: "operator", env: "OPERATOR" },
  { name: "victor", role: "viewer", env: "VIEWER" },
] as const;
const env = { OPERATOR: "olivias-secret-token", VIEWER: "victors-secret-token" };
const as = (token: string) => ({ authorization: `Bearer ${token}` });

let folder: string;
let url: string;
const ends: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "pnl-bridge-files-"));
  ends.unshift(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, "desk.yaml"), JSON.stringify(config));
  await mkdir(join(folder, "ledgers"));
  await writeFile(join(folder, "ledgers", "trades_20250724.csv"), ledger("110.5"));
  const settings = { config: await loadConfig(join(folder, "desk.yaml")), folder };
  await createLegacy(settings);
  const bridge = await createPnlBridge({ config: join(folder, "desk.yaml"), log: () => {} });
  ends.unshift(() => bridge.close());
  const files = new FileService({
    settings,
    database: present(bridge.database, "both databases are configured"),
    plan: () => bridge.plan,
  });
  ends.unshift(() => files.close());
  const gateway = await startGateway({
    ...{ host: "127.0.0.1", port: 0, tokens, env, allowedHosts: [], localActor: "amy", rateLimitPerS: 0 },
    ...{ bridge, control: bridge.control, files, limits: { leaveMs: 0 } },
  });
  ends.unshift(() => gateway.close());
  url = `${gateway.url}/api/v1`;
});
afterAll(async () => {
  for (const end of ends) await end();
});

const get = async (path: string) => (await ask(`${url}${path}`, "GET", undefined, as(env.VIEWER))).body;
const post = (path: string, body: object, token = env.OPERATOR) =>
  ask(`${url}${path}`, "POST", body, as(token));

it("a viewer sees the files, the refused row with its line, and that both databases agree", async () => {
  await until(async () => (await get("/files")).files?.[0]?.rowsRefused === 1);
  await until(async () => (await get("/quarantine")).status !== 503, "both databases are open");
  expect(await get("/files")).toMatchObject({
    roots: [{ ok: true }],
    files: [{ path: "trades_20250724.csv", rowsApplied: 2 }],
    reviews: [],
  });
  expect(await get("/quarantine")).toMatchObject({
    files: [{ path: "trades_20250724.csv", line: 4, code: "BAD_TIME" }],
    databases: [],
  });
  expect(await get("/database")).toMatchObject({ authority: "legacy", owed: { toModern: {} }, parked: [] });
});

it("an operator decides a review under their own name, and a viewer may not", async () => {
  await writeFile(join(folder, "ledgers", "trades_20250724.csv"), ledger("110.53125"));
  await until(async () => (await get("/files")).reviews?.length === 1);
  const [{ id }] = (await get("/files")).reviews;
  const review = await get(`/files/reviews/${id}`);
  expect(review).toMatchObject({ kind: "republished", changed: 1, rows: [{ what: "changed", line: 2 }] });
  expect(review.rows[0].text).toContain("price 110.5 → 110.53125");

  const decision = { decision: "apply", reason: "the price was mistyped" };
  expect((await post(`/files/reviews/${id}`, decision, env.VIEWER)).status).toBe(403);
  expect((await post(`/files/reviews/${id}`, { decision: "apply" })).status).toBe(400);
  expect((await post(`/files/reviews/${id}`, decision)).body).toMatchObject({ id });
  await until(async () => (await get("/files")).reviews?.length === 0);
  expect((await post(`/files/reviews/${id}`, decision)).body).toMatchObject({ code: "NO_INPUT" });
  const { rows } = await get("/audit");
  expect(rows.find(({ action }: { readonly action: string }) => action === "file_review")).toMatchObject({
    ...{ actor: "olivia", reason: "the price was mistyped" },
    evidence: JSON.stringify({ review: id, decision: "apply" }),
  });
  expect(await get("/audit/verification")).toMatchObject({ ok: true, faults: [] });
});

it("a row that does not wait cannot be settled", async () => {
  const asked = { table: "processed_trades", key: "none", reason: "it is right" };
  expect((await post("/quarantine/settle", asked, env.VIEWER)).status).toBe(403);
  expect((await post("/quarantine/settle", asked)).body).toMatchObject({ status: 404, code: "NO_INPUT" });
});
