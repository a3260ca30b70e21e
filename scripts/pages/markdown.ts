/** Markdown helpers that the generated pages share. */

/** The generated parts of a page, by the names of their markers. */
export type Blocks = Readonly<Record<string, () => string | Promise<string>>>;

export const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");

export const code = (text: string): string => `\`${text.replaceAll("|", "\\|")}\``;

export const fenced = (language: string, text: string): string => `\`\`\`${language}\n${text}\n\`\`\``;

/** Returns a table of names and their meanings. */
export const meanings = (named: string, catalogue: Readonly<Record<string, string>>): string =>
  table(
    [named, "meaning"],
    Object.entries(catalogue).map(([name, meaning]) => [code(name), meaning]),
  );
