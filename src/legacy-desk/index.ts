export { LegacyDeskService } from "./pnl-service.ts";
export { LegacyDesk } from "./service.ts";
