import { OpenFeature } from "@openfeature/server-sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { planOf } from "../../domain/migration/plan.ts";
import { PnlBridgeProvider } from "./index.ts";

let plan = planOf({
  phase: "dual_write",
  flags: { calculator: true, storage: true },
  newSystemPercentage: 50,
  userWhitelist: ["amy"],
});
const client = OpenFeature.getClient();

beforeAll(() => OpenFeature.setProviderAndWait(new PnlBridgeProvider(() => plan)));
afterAll(() => OpenFeature.close());

describe("the OpenFeature provider", () => {
  it("answers as the bridge routes, with the reason", async () => {
    const details = await client.getStringDetails("pnl_route", "legacy", {
      targetingKey: "amy",
      book: "UST",
    });
    expect(details).toMatchObject({ value: "modern", variant: "modern", reason: "TARGETING_MATCH" });
    expect(details.flagMetadata).toMatchObject({ because: "WHITELIST", epoch: 1 });
    expect(await client.getBooleanValue("use_new_pnl_system", false, { targetingKey: "amy" })).toBe(true);
  });

  it("routes a book the same way for every user", async () => {
    const routes = async (users: readonly string[]) =>
      Promise.all(
        users.map((user) =>
          client.getStringValue("pnl_route", "legacy", { targetingKey: user, book: "UST" }),
        ),
      );
    expect(new Set(await routes(["bob", "eve", "joe"])).size).toBe(1);
  });

  it("returns legacy without a book or user, and while use_new_pnl_system is off", async () => {
    expect(await client.getStringDetails("pnl_route", "modern")).toMatchObject({
      value: "legacy",
      reason: "DEFAULT",
    });
    plan = planOf({ ...plan, useNewPnlSystem: false });
    expect(await client.getStringDetails("pnl_route", "modern", { targetingKey: "amy" })).toMatchObject({
      value: "legacy",
      reason: "DISABLED",
    });
  });

  it("treats a number as its text", async () => {
    plan = planOf({ ...plan, useNewPnlSystem: true, newSystemPercentage: 37 });
    for (let book = 0; book < 200; book++) {
      const [asNumber, asText] = await Promise.all(
        [book, String(book)].map((unit) => client.getStringDetails("pnl_route", "legacy", { book: unit })),
      );
      expect(asNumber).toMatchObject({ value: asText?.value, reason: "SPLIT" });
    }
  });

  it("throws if there is no plan", async () => {
    const lost = new PnlBridgeProvider(() => undefined as never);
    await expect(lost.resolveStringEvaluation("pnl_route", "legacy", {})).rejects.toThrow(
      "return bridge.plan",
    );
  });

  it("returns the given default, with an error code, for an unknown flag or type", async () => {
    expect(await client.getBooleanDetails("other", true)).toMatchObject({
      value: true,
      errorCode: "FLAG_NOT_FOUND",
    });
    expect(await client.getNumberDetails("pnl_route", 7)).toMatchObject({
      value: 7,
      errorCode: "TYPE_MISMATCH",
    });
  });
});
