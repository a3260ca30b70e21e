/** Archives an SQLite database, and proves that an archive holds what its database does. */
import { createHash } from "node:crypto";
import { closeSync, existsSync, fsyncSync, linkSync, openSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import Database from "better-sqlite3";
import { BridgeError, codeOf, messageOf } from "../../base/errors.ts";
import { holdTemporary, temporaryName } from "../../platform/temporaries.ts";

/** What a table holds, in the database and in the archive alike. */
type ArchivedTable = {
  readonly rows: number;
  /** SHA-256 over all rows by their stored types and bytes, whatever their order is. */
  readonly digest: string;
};

export type Archive = Readonly<Record<string, ArchivedTable>>;

/**
 * Writes a database into a new file with `VACUUM INTO` and verifies it: its integrity, its schema, and the number
 * and digest of the rows of each table. The archive takes its name only after that. Throws UNWRITABLE if the
 * file exists or cannot be written, DATABASE_BUSY, BAD_DATABASE, and CONFLICT if another program changed the
 * database meanwhile. Blocks the caller; sorts each table twice.
 */
export function archiveSqlite(from: string, to: string): Archive {
  const out = resolve(to);
  if (existsSync(out)) throw taken(out);
  const draft = join(dirname(out), temporaryName());
  using _ = holdTemporary(draft);
  try {
    return reading(from, out, (database) => {
      database.prepare("VACUUM INTO ?").run(draft);
      // SQLite has closed the file, so this process holds no lock on it.
      sync(draft);
      const tables = verified(database, from, draft, new Set());
      linkSync(draft, out);
      sync(dirname(out));
      return tables;
    });
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Verifies an earlier archive of a database, apart from some tables. Throws as `archiveSqlite` does. */
export const checkArchive = (from: string, archive: string, without: ReadonlySet<string>): Archive =>
  reading(from, archive, (database) => verified(database, from, resolve(archive), without));

/** Runs work on a connection that changes nothing in the database. */
function reading(from: string, out: string, work: (database: Database.Database) => Archive): Archive {
  let database: Database.Database | undefined;
  try {
    database = new Database(resolve(from), { fileMustExist: true, readonly: true, timeout: 5_000 });
    return work(database);
  } catch (failure) {
    if (failure instanceof BridgeError) throw failure;
    const code = codeOf(failure);
    if (code === "EEXIST") throw taken(out);
    if (code.startsWith("SQLITE_BUSY"))
      throw new BridgeError("DATABASE_BUSY", {
        what: "another program keeps the database locked",
        where: from,
        fix: "stop it, then try again",
        cause: failure,
      });
    if (/^SQLITE_(CORRUPT|NOTADB)/.test(code)) throw bad(from, messageOf(failure), failure);
    throw new BridgeError("UNWRITABLE", {
      what: `the archive cannot be written: ${messageOf(failure)}`,
      where: out,
      fix: "name a place that can be written and has room",
      cause: failure,
    });
  } finally {
    database?.close();
  }
}

/** Compares the database with its archive in one read transaction. */
function verified(
  database: Database.Database,
  from: string,
  archive: string,
  without: ReadonlySet<string>,
): Archive {
  database.prepare("ATTACH ? AS archive").run(archive);
  const whole = database.pragma("archive.integrity_check", { simple: true });
  if (whole !== "ok") throw bad(archive, `the archive is damaged: ${whole}`);
  const schemaOf = (name: string) =>
    database
      .prepare<[], SchemaRow>(
        `SELECT type, name, tbl_name, sql, rootpage > 0 AS stored FROM ${name}.sqlite_schema ORDER BY type, name`,
      )
      .all()
      .filter(({ tbl_name }) => !without.has(tbl_name));
  return database.transaction(() => {
    const schema = schemaOf("main");
    if (JSON.stringify(schema) !== JSON.stringify(schemaOf("archive")))
      throw changed(from, "the schemas differ");
    const tables: Record<string, ArchivedTable> = {};
    for (const { name } of schema.filter(({ type, stored }) => type === "table" && stored === 1)) {
      const mine = contentOf(database, "main", name);
      const copy = contentOf(database, "archive", name);
      if (mine.digest !== copy.digest)
        throw changed(
          from,
          `${name} has ${mine.rows} rows, its copy ${copy.rows}, and they are not the same`,
        );
      tables[name] = mine;
    }
    return tables;
  })();
}

interface SchemaRow {
  readonly type: string;
  readonly name: string;
  readonly tbl_name: string;
  readonly sql: string | null;
  /** 0 for a view, a trigger or a virtual table. */
  readonly stored: number;
}

/** Each row as one text that tells apart every stored type and byte, in the order of these texts. */
function contentOf(database: Database.Database, side: "main" | "archive", table: string): ArchivedTable {
  const columns = database
    .prepare<[string], string>("SELECT name FROM pragma_table_info(?, 'main') ORDER BY cid")
    .pluck()
    .all(table)
    .map(quoted)
    .map(
      (column) => `CASE typeof(${column}) WHEN 'text' THEN 't' || hex(${column}) ELSE quote(${column}) END`,
    );
  const rows = database
    .prepare<[], string>(
      `SELECT ${columns.join(" || ',' || ")} AS row FROM ${side}.${quoted(table)} ORDER BY row`,
    )
    .pluck();
  const hash = createHash("sha256");
  let count = 0;
  for (const row of rows.iterate()) {
    hash.update(`${row}\n`);
    count += 1;
  }
  return { rows: count, digest: hash.digest("hex") };
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

function sync(path: string): void {
  const file = openSync(path, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

const changed = (where: string, what: string): BridgeError =>
  new BridgeError("CONFLICT", {
    what: `the archive does not hold what the database does: ${what}`,
    where,
    fix: "stop the program that writes to the database, then try again with a new file",
  });

const bad = (where: string, what: string, cause?: unknown): BridgeError =>
  new BridgeError("BAD_DATABASE", { what, where, fix: "restore it from a backup", cause });

const taken = (where: string): BridgeError =>
  new BridgeError("UNWRITABLE", {
    what: "a file of that name exists, and an archive overwrites nothing",
    where,
    fix: "name a new file with --out",
  });
