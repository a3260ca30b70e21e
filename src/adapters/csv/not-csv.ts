/** The actual format of a file that should be CSV, and how to convert it. */
export interface NotCsv {
  readonly what: string;
  readonly fix: string;
  /** Present for UTF-16 text, and for what a spreadsheet program leaves in a CSV file. */
  readonly code?: "UTF16" | "SPREADSHEET";
}

/**
 * Recognises, by the first bytes, other formats that are often passed as CSV. Returns undefined for CSV and
 * for unknown formats.
 */
export function notCsv(bytes: Uint8Array): NotCsv | undefined {
  const byMagic = magics.find(({ begins }) => begins.every((byte, at) => bytes[at] === byte));
  if (byMagic !== undefined) return byMagic;
  const end = bytes.indexOf(10);
  const first = Buffer.from(bytes.subarray(0, Math.min(end < 0 ? bytes.length : end, 4_096))).toString(
    "latin1",
  );
  if (/^(?:[\x20-\x7e]\0){8}|^(?:\0[\x20-\x7e]){8}/.test(first)) return utf16;
  if (/^"?sep=/i.test(first))
    return {
      what: "it begins with a line sep=…, which Excel adds",
      fix: "delete the first line",
      code: "SPREADSHEET",
    };
  if (/;;[\r"]*$/.test(first))
    return {
      what: "its first line ends in semicolons, which a spreadsheet adds",
      fix: "export it again from its system",
      code: "SPREADSHEET",
    };
  if (/^[^\p{Cc}]*\r[^\r]/u.test(first))
    return { what: "its lines end in CR alone", fix: "end lines with LF or CRLF" };
  if (!first.includes(","))
    for (const [separator, name] of [
      [";", "semicolons"],
      ["\t", "tabs"],
    ] as const)
      if (first.split(separator).length > 2)
        return {
          what: `its columns are separated by ${name}`,
          fix: "separate columns by commas",
          code: "SPREADSHEET",
        };
  return undefined;
}

const utf16: NotCsv = {
  what: "it is UTF-16 text",
  fix: "save it as UTF-8 (in Excel: CSV UTF-8)",
  code: "UTF16",
};
const magics: readonly (NotCsv & { readonly begins: readonly number[] })[] = [
  { begins: [0xff, 0xfe], ...utf16 },
  { begins: [0xfe, 0xff], ...utf16 },
  {
    begins: [0xef, 0xbb, 0xbf, 0xef, 0xbb, 0xbf],
    what: "it begins with two byte-order marks",
    fix: "remove one of them",
  },
  { begins: [0x50, 0x4b, 3, 4], what: "it is a spreadsheet or a zip archive", fix: "export it as CSV UTF-8" },
  { begins: [0xd0, 0xcf, 0x11, 0xe0], what: "it is an Excel workbook", fix: "export it as CSV UTF-8" },
  { begins: [0x1f, 0x8b], what: "it is compressed by gzip", fix: "unpack it with gunzip" },
];
