/**
 * A database and the files that SQLite keeps beside it. Closing one of them would drop this process's locks.
 */
const ofDatabase = /(?:\.(?:db3?|sqlite3?|s3db|pnlb)|-(?:wal|shm|journal|mj[0-9A-F]+))$/i;

/** Decides by a file's name whether it exists for the finder; `*` in a pattern stands for any characters. */
export function watchedNames(patterns: readonly string[]): (name: string) => boolean {
  const texts = patterns.map((pattern) =>
    // As in a shell, a star at the start does not stand for a dot: such names are those of temporary files.
    pattern
      .replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&")
      .replace(/^\*/, "(?!\\.)*")
      .replaceAll("*", ".*"),
  );
  const included = new RegExp(`^(?:${texts.join("|")})$`, "s");
  return (name) => included.test(name) && !ofDatabase.test(name);
}
