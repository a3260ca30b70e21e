export { readWorkbook } from "./read-workbook.ts";
export { shownText } from "./shown-text.ts";
export { checkWorkbook, workbookBytes } from "./write-workbook.ts";
export { workbookFile } from "./zip-parts.ts";
