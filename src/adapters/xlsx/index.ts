export { readWorkbook } from "./read-workbook.ts";
export { shownText } from "./shown-text.ts";
export { checkRows, packRows, workbookBytes } from "./write-workbook.ts";
export { workbookFile } from "./zip-parts.ts";
