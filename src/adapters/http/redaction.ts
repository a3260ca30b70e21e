import { plain } from "../../base/plain-text.ts";

const lengthMax = 500;

/**
 * Prepares received text for an error: removes the secrets, which a server may echo, and makes it one line of
 * bounded length. Secrets are removed before the text is cut.
 */
export class Redaction {
  readonly #secrets: readonly string[];

  constructor(header: string | undefined) {
    this.#secrets = header === undefined ? [] : secretsOf(header);
  }

  apply(text: string): string {
    let clean = text;
    for (const secret of this.#secrets) clean = clean.replaceAll(secret, "[secret]");
    return plain(clean.length > lengthMax ? `${clean.slice(0, lengthMax)}…` : clean);
  }
}

/**
 * The secrets of a header, longest first: all of it, the part after the scheme, and the decoded parts of
 * `Basic`.
 */
function secretsOf(header: string): readonly string[] {
  const [scheme = "", ...parts] = header.split(/[\s,;"]+/);
  const decoded = scheme.toLowerCase() === "basic" ? Buffer.from(parts.join(""), "base64").toString() : "";
  const password = decoded.slice(decoded.indexOf(":") + 1);
  const guessable = [...parts, decoded, password].filter((part) => part.length >= 4);
  return [header, ...guessable].sort((a, b) => b.length - a.length);
}
