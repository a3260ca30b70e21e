import { describe, expect, it } from "vitest";
import { chromiumPath } from "../browser.ts";
import { desk } from "../gateway/desk.ts";
import { usePages } from "./open-page.ts";
import { openRelay } from "./relay.ts";

const env = { V: "viewer-0123456789", A: "amy-0123456789012" };
const tokens = [
  { name: "viewer", role: "viewer", env: "V" },
  { name: "amy", role: "operator", env: "A" },
] as const;

describe.skipIf(chromiumPath === undefined)("the page in Chromium (skipped if it is not installed)", () => {
  const pages = usePages();

  it("asks for a token, keeps it for the tab only, and never puts it into an address", async () => {
    const { url } = await desk({ page: pages.folder, tokens, env });
    const page = await pages.open(url, { token: "wrong-0123456789" });
    await page.getByText("the token in the authorization header is not valid").waitFor();
    const addresses: string[] = [];
    page.on("request", (request) => addresses.push(request.url()));
    await page.getByLabel("Your token").fill(env.A);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("amy (operator)").waitFor();
    await page.locator("[data-state=live]").waitFor();
    await page.reload();
    await page.getByText("amy (operator)").waitFor();
    expect(addresses.filter((address) => address.includes(env.A))).toEqual([]);
    expect(await page.evaluate("JSON.stringify({ ...localStorage }) + document.cookie")).toBe("{}");
    const other = await pages.open(url, { context: page.context() });
    await other.getByLabel("Your token").waitFor();
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("Your token").waitFor();
    expect(await page.evaluate("sessionStorage.length")).toBe(0);
  });

  it("gives a viewer no command, and an operator the way back in every view", async () => {
    const { url } = await desk({ page: pages.folder, tokens, env });
    const viewer = await pages.open(url, { token: env.V });
    await viewer.locator("[data-state=live]").waitFor();
    expect(await viewer.locator(".command, dialog").count()).toBe(0);
    const operator = await pages.open(url, { token: env.A });
    for (const view of ["P&L", "Migration", "Differences", "Files and data", "Health"]) {
      await operator.getByRole("link", { name: view }).click();
      await operator.getByRole("heading", { name: view, level: 1 }).waitFor();
      await operator.getByRole("button", { name: "Roll back to legacy" }).waitFor();
    }
  });

  it("says that the connection is lost and since when, and comes back by itself", async () => {
    const { url } = await desk({ page: pages.folder });
    await using relay = await openRelay(url);
    const page = await pages.open(relay.url);
    await page.locator("[data-state=live]").waitFor();
    relay.down();
    await page
      .getByRole("alert")
      .getByText(/No connection since \d\d:\d\d:\d\d C[SD]T/)
      .waitFor();
    relay.heal();
    await page.locator("[data-state=live]").waitFor();
    relay.stall();
    await page.getByRole("alert").getByText("the gateway has sent nothing for").waitFor();
    relay.heal();
    await page.locator("[data-state=live]").waitFor();
    expect(await page.getByRole("alert").count()).toBe(0);
  });
});
