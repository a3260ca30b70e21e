export { renderAcceptance, renderDailyResult } from "./daily-result.ts";
export { renderExplanations, witnessLedger } from "./explanation.ts";
export { renderParityPage } from "./page.ts";
export { renderPnlTable } from "./pnl-table.ts";
export { summaryLine } from "./reading.ts";
export { renderRehearsalPage } from "./rehearsal-page.ts";
export { type DiffOutcome, outcomeOf, renderReportDiff, renderReportDiffPage } from "./report-diff.ts";
export { parityDocument } from "./summary.ts";
export { renderParityTable } from "./table.ts";
