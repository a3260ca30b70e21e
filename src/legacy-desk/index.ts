export { LegacyDeskService } from "./pnl-service.ts";
export { legacyReport } from "./report.ts";
export { LegacyDesk } from "./service.ts";
