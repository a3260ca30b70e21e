/** The options that several commands share. */
import { existsSync } from "node:fs";
import { Option } from "commander";
import { usualFile } from "../../config/usual-file.ts";

const methods = ["fifo", "lifo", "average"];
const dayRules = ["chicago-17", "calendar", "file-name", "after-14", "after-16", "after-17"];

export const trades = () =>
  new Option("--trades <path...>", "ledger CSV files, or folders of trades_*.csv").makeOptionMandatory();
export const prices = () => new Option("--prices <path...>", "price CSV files, or folders of them");
export const marks = () => new Option("--marks <file>", "a JSON object of symbol to price, for the last day");
export const method = () =>
  new Option("--method <name>", "which open lot a closing trade takes").choices(methods).default("fifo");
export const dayRule = () => new Option("--day-rule <name>", "which trading day a trade belongs to").choices(dayRules);
export const json = () => new Option("--json", "print one JSON document");
/** The usual file where the folder holds it, else the built-in configuration. The command looks each time it is set up. */
export const config = () => {
  const option = new Option("--config <file>", `the configuration file (default: ${usualFile} here, else the built-in one)`);
  option.defaultValueDescription = "it is here";
  return Object.defineProperty(option, "defaultValue", { get: () => (existsSync(usualFile) ? usualFile : undefined) });
};
export const file = () => new Option("--config <file>", "the configuration file").default(usualFile);
export const calendar = () => new Option("--calendar <file>", "take option expiries from this calendar of the desk");
export const out = () => new Option("--out <dir>", "also write the report there, as report.json and report.html");
export const from = () => new Option("--from <dialect>", "the dialect of the symbols, or auto to detect it").default("auto");
export const asOf = () =>
  new Option("--as-of <day>", "by which one-digit years and bare roots are read (default: today in Chicago)");
export const store = () =>
  new Option("--store <url>", "the control store alone, sqlite:FILE or postgres://…, where no configuration is at hand");
export const fleetConfig = () => new Option("--config <file>", `the configuration file (default: ${usualFile} here)`);
export const reason = () => new Option("--reason <text>", "why; the audit keeps it").makeOptionMandatory();
export const actor = () => new Option("--actor <name>", "who, for the audit (default: the user of the operating system)");
export const dwell = () => new Option("--dwell <duration>", "how long each step of a ramp stands, such as 90s, 10m, 1h");
