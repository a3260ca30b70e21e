import { BridgeError, codeOf, type ErrorCode, messageOf } from "../../base/errors.ts";

/** What is kept in PostgreSQL, in the words of its failures. */
export interface Kept {
  /** As in `the NAME store`, `NAME_migrations`. */
  readonly name: "control" | "evidence";
  /** What is written, for people. */
  readonly what: string;
  readonly tables: string;
  /** What to do where the tables are not ours. */
  readonly elsewhere: string;
  /** Where to look for who holds a lock. */
  readonly locks: string;
}

/** What PostgreSQL is reached by, checked. Nothing that is kept of it to be shown has a password in it. */
export interface Target {
  readonly url: string;
  /** To be shown: host, port and database. */
  readonly where: string;
  /** That the URL names: `?schema=desk`, or the first of `?options=-c search_path=desk`. */
  readonly schema: string | undefined;
}

/**
 * Throws BAD_CONFIG where the text is no PostgreSQL URL, and where a character of the password that should be written as an escape
 * ends the password early, so that the rest of it would pass for a database name.
 */
export function targetOf(url: string, { name }: Kept): Target {
  const parsed = URL.parse(url);
  const usual = parsed !== null && ["postgres:", "postgresql:"].includes(parsed.protocol);
  if (!usual || parsed.hash !== "" || parsed.pathname.includes("@") || parsed.search.includes("@"))
    // Without the text: it may hold a password.
    throw new BridgeError("BAD_CONFIG", {
      what: `the address of the ${name} store is not a PostgreSQL URL`,
      fix: "write postgres://user:password@host:5432/database, with @ : / ? # % in the password as escapes such as %40",
    });
  const where = `${parsed.protocol}//${parsed.host}${parsed.pathname}`;
  const named = parsed.searchParams.get("schema");
  const schema = named ?? searchPathOf(parsed.searchParams.get("options") ?? "");
  if (schema !== undefined && !isSchemaName(schema))
    throw new BridgeError("BAD_CONFIG", {
      what: `the address of the ${name} store names the schema ${JSON.stringify(schema)}, which PostgreSQL cannot create`,
      where,
      fix: "name one of 1 to 63 bytes that does not begin with pg_, or leave ?schema= out",
    });
  // Our own parameter: the server does not know it.
  parsed.searchParams.delete("schema");
  return { url: named === null ? url : parsed.href, where, schema };
}

/** Where the tables of a schema are, in a form that psql and other clients know as well. */
export function withSchema(where: string, schema: string): string {
  if (schema === "public") return where;
  const plain = /^[a-z_][a-z0-9_]*$/.test(schema) ? schema : `"${schema.replaceAll('"', '""')}"`;
  return `${where}?options=${encodeURIComponent(`-c search_path=${plain.replaceAll(/[\s\\]/g, "\\$&")}`)}`;
}

/** Whether a schema of this name can be created. The server cuts a longer name, and keeps `pg_` and `information_schema` for itself. */
const isSchemaName = (name: string): boolean =>
  name !== "" && Buffer.byteLength(name) <= 63 && !/^pg_|^information_schema$|\0/.test(name);

/** The first schema of a search path in the options of a connection, where a backslash takes the meaning from a space. */
function searchPathOf(options: string): string | undefined {
  const words = options.match(/(?:\\.|[^\s\\])+/gs)?.map((word) => word.replaceAll(/\\(.)/gs, "$1")) ?? [];
  const path = words.map((word) => /^(?:-c|--)?search_path=(.*)$/s.exec(word)?.[1]).findLast((found) => found !== undefined);
  const [, quoted, plain] = /^\s*(?:"((?:[^"]|"")+)"|([^\s,"$]+))/.exec(path ?? "") ?? [];
  return quoted?.replaceAll('""', '"') ?? plain?.toLowerCase();
}

interface Meaning {
  /** SQLSTATE, by its beginning; https://www.postgresql.org/docs/current/errcodes-appendix.html */
  readonly states: RegExp;
  readonly code: ErrorCode;
  readonly what: (kept: Kept) => string;
  readonly fix: (kept: Kept) => string;
}

const meanings: readonly Meaning[] = [
  {
    states: /^(28|3D)/,
    code: "BAD_CONFIG",
    what: () => "PostgreSQL refuses the login",
    fix: () => "check user, password and database of the URL",
  },
  {
    states: /^(08|57P|53300|25P03)/,
    code: "SYSTEM_DOWN",
    what: () => "PostgreSQL takes no connection",
    fix: () => "start it; nothing here has to be started again",
  },
  {
    states: /^(53|42501|25006)/,
    code: "UNWRITABLE",
    what: ({ what }) => `PostgreSQL cannot write ${what}`,
    fix: () => "make room, or grant the right; nothing has to be started again",
  },
  {
    states: /^(57014|55P03|40)/,
    code: "DATABASE_BUSY",
    what: () => "PostgreSQL did not finish in time",
    fix: ({ locks }) => `look for what holds a lock on ${locks}`,
  },
  {
    states: /^(3F|42P|42703|42710|42723|42804)/,
    code: "BAD_DATABASE",
    what: ({ tables }) => `${tables} are not ours, or their shape differs`,
    fix: ({ elsewhere }) => elsewhere,
  },
];

/** How grave an error of the server is; undefined for any other error. */
export const severityOf = (error: unknown): unknown =>
  typeof error === "object" && error !== null && "severity" in error ? error.severity : undefined;

/** What an error of `pg` means for a person. Its own text has host, user and database in it, and never a password. */
export function failureOf(error: unknown, where: string, kept: Kept): unknown {
  // A mistake of ours is not the network's.
  if (error instanceof BridgeError || error instanceof TypeError) return error;
  const state = codeOf(error);
  const severity = severityOf(error);
  const meaning = severity === undefined ? undefined : meanings.find(({ states }) => states.test(state));
  if (meaning !== undefined)
    return new BridgeError(meaning.code, {
      what: `${meaning.what(kept)}: ${textOf(error)}`,
      where,
      fix: meaning.fix(kept),
      cause: error,
    });
  // The server speaks with a severity; all else is the way to it.
  if (severity === undefined)
    return new BridgeError("SYSTEM_DOWN", {
      what: `PostgreSQL does not answer: ${textOf(error)}`,
      where,
      fix: "start it, or check host and port of the URL",
      cause: error,
    });
  return new BridgeError("INTERNAL", { what: `PostgreSQL refuses a statement: ${state} ${textOf(error)}`, where, cause: error });
}

/** An address with several numbers fails with several errors and no text of its own. */
function textOf(error: unknown): string {
  const several = error instanceof AggregateError ? error.errors.map(String) : [];
  return several.length > 0 ? several.join("; ") : messageOf(error);
}
