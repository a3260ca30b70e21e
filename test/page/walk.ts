/**
 * A new user's walk over the living desk: sign in, find why book UST differs, take modern out of use, see
 * every process acknowledge, and export the audit. The test follows it, and the script of the screenshots
 * takes a picture at each stop.
 */
import type { Page } from "playwright-core";
import { until } from "../../src/testing/until.ts";

export type Stop =
  | "sign-in"
  | "pnl"
  | "migration"
  | "differences"
  | "cause"
  | "files"
  | "health"
  | "rollback"
  | "audit";

export interface Walk {
  readonly url: string;
  readonly token: string;
  /** Called at each stop of the walk, when the page shows it. */
  readonly at: (stop: Stop) => Promise<void>;
}

/**
 * Waits until the watcher of a new living desk has read its three ledgers. Only a ledger that was read can be
 * published again.
 */
export const ledgersRead = ({ url, token }: Pick<Walk, "url" | "token">): Promise<void> =>
  until(async () => {
    const answer = await fetch(`${url}/api/v1/files`, { headers: { authorization: `Bearer ${token}` } });
    if (answer.status === 503) return false; // The watcher is being opened.
    const { files } = (await answer.json()) as { files: readonly { rowsApplied: number }[] };
    return files.filter(({ rowsApplied }) => rowsApplied > 0).length === 3;
  }, "the watcher has read the three ledgers");

/** Walks, and returns the exported audit. Rejects if the page does not show what it should. */
export async function walk(page: Page, { url, token, at }: Walk): Promise<string> {
  const view = async (name: string): Promise<void> => {
    await page.getByRole("link", { name, exact: true }).click();
    await page.getByRole("heading", { name, level: 1 }).waitFor();
  };
  await page.goto(url);
  await page.getByLabel("Your token").fill(token);
  await at("sign-in");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("olivia (operator)").waitFor();
  await page.locator("[data-state=live]").waitFor();
  await page.getByRole("grid", { name: "Positions" }).getByRole("gridcell").first().waitFor();
  await at("pnl");

  await view("Migration");
  await page.getByText("modern takes over the users step by step").first().waitFor();
  await page.getByText(/verified: \d+ rows/).waitFor();
  await at("migration");

  // Why does book UST differ?
  await view("Differences");
  await page.getByRole("textbox", { name: "Book or user" }).fill("UST");
  await page.keyboard.press("Enter");
  await page.getByRole("combobox", { name: "Verdict" }).selectOption("diverged");
  await page.getByRole("textbox", { name: "Method" }).fill("calculatePnl");
  await page.keyboard.press("Enter");
  const found = page.getByRole("grid", { name: "Comparisons" });
  const cell = found.getByRole("gridcell", { name: "diverged" }).first();
  // The desk has just begun to trade, and the list has only the comparisons up to its request.
  for (; (await cell.count()) === 0; await page.waitForTimeout(1_000))
    await page.getByRole("button", { name: "Show the newest" }).click();
  await at("differences");
  await cell.dblclick();
  await page.getByRole("heading", { name: "Fields that differ" }).waitFor();
  await page.getByText("TU_MULTIPLIER").first().waitFor();
  await page.getByRole("heading", { name: /^The trades that show the difference/ }).scrollIntoViewIfNeeded();
  await at("cause");

  await view("Files and data");
  await page.getByText("BAD_TIME").waitFor();
  await page.getByRole("button", { name: "Show the rows" }).click();
  await page.getByText(/^changed in line/).waitFor();
  await at("files");

  await view("Health");
  await page.getByRole("img", { name: "Median latency in ms" }).waitFor();
  await at("health");

  // Take modern out of use, and see every process acknowledge.
  await page.keyboard.press("Alt+r");
  await page.getByRole("dialog").getByText("No gate is asked").waitFor();
  await page.keyboard.press("Enter");
  await page.getByText("Legacy answers every call since epoch").waitFor();
  await page.getByText(/1 of 1 live process acknowledged/).waitFor();
  await page.getByText(/ follows$/).waitFor();
  await at("rollback");
  await page.keyboard.press("Escape");

  await view("Migration");
  await page.getByText("out of use: ").waitFor();
  await page.getByRole("gridcell", { name: "rolled back on the page" }).scrollIntoViewIfNeeded();
  await at("audit");
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "Export the audit" }).click(),
  ]);
  const chunks: Buffer[] = [];
  for await (const chunk of await download.createReadStream()) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString();
}
