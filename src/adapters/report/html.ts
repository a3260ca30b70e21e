/** Pieces of HTML that the pages share. */
import { plain } from "../../base/plain-text.ts";
import { pageStyle } from "./page-style.ts";

/**
 * A self-contained page. Its content policy forbids all requests, and all scripts except those that
 * `scriptPolicy` names. `title` is text, `body` is HTML.
 */
export const htmlPage = (title: string, body: string, scriptPolicy = ""): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'${scriptPolicy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${pageStyle}</style>
</head>
<body>
${body}
</body>
</html>
`;

export const section = (
  title: string,
  html: string,
): string => `<section><h2>${escapeHtml(title)}</h2>${html}</section>
`;

/** A region with its own scroll bars, which the keyboard can scroll too. */
export const scroll = (label: string, html: string, className = ""): string =>
  `<div class="scroll ${className}" tabindex="0" role="region" aria-label="${label}">${html}</div>`;

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/**
 * Returns a text that is escaped for elements and quoted attributes, with visible control and direction
 * characters.
 */
export const escapeHtml = (text: string): string =>
  plain(text).replaceAll(/[&<>"']/g, (character) => entities[character] ?? "");
