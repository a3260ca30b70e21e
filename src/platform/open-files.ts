import { readdirSync, statSync } from "node:fs";
import { BridgeError } from "../base/errors.ts";

export interface FileUsers {
  /** Other processes of this host that have one of the files open, by their ids. */
  readonly users: readonly string[];
  /** The number of processes whose files this user may not list. */
  readonly hidden: number;
}

/**
 * Finds the other processes of this host that have one of the files open, under whatever name. Returns
 * undefined on a system without /proc. Opens none of the files. Linear in the open files of all processes.
 */
export function usersOf(paths: readonly string[]): FileUsers | undefined {
  const wanted = new Set(paths.map(identityOf).filter((identity) => identity !== undefined));
  const users: string[] = [];
  let hidden = 0;
  let processes: readonly string[];
  try {
    processes = readdirSync("/proc").filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid);
    readdirSync(`/proc/${process.pid}/fd`);
  } catch {
    return undefined;
  }
  for (const pid of processes)
    try {
      const files = readdirSync(`/proc/${pid}/fd`).map((fd) => identityOf(`/proc/${pid}/fd/${fd}`));
      if (files.some((file) => file !== undefined && wanted.has(file))) users.push(pid);
    } catch {
      // The process belongs to another user, or has ended.
      if (identityOf(`/proc/${pid}`) !== undefined) hidden += 1;
    }
  return { users, hidden };
}

/** The database files that threads of this process have open in SQLite. */
const databases = new Set<{ readonly path: string }>();

/** Notes that a thread of this process has a database open in SQLite, until the result is disposed of. */
export function noteDatabase(path: string): Disposable {
  const noted = { path };
  databases.add(noted);
  return { [Symbol.dispose]: () => void databases.delete(noted) };
}

/**
 * Throws INTERNAL if this process has the file open in SQLite. The system drops all locks of a process on a
 * file when the process closes that file anywhere, and then another program may overwrite its commits.
 */
export function mustNotBeDatabase(path: string): void {
  const file = identityOf(path);
  if (file !== undefined && [...databases].some((one) => identityOf(one.path) === file))
    throw new BridgeError("INTERNAL", {
      what: "this process has the database open, and would lose its locks if it read the file itself",
      where: path,
      fix: "read the file in a process of its own",
    });
}

/** Device and inode; undefined for a file that is not there, or that was closed meanwhile. */
function identityOf(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}
