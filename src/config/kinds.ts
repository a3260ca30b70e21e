/**
 * The kinds of values in the configuration. Numbers arrive as their source text; a kind converts to `number`
 * only where no digit can be lost.
 */
import { isIPv6 } from "node:net";
import { z } from "zod";
import { formatDecimal, parseDecimal } from "../base/decimal.ts";
import { personName } from "../base/person-name.ts";
import { storeForm, storePattern } from "../base/store-address.ts";
import { parseDay } from "../domain/market/trading-day.ts";
import { phases } from "../domain/migration/phase.ts";
import { comparedFields, type PnlMethod, pnlMethods } from "../ports/pnl-service.ts";
import { type Kind, record, required, sectionOf } from "./table.ts";

const numeric = { type: ["number", "string"] };
const textual = { type: "string" };

const oneOfText = (names: readonly string[]): string =>
  [names.slice(0, -1).join(", "), names.at(-1)].join(" or ");

export const oneOf = <const Name extends string>(names: readonly Name[]): Kind<Name> => ({
  schema: z.enum(names, `must be ${oneOfText(names)}`),
});

export const flag: Kind<boolean> = { schema: z.boolean("must be true or false") };

/** `what` completes the message: "must be …". */
export const text = (what: string, pattern = /./s): Kind<string> => ({
  schema: z.string(`must be ${what}`).regex(pattern, `must be ${what}`),
});

/** Any text, also the empty one. */
export const anyText: Kind<string> = { schema: z.string("must be a text") };

/** A list, or a single item without the list. */
export const oneOrMore = <Value>({ schema }: Kind<Value>): Kind<readonly Value[]> => ({
  schema: z.union([schema.transform((one) => [one]), z.array(schema)]),
});

/** A version, or a list of files. */
export const build: Kind<string | readonly string[]> = {
  schema: z.union(
    [z.string().min(1).meta(numeric), z.array(z.string().min(1)).min(1)],
    "must be a version, or a list of files, folders and patterns",
  ),
};

/** A decimal as text in plain notation, never a float. */
export const threshold: Kind<string> = {
  schema: z
    .string("must be a decimal number of 0 or more")
    .transform((text, context) => {
      const decimal = parseDecimal(text);
      if (decimal !== undefined && decimal.coefficient >= 0n) return formatDecimal(decimal);
      context.issues.push({ code: "custom", message: "must be a decimal number of 0 or more", input: text });
      return z.NEVER;
    })
    .meta({ ...numeric, minimum: 0 }),
};

const number = (what: string, pattern: RegExp, limits: Readonly<Record<string, number>>): Kind<number> => ({
  schema: z
    .string(what)
    .regex(pattern, what)
    .transform(Number)
    .meta({ ...numeric, ...limits }),
});

export const whole = (unit: string, minimum: number, maximum: number): Kind<number> => {
  const what = `must be a whole number of ${unit} from ${minimum} to ${maximum}`;
  const { schema } = number(what, /^(?:0|[1-9]\d{0,8})$/, { minimum, maximum });
  return { schema: schema.refine((value) => value >= minimum && value <= maximum, what) };
};

export const milliseconds = whole("milliseconds", 1, 9_999_999);

export const share: Kind<number> = number(
  "must be a number above 0, up to 1",
  /^(?:0?\.(?=\d*[1-9])\d{1,9}|1(?:\.0+)?)$/,
  {
    exclusiveMinimum: 0,
    maximum: 1,
  },
);

export const percentage: Kind<number> = number(
  "must be a number from 0 to 100, with at most three decimals",
  /^(?:100(?:\.0+)?|(?:0|[1-9]\d?)(?:\.\d{1,3})?)$/,
  { minimum: 0, maximum: 100 },
);

export const day: Kind<string> = {
  schema: z
    .string("must be a day")
    .refine((text) => parseDay(text) !== undefined, "must be a day, such as 2026-12-31"),
};

/** Every path of a method's answer that can be excluded: `tradeHistory[].time`, `trades[].time`, `trades`. */
function excludable(method: PnlMethod): readonly string[] {
  const holders: Readonly<Record<string, readonly string[]>> = comparedFields[method];
  const [rows = ""] = Object.keys(holders);
  const paths = Object.entries(holders).flatMap(([holder, fields]) =>
    fields.map((field) => (holder === "" ? field : `${holder}.${field}`)),
  );
  const ofRows = rows.endsWith("[]") ? paths.filter((path) => path.startsWith(rows)) : [];
  const all = [
    ...paths.flatMap((path) => [path, `${method}.${path}`]),
    ...ofRows.map((path) => method + path.slice(rows.length - 2)),
  ];
  // Each prefix of a path names a section that contains the field, so it may be excluded too.
  return all.flatMap((path) => {
    const parts = path.split(/(?=\.|\[\])/);
    return parts.map((_, at) => parts.slice(0, at + 1).join(""));
  });
}
const excludablePaths = [...new Set(pnlMethods.flatMap(excludable))];
const isExcludable = (path: string): boolean =>
  excludablePaths.some((known) =>
    new RegExp(`^${known.replace(/[.[\]]/g, "\\$&").replace("*", "[^.[\\]]+")}$`).test(path),
  );

/** The path of a compared field. Another path would exclude nothing. */
export const excludedPath: Kind<string> = {
  schema: z
    .string("must be the path of a field, such as tradeHistory[].time")
    .transform((path, context) => {
      if (isExcludable(path)) return path;
      const message = "must be the path of a field that is compared, such as tradeHistory[].time";
      context.issues.push({ code: "invalid_value", values: excludablePaths, message, input: path });
      return z.NEVER;
    })
    .meta(textual),
};

