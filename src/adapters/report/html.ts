/** Pieces of HTML that the pages share. */
import { plain } from "../../base/plain-text.ts";

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
