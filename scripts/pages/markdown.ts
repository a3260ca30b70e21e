/** Pieces of Markdown that the generated pages share. */

/** What a page prints from the code: a text for each marker. It is made when it is asked for. */
export type Blocks = Readonly<Record<string, () => string | Promise<string>>>;

export const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");

export const code = (text: string): string => `\`${text.replaceAll("|", "\\|")}\``;

export const fenced = (language: string, text: string): string => `\`\`\`${language}\n${text}\n\`\`\``;

/** A table of names and what they mean. */
export const meanings = (named: string, catalogue: Readonly<Record<string, string>>): string =>
  table(
    [named, "meaning"],
    Object.entries(catalogue).map(([name, meaning]) => [code(name), meaning]),
  );
