export { pageRowsMax, renderParityPage } from "./page.ts";
export { type PnlTableInput, renderPnlTable } from "./pnl-table.ts";
export { summaryLine } from "./reading.ts";
export type { TableOptions } from "./table.ts";
export { renderParityTable, tableDefaults } from "./table.ts";
