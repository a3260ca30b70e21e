/** The name of a file without its folder; `/` separates the names of a path. */
export const fileName = (path: string): string => path.slice(path.lastIndexOf("/") + 1);
