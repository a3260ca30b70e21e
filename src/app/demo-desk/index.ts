export { type Desk, type DeskOptions, daysMax, generateDesk, symbolsMax } from "./desk.ts";
export { generateLedgerFile, type LedgerFileOptions } from "./ledger-file.ts";