/** Names of users, normalised for comparison. */
export const users: Kind<readonly string[]> = {
  schema: z.array(
    z
      .string("must be a list of users")
      .transform(personName)
      .refine((name) => name !== "", "must be a list of users without empty names")
      .meta({ ...textual, minLength: 1 }),
    "must be a list of users",
  ),
};

/** `*` stands for any characters within a name. */
export const patterns: Kind<readonly string[]> = {
  schema: z.array(
    text("a list of file names, in which * is allowed", /^[^/\\]+$/).schema,
    "must be a list of file names",
  ),
};

/** A list of phases, sorted and without duplicates. */
export const listOfPhases: Kind<readonly (typeof phases)[number][]> = {
  schema: z
    .array(oneOf(phases).schema, "must be a list of phases")
    .transform((given) => phases.filter((phase) => given.includes(phase)))
    .meta({ type: "array" }),
  write: (given) => phases.filter((phase) => given.includes(phase)),
};

const withoutUserAndQuery = (url: string): string => url.replace(/\/\/.*@/s, "//…@").replace(/[?#].*/s, "?…");

/** The address of a store. It may contain a password, in the user part or in the query. */
export const store: Kind<string> = {
  ...text(storeForm, storePattern),
  show: (url) => (url.startsWith("sqlite:") ? url : withoutUserAndQuery(url)),
};

/** The URL of a service. Its query may contain a secret. */
export const url: Kind<string> = {
  ...text("an http or https URL without a user in it", /^https?:\/\/[^\s@]+$/),
  show: withoutUserAndQuery,
};

const notAlertUrl = "must be an http or https URL without a user in it";

/**
 * The URL for alerts. Its path is a secret, since anybody who knows it can post to the webhook. The URL is
 * stored in normal form, so that equal URLs are equal texts.
 */
export const alertUrl: Kind<string> = {
  schema: z
    .string(notAlertUrl)
    .max(2_000, notAlertUrl)
    .regex(/^[Hh][Tt][Tt][Pp][Ss]?:\/\/[^\s@]+$/, notAlertUrl)
    .transform((text, context) => {
      const url = URL.parse(text);
      if (url !== null) return url.href;
      context.issues.push({ code: "custom", message: notAlertUrl, input: text });
      return z.NEVER;
    })
    .meta(textual),
  show: (url) => `${new URL(url).origin}/…`,
  isSecret: true,
};

/**
 * The name of an environment variable. Only capitals are accepted, so that a token written here by mistake is
 * refused.
 */
export const variable: Kind<string> = {
  ...text(
    "the name of an environment variable, in capitals, never the token itself",
    /^[A-Z_][A-Z0-9_]{0,99}$/,
  ),
  isSecret: true,
};

const notListen = "must be HOST:PORT";

export interface Address {
  /** A host name or an IP address; IPv6 without brackets. */
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
}

export const address: Kind<Address> = {
  schema: z
    .string(notListen)
    .regex(/^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):\d{1,5}$/, notListen)
    .transform((text) => {
      const colon = text.lastIndexOf(":");
      return { host: text.slice(0, colon).replace(/^\[|\]$/g, ""), port: Number(text.slice(colon + 1)) };
    })
    .refine(({ port }) => port <= 65_535, "must have a port from 0 to 65535")
    .refine(
      ({ host }) => !host.includes(":") || isIPv6(host),
      "must be HOST:PORT, with an IPv6 address in brackets",
    )
    .meta(textual),
  write: ({ host, port }) => `${host.includes(":") ? `[${host}]` : host}:${port}`,
};

const notHosts = "must be a list of host names, each with or without a port";

export const hosts: Kind<readonly string[]> = {
  schema: z.array(
    z
      .string(notHosts)
      .regex(/^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/, notHosts)
      .transform((text) => text.toLowerCase())
      .meta(textual),
    notHosts,
  ),
};

/** Roles in ascending order: each includes the rights of those before it. */
export const tokenRoles = ["viewer", "operator", "admin"] as const;
export type TokenRole = (typeof tokenRoles)[number];

/** The holder of a token. */
export interface TokenHolder {
  /** The name that the audit shows: a person's name, or the role. */
  readonly name: string;
  readonly role: TokenRole;
  /** The environment variable that holds the token. */
  readonly env: string;
}

const person = record([
  required(
    "name",
    text("a name of at most 100 characters", /^\S(?:.{0,98}\S)?$/),
    "The name that the audit shows",
  ),
  required("role", oneOf(tokenRoles), "What the person may do"),
  required("env", variable, "The environment variable that holds the token"),
]);
const byRole = tokenRoles.map((role) => ({
  path: role,
  kind: variable,
  default: undefined,
  meaning: `The environment variable that holds the token of ${role}s`,
}));

/** One environment variable per role, or a list of people. */
export const tokens: Kind<readonly TokenHolder[]> = {
  schema: z.union([
    sectionOf(byRole).transform((given) =>
      tokenRoles.flatMap((role) => {
        const env = given[role];
        return typeof env === "string" ? [{ name: role, role, env }] : [];
      }),
    ),
    z.array(person.schema),
  ]),
  write: (holders) =>
    holders.every(({ name, role }) => name === role)
      ? Object.fromEntries(holders.map(({ role, env }) => [role, env]))
      : holders,
  rows: [...byRole, ...(person.rows ?? [])],
};
