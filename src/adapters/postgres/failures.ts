import { BridgeError, type ErrorCode } from "../../domain/errors.ts";

/** What PostgreSQL is reached by, checked. Nothing that is kept of it to be shown has a password in it. */
export interface Target {
  readonly url: string;
  /** To be shown: host, port and database. */
  readonly where: string;
}

/**
 * Throws BAD_CONFIG where the text is no PostgreSQL URL, and where a character of the password that should be written as an escape
 * ends the password early, so that the rest of it would pass for a database name.
 */
export function targetOf(url: string): Target {
  const parsed = URL.parse(url);
  const usual = parsed !== null && ["postgres:", "postgresql:"].includes(parsed.protocol);
  if (!usual || parsed.hash !== "" || parsed.pathname.includes("@") || parsed.search.includes("@"))
    // Without the text: it may hold a password.
    throw new BridgeError("BAD_CONFIG", {
      what: "the address of the evidence store is not a PostgreSQL URL",
      mend: "write postgres://user:password@host:5432/database, with @ : / ? # % in the password as escapes such as %40",
    });
  return { url, where: `${parsed.protocol}//${parsed.host}${parsed.pathname}` };
}

interface Meaning {
  /** SQLSTATE, by its beginning; https://www.postgresql.org/docs/current/errcodes-appendix.html */
  readonly states: RegExp;
  readonly code: ErrorCode;
  readonly what: string;
  readonly mend: string;
}

const meanings: readonly Meaning[] = [
  {
    states: /^(28|3D)/,
    code: "BAD_CONFIG",
    what: "PostgreSQL refuses the login",
    mend: "check user, password and database of the URL",
  },
  {
    states: /^(08|57P|53300)/,
    code: "SYSTEM_DOWN",
    what: "PostgreSQL takes no connection",
    mend: "start it; nothing here has to be started again",
  },
  {
    states: /^(53|42501|25006)/,
    code: "UNWRITABLE",
    what: "PostgreSQL cannot write evidence",
    mend: "make room, or grant the right; nothing has to be started again",
  },
  {
    states: /^(57014|55P03|40)/,
    code: "DATABASE_BUSY",
    what: "PostgreSQL did not finish in time",
    mend: "look for what holds a lock on the tables of evidence",
  },
  {
    states: /^(3F|42P|42703|42804)/,
    code: "BAD_DATABASE",
    what: "the tables of evidence are not ours, or their shape differs",
    mend: "name another schema for evidence; it is created",
  },
];

/** What an error of `pg` means for a person. Its own text has host, user and database in it, and never a password. */
export function failureOf(error: unknown, where: string): unknown {
  // A mistake of ours is not the network's.
  if (error instanceof BridgeError || error instanceof TypeError) return error;
  const { code: state = "", severity } = error as { readonly code?: string; readonly severity?: string };
  const meaning = severity === undefined ? undefined : meanings.find(({ states }) => states.test(state));
  if (meaning !== undefined)
    return new BridgeError(meaning.code, {
      what: `${meaning.what}: ${textOf(error)}`,
      where,
      mend: meaning.mend,
      cause: error,
    });
  // The server speaks with a severity; all else is the way to it.
  if (severity === undefined)
    return new BridgeError("SYSTEM_DOWN", {
      what: `PostgreSQL does not answer: ${textOf(error)}`,
      where,
      mend: "start it, or check host and port of the URL",
      cause: error,
    });
  return new BridgeError("INTERNAL", { what: `PostgreSQL refuses a statement: ${state} ${textOf(error)}`, where, cause: error });
}

/** An address with several numbers fails with several errors and no text of its own. */
function textOf(error: unknown): string {
  const several = error instanceof AggregateError ? error.errors.map(String) : [];
  return several.length > 0 ? several.join("; ") : error instanceof Error ? error.message : String(error);
}
