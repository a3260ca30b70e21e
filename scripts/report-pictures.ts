/**
 * `node scripts/report-pictures.ts` makes the pictures of docs/reports.md: the sheet Positions of a daily
 * report as LibreOffice prints it, and the comparison with legacy's report. Needs LibreOffice, pdftoppm and
 * Chromium.
 */
import { execFileSync } from "node:child_process";
import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { startBrowser } from "../test/browser.ts";

const images = fileURLToPath(new URL("../docs/images/", import.meta.url));
const program = fileURLToPath(new URL("../src/surfaces/cli/main.ts", import.meta.url));

const ledger = `tradeId,instrumentName,marketTradeTime,buySell,quantity,price
1,XCMEFFDPSX20250919U0ZN,2025-07-24 09:00:00.000,B,3.0,110.515625
2,XCMEFFDPSX20250919U0ZN,2025-07-24 10:00:00.000,S,1.0,110.75
3,XCMEFFDPSX20250919U0ZF,2025-07-24 10:30:00.000,B,2.0,108.25
4,XCMEOPADPS20250728N0VY4/110.25,2025-07-24 11:00:00.000,B,10.0,0.015625
`;

const folder = await mkdtemp(join(tmpdir(), "pnl-bridge-pictures-"));
const run = (command: string, ...args: readonly string[]): void =>
  void execFileSync(command, args, { cwd: folder, stdio: "inherit" });
try {
  await mkdir(join(folder, "ledger"));
  await writeFile(join(folder, "ledger/trades_20250724.csv"), ledger);
  for (const side of ["legacy", "modern"]) {
    const which = ["--date", "2025-07-24", "--side", side, "--out", `${side}.xlsx`];
    run(process.execPath, program, "report", "daily", ...which, "--trades", "ledger");
  }
  const profile = `-env:UserInstallation=${pathToFileURL(join(folder, "profile")).href}`;
  run("soffice", profile, "--headless", "--convert-to", "pdf", "modern.xlsx");
  // The second page is the sheet Positions; its rows are at the top of the page.
  const part = ["-r", "220", "-x", "140", "-y", "150", "-W", "2100", "-H", "90"];
  run("pdftoppm", "-png", ...part, "-f", "2", "-l", "2", "-singlefile", "modern.pdf", "workbook");
  await copyFile(join(folder, "workbook.png"), join(images, "workbook.png"));
  try {
    run(process.execPath, program, "report", "diff", "legacy.xlsx", "modern.xlsx", "--html", "diff.html");
  } catch {
    // The two reports differ, as the picture shows: exit code 1.
  }
  const browser = await startBrowser();
  try {
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, colorScheme: "light" });
    await page.goto(pathToFileURL(join(folder, "diff.html")).href);
    await writeFile(join(images, "report-diff.png"), await page.screenshot());
  } finally {
    await browser.close();
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
