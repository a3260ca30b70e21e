/** Archives an SQLite database, and proves that an archive holds the same rows as its database. */
import { createHash } from "node:crypto";
import { closeSync, fsyncSync, linkSync, openSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import Database from "better-sqlite3";
import { BridgeError } from "../../base/errors.ts";
import { unwritable } from "../../platform/output.ts";
import { holdTemporary, temporaryName } from "../../platform/temporaries.ts";
import { translated } from "./reconcile-reader.ts";

/** The contents of a table, which are the same in the database and in the archive. */
type ArchivedTable = {
  readonly rows: number;
  /** SHA-256 over all rows by their stored types and bytes, whatever their order is. */
  readonly digest: string;
};

export type Archive = Readonly<Record<string, ArchivedTable>>;

/**
 * Writes a database into a new file with `VACUUM INTO` and verifies it: its integrity, its schema, and the
 * number and digest of the rows of each table. The archive takes its name only after that. Throws UNWRITABLE
 * if the file exists or cannot be written, DATABASE_BUSY, BAD_DATABASE, and CONFLICT if another program
 * changed the database meanwhile. Blocks the caller; sorts each table twice.
 */
export function archiveSqlite(from: string, to: string): Archive {
  const out = resolve(to);
  const draft = join(dirname(out), temporaryName());
  using _ = holdTemporary(draft);
  const orUnwritable = (work: () => unknown): void => {
    try {
      work();
    } catch (cause) {
      throw unwritable(out, cause, "name a new file that can be written, with --out");
    }
  };
  try {
    return reading(from, (database) => {
      orUnwritable(() => database.prepare("VACUUM INTO ?").run(draft));
      // SQLite has closed the file, so `sync`, which closes it again, releases no lock of this process.
      orUnwritable(() => sync(draft));
      const tables = verified(database, from, draft, new Set());
      orUnwritable(() => linkSync(draft, out));
      orUnwritable(() => sync(dirname(out)));
      return tables;
    });
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Verifies an earlier archive of a database, apart from some tables. Throws as `archiveSqlite` does. */
export const checkArchive = (from: string, archive: string, without: ReadonlySet<string>): Archive =>
  reading(from, (database) => verified(database, from, resolve(archive), without));

/** Runs work on a connection that changes nothing in the database. */
const reading = (from: string, work: (database: Database.Database) => Archive): Archive =>
  translated(from, () => {
    const database = new Database(resolve(from), { readonly: true, timeout: 5_000 });
    try {
      // Reads the file, so that a damaged database is not reported as an archive that cannot be written.
      database.pragma("schema_version");
      return work(database);
    } finally {
      database.close();
    }
  });

/** Compares the database with its archive in one read transaction. */
function verified(
  database: Database.Database,
  from: string,
  archive: string,
  without: ReadonlySet<string>,
): Archive {
  const whole = translated(archive, () => {
    database.prepare("ATTACH ? AS archive").run(archive);
    return database.pragma("archive.integrity_check", { simple: true });
  });
  if (whole !== "ok")
    throw new BridgeError("BAD_DATABASE", {
      what: `the archive is damaged: ${whole}`,
      where: archive,
      fix: "make the archive again, on another disk",
    });
  const schemaOf = (name: string) =>
    database
      .prepare<[], SchemaRow>(
        `SELECT type, name, tbl_name, sql, rootpage > 0 AS stored
         FROM ${name}.sqlite_schema ORDER BY type, name`,
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

/** Hashes each row as one text that distinguishes every stored type and byte, in the order of these texts. */
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
    what: `the archive differs from the database: ${what}`,
    where,
    fix: "stop the program that writes to the database, then try again with a new file",
  });
