/**
 * A database and the files that SQLite keeps beside it. Closing one of them would drop this process's locks.
 */
const ofDatabase = /(?:\.(?:db3?|sqlite3?|s3db|pnlb)|-(?:wal|shm|journal|mj[0-9A-F]+))$/i;

/**
 * Returns a test by which a file's name decides whether the finder reports it; `*` in a pattern matches any
 * characters.
 */
export function watchedNames(patterns: readonly string[]): (name: string) => boolean {
  const texts = patterns.map((pattern) =>
    // As in a shell, a star at the start does not match a dot, because temporary files have such names.
    pattern
      .replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&")
      .replace(/^\*/, "(?!\\.)*")
      .replaceAll("*", ".*"),
  );
  const included = new RegExp(`^(?:${texts.join("|")})$`, "s");
  return (name) => included.test(name) && !ofDatabase.test(name);
}
