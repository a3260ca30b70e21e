import { formatValue } from "hucre";

/** The text that a spreadsheet program shows for a number under a format. */
export const shownText = (raw: string, format: string, isFrom1904: boolean): string =>
  formatValue(Number(raw), format, { is1904: isFrom1904 });
