/** The options that several commands share. */
import { existsSync } from "node:fs";
import { Option } from "commander";
import { usualFile } from "../../config/usual-file.ts";

const methods = ["fifo", "lifo", "average"];
const dayRules = ["chicago-17", "calendar", "file-name", "after-14", "after-16", "after-17"];

export const trades = () =>
  new Option("--trades <path...>", "ledger CSV files, or folders of trades_*.csv").makeOptionMandatory();
export const prices = () => new Option("--prices <path...>", "price CSV files, or folders of them");
export const marks = () =>
  new Option("--marks <file>", "a JSON file that maps symbols to prices, for the last day");
export const method = () =>
  new Option("--method <name>", "the order in which closing trades consume open lots")
    .choices(methods)
    .default("fifo");
export const dayRule = () =>
  new Option("--day-rule <name>", "the rule that assigns a trade to a trading day").choices(dayRules);
export const json = () => new Option("--json", "print one JSON document");
/**
 * Returns the option of the configuration file. Its default is the usual file if the working folder holds it,
 * else the built-in configuration. The default is determined when the command is set up, not when this module
 * is loaded.
 */
export const config = () => {
  const option = new Option(
    "--config <file>",
    `the configuration file (default: ${usualFile} in this folder, else the built-in configuration)`,
  );
  option.defaultValueDescription = "the file in this folder";
  return Object.defineProperty(option, "defaultValue", {
    get: () => (existsSync(usualFile) ? usualFile : undefined),
  });
};
export const file = () => new Option("--config <file>", "the configuration file").default(usualFile);
export const calendar = () =>
  new Option("--calendar <file>", "a CSV file with the desk's option expiries (default: they are computed)");
export const out = () => new Option("--out <dir>", "a folder for the report, as report.json and report.html");
export const explain = () =>
  new Option(
    "--explain <how>",
    "how far differences are explained: quick (the default, a few seconds in total), all, or none",
  ).choices(["quick", "all", "none"]);
export const from = () =>
  new Option("--from <dialect>", "the dialect of the symbols, or auto to detect it").default("auto");
export const asOf = () =>
  new Option(
    "--as-of <day>",
    "the day that decides the decade of one-digit years and the contract of bare roots " +
      "(default: today in Chicago)",
  );
export const store = () =>
  new Option(
    "--store <url>",
    "the control store, sqlite:FILE or postgres://…, to use without a configuration file",
  );
export const fleetConfig = () =>
  new Option("--config <file>", `the configuration file (default: ${usualFile} in this folder)`);
export const reportDay = () =>
  new Option("--date <day>", "the day of the report, such as 2025-07-24").makeOptionMandatory();
export const reason = () =>
  new Option("--reason <text>", "the reason, recorded in the audit").makeOptionMandatory();
export const actor = () =>
  new Option(
    "--actor <name>",
    "your name, recorded in the audit (default: the user of the operating system)",
  );
export const dwell = () =>
  new Option("--dwell <duration>", "the time between two steps of a ramp, such as 90s, 10m or 1h");
