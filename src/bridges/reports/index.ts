export { contentLines, rowsWithContent, workbookDocument } from "./content.ts";
export { type DailyFigures, dailyReport, type InstrumentType, type ReportedTrade } from "./daily-report.ts";
export { diffWorkbooks } from "./diff.ts";
export { diffWorkbook } from "./diff-workbook.ts";
export { asWorkbook, reportDocument, writtenReport, writtenSheets } from "./report.ts";
export { reportSideOf } from "./report-side.ts";
