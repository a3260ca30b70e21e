import { BridgeError, codeOf, type ErrorCode, messageOf } from "../../base/errors.ts";

/** Names of a store's contents for error messages. */
export interface StoreNames {
  /** Used in `the NAME store`. */
  readonly name: "control" | "evidence" | "modern";
  /** The table of applied migrations. */
  readonly versions: "control_migrations" | "evidence_migrations" | "pnlb_migrations";
  /** The contents, as "the plan". */
  readonly what: string;
  readonly tables: string;
  /** The fix for foreign tables. */
  readonly elsewhere: string;
  /** The table to search for a lock's holder. */
  readonly locks: string;
}

/** A checked PostgreSQL address. Only `url` contains the password. */
export interface Target {
  readonly url: string;
  /** Host, port and database, to show to people. */
  readonly where: string;
  /** The schema in the URL: `?schema=desk`, or the first one of `?options=-c search_path=desk`. */
  readonly schema: string | undefined;
}

/**
 * Parses the address. Throws BAD_CONFIG if the text is not a PostgreSQL URL, or if an unescaped character
 * ends the password early, so that the rest of the password would be read as a database name.
 */
export function targetOf(url: string, { name }: StoreNames): Target {
  const parsed = URL.parse(url);
  const usual = parsed !== null && ["postgres:", "postgresql:"].includes(parsed.protocol);
  if (!usual || parsed.hash !== "" || parsed.pathname.includes("@") || parsed.search.includes("@"))
    // The message omits the text, which may contain a password.
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
      fix: "use a name of 1 to 63 bytes that does not begin with pg_, or omit ?schema=",
    });
  // `schema` is a parameter of pnl-bridge, which the server would refuse.
  parsed.searchParams.delete("schema");
  return { url: named === null ? url : parsed.href, where, schema };
}

/** The address with the schema, in a form that psql and other clients understand. */
export function withSchema(where: string, schema: string): string {
  if (schema === "public") return where;
  const plain = /^[a-z_][a-z0-9_]*$/.test(schema) ? schema : `"${schema.replaceAll('"', '""')}"`;
  return `${where}?options=${encodeURIComponent(`-c search_path=${plain.replaceAll(/[\s\\]/g, "\\$&")}`)}`;
}

/**
 * Whether PostgreSQL can create a schema of this name. It truncates longer names, and reserves `pg_` and
 * `information_schema`.
 */
const isSchemaName = (name: string): boolean =>
  name !== "" && Buffer.byteLength(name) <= 63 && !/^pg_|^information_schema$|\0/.test(name);

/** The first schema of a search path in the options of a connection, where a backslash escapes a space. */
function searchPathOf(options: string): string | undefined {
  const words = options.match(/(?:\\.|[^\s\\])+/gs)?.map((word) => word.replaceAll(/\\(.)/gs, "$1")) ?? [];
  const path = words
    .map((word) => /^(?:-c|--)?search_path=(.*)$/s.exec(word)?.[1])
    .findLast((found) => found !== undefined);
  const [, quoted, plain] = /^\s*(?:"((?:[^"]|"")+)"|([^\s,"$]+))/.exec(path ?? "") ?? [];
  return quoted?.replaceAll('""', '"') ?? plain?.toLowerCase();
}

interface Meaning {
  /** Matches the beginning of an SQLSTATE; https://www.postgresql.org/docs/current/errcodes-appendix.html */
  readonly states: RegExp;
  readonly code: ErrorCode;
  readonly what: (names: StoreNames) => string;
  readonly fix: (names: StoreNames) => string;
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
    what: () => "PostgreSQL accepts no connections",
    fix: () => "start it; pnl-bridge needs no restart",
  },
  {
    states: /^(53|42501|25006)/,
    code: "UNWRITABLE",
    what: ({ what }) => `PostgreSQL cannot write ${what}`,
    fix: () => "free space, or grant the right; no restart is needed",
  },
  {
    states: /^2BP/,
    code: "REFUSED",
    what: () =>
      "PostgreSQL removes nothing, because a view, function or key of another program depends on a table",
    fix: () => "remove that view, function or key first",
  },
  {
    states: /^(57014|55P03|40)/,
    code: "DATABASE_BUSY",
    what: () => "PostgreSQL did not finish in time",
    fix: ({ locks }) => `look for the session that holds a lock on ${locks}`,
  },
  {
    states: /^(3F|42P|42703|42710|42723|42804)/,
    code: "BAD_DATABASE",
    what: ({ tables }) => `${tables} belong to another program, or have another structure`,
    fix: ({ elsewhere }) => elsewhere,
  },
];

/** The severity of an error from the server; undefined for any other error. */
export const severityOf = (error: unknown): unknown =>
  typeof error === "object" && error !== null && "severity" in error ? error.severity : undefined;

/**
 * The meaning of an error of `pg`, for people. The text of such an error contains host, user and database,
 * and never a password.
 */
export function failureOf(error: unknown, where: string, names: StoreNames): unknown {
  // An error of this program is not a network failure.
  if (error instanceof BridgeError || error instanceof TypeError) return error;
  const state = codeOf(error);
  const severity = severityOf(error);
  const meaning = severity === undefined ? undefined : meanings.find(({ states }) => states.test(state));
  if (meaning !== undefined)
    return new BridgeError(meaning.code, {
      what: `${meaning.what(names)}: ${textOf(error)}`,
      where,
      fix: meaning.fix(names),
      cause: error,
    });
  // Only errors from the server have a severity; every other error is one of the connection.
  if (severity === undefined)
    return new BridgeError("SYSTEM_DOWN", {
      what: `PostgreSQL does not answer: ${textOf(error)}`,
      where,
      fix: "start PostgreSQL, or check host and port of the URL",
      cause: error,
    });
  return new BridgeError("INTERNAL", {
    what: `PostgreSQL refuses a statement: ${state} ${textOf(error)}`,
    where,
    cause: error,
  });
}

/** A host name with several addresses fails with an AggregateError, which has no text of its own. */
function textOf(error: unknown): string {
  const several = error instanceof AggregateError ? error.errors.map(String) : [];
  return several.length > 0 ? several.join("; ") : messageOf(error);
}
