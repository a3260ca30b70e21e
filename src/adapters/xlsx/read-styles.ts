import type { CellStyle } from "../../ports/workbook.ts";
import { type Attributes, parseXml } from "./xml-events.ts";

/** The number formats that a workbook may name by number without defining them. */
const builtinFormats: Readonly<Record<string, string>> = {
  0: "General",
  1: "0",
  2: "0.00",
  3: "#,##0",
  4: "#,##0.00",
  5: '"$"#,##0_);("$"#,##0)',
  6: '"$"#,##0_);[Red]("$"#,##0)',
  7: '"$"#,##0.00_);("$"#,##0.00)',
  8: '"$"#,##0.00_);[Red]("$"#,##0.00)',
  9: "0%",
  10: "0.00%",
  11: "0.00E+00",
  12: "# ?/?",
  13: "# ??/??",
  14: "mm-dd-yy",
  15: "d-mmm-yy",
  16: "d-mmm",
  17: "mmm-yy",
  18: "h:mm AM/PM",
  19: "h:mm:ss AM/PM",
  20: "h:mm",
  21: "h:mm:ss",
  22: "m/d/yy h:mm",
  37: "#,##0 ;(#,##0)",
  38: "#,##0 ;[Red](#,##0)",
  39: "#,##0.00;(#,##0.00)",
  40: "#,##0.00;[Red](#,##0.00)",
  41: '_(* #,##0_);_(* (#,##0);_(* "-"_);_(@_)',
  42: '_("$"* #,##0_);_("$"* (#,##0);_("$"* "-"_);_(@_)',
  43: '_(* #,##0.00_);_(* (#,##0.00);_(* "-"??_);_(@_)',
  44: '_("$"* #,##0.00_);_("$"* (#,##0.00);_("$"* "-"??_);_(@_)',
  45: "mm:ss",
  46: "[h]:mm:ss",
  47: "mmss.0",
  48: "##0.0E+0",
  49: "@",
};

/** Whether a format number means a date that each program shows in the form of its own language. */
const isLocalDate = (id: number): boolean => (id >= 27 && id <= 36) || (id >= 50 && id <= 58);

/** Numbers of such formats that mean a time of day in every language. */
const localTimes: ReadonlySet<string> = new Set(["32", "33"]);

/** The most characters that a number format has. */
const formatMax = 255;

/**
 * Whether a number format shows a day, a month or a year. The letter m beside hours or seconds means
 * minutes.
 */
const showsDay = (format: string): boolean =>
  /[dmy]/i.test(
    format
      .slice(0, formatMax)
      .replaceAll(/"[^"]*"|[\\_*].|\[(?![hms]+\])[^\]]*\]|AM\/PM|A\/P/gi, "")
      .replaceAll(/h[^a-z]*m+|m+[^a-z]*s|\[m+\]/gi, ""),
  );

/** A style names an entry of each of these lists. They and the tags inside the style are a cell's look. */
const lookLists: Readonly<Record<string, string>> = { fonts: "fontId", fills: "fillId", borders: "borderId" };

/** Reads the styles in the order of their indexes. A part without styles has one plain style. */
export async function readStyles(
  pieces: AsyncIterable<string>,
  where: string,
): Promise<readonly CellStyle[]> {
  const formats = new Map(Object.entries(builtinFormats));
  const looks: Record<string, string[]> = { fonts: [], fills: [], borders: [] };
  const found: { attributes: Attributes; extra: string }[] = [];
  const path: string[] = [];
  await parseXml(pieces, where, {
    open: (name, attributes) => {
      path.push(name);
      const [, list = "", ...inner] = path;
      if (list === "numFmts" && name === "numFmt")
        formats.set(attributes.numFmtId ?? "", attributes.formatCode ?? "General");
      const entries = looks[list];
      if (entries !== undefined && inner.length === 1) entries.push("");
      else if (entries !== undefined && inner.length > 1)
        entries.push(`${entries.pop()}${tagText(name, attributes)}`);
      if (list !== "cellXfs" || inner.length === 0) return;
      const current = found.at(-1);
      if (inner.length === 1) found.push({ attributes, extra: "" });
      else if (current !== undefined) current.extra += tagText(name, attributes);
    },
    close: () => void path.pop(),
  });
  const styles = found.map(({ attributes, extra }) => {
    const id = attributes.numFmtId ?? "0";
    const isLocal = !formats.has(id) && isLocalDate(Number(id));
    const format = isLocal ? `"built-in ${id}"` : (formats.get(id) ?? "General");
    const parts = Object.entries(lookLists).map(
      ([list, id]) => looks[list]?.[Number(attributes[id] ?? 0)] ?? "",
    );
    return {
      format,
      isDate: isLocal ? !localTimes.has(id) : showsDay(format),
      look: [...parts, extra].join("|"),
    };
  });
  return styles.length === 0 ? [plainStyle] : styles;
}

export const plainStyle: CellStyle = { format: "General", isDate: false, look: "" };

const tagText = (name: string, attributes: Attributes): string =>
  ` ${name}(${Object.entries(attributes)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`)
    .join(",")})`;
