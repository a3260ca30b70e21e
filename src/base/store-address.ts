/**
 * The form of a store address. A `~` is refused, because nothing expands it and it would become a folder of
 * that name.
 */
export const storePattern = /^(?:sqlite:(?!(?:\/\/)?~).+|postgres(?:ql)?:\/\/.+)$/s;
export const storeForm = "sqlite:FILE or postgres://HOST/DATABASE, with FILE written in full (not with ~)";

/** The file of an address such as `sqlite:./control.db`; undefined for a store on a server. */
export const sqliteFile = (address: string): string | undefined =>
  storePattern.test(address) ? /^sqlite:(?:\/\/)?(.+)$/s.exec(address)?.[1] : undefined;
