import { plain } from "../../base/plain-text.ts";

const lengthMax = 500;

/**
 * Text of the other side for an error: without the secrets, which a server may echo, on one line, bounded. A secret that is cut at
 * the end is taken out before the cut.
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

/** The whole header, what follows its scheme, and of `Basic` also what it stands for; the longest first. */
function secretsOf(header: string): readonly string[] {
  const [scheme = "", ...parts] = header.split(/[\s,;"]+/);
  const decoded = scheme.toLowerCase() === "basic" ? Buffer.from(parts.join(""), "base64").toString() : "";
  const password = decoded.slice(decoded.indexOf(":") + 1);
  const guessable = [...parts, decoded, password].filter((part) => part.length >= 4);
  return [header, ...guessable].sort((a, b) => b.length - a.length);
}
