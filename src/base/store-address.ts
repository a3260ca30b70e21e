/**
 * The form of a store address. A file that begins with `~` is refused: no shell expands the `~`, so the
 * program would create a folder with the name `~`.
 */
export const storePattern = /^(?:sqlite:(?!(?:\/\/)?~).+|postgres(?:ql)?:\/\/.+)$/s;
export const storeForm = "sqlite:FILE or postgres://HOST/DATABASE (FILE must not begin with ~)";

/** The file of an address such as `sqlite:./control.db`; undefined for a store on a server. */
export const sqliteFile = (address: string): string | undefined =>
  storePattern.test(address) ? /^sqlite:(?:\/\/)?(.+)$/s.exec(address)?.[1] : undefined;
