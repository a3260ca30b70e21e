export { type Desk, daysMax, generateDesk, symbolsMax } from "./desk.ts";
export { generateLedgerFile } from "./ledger-file.ts";
