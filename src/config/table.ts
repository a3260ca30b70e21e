/**
 * The rows of a table of keys, and everything derived from them: the schema of a file, the values with their
 * defaults, the file that sets them all, and the keys that an error can suggest.
 */
import { z } from "zod";
import { type Camel, camel } from "../base/camel.ts";

/** A kind of value: what the file may contain, and how the value is written and shown. */
export interface Kind<Value> {
  readonly schema: z.ZodType<Value>;
  /** Returns the value in the form that a file contains. Absent: the value itself. */
  write?(value: Value): unknown;
  /** The part of the value that a listing may show. Absent: all of it. */
  show?(value: string): string;
  /** Whether the whole value may be a secret, so that no error shows it. */
  readonly isSecret?: boolean;
  /** The rows of the keys within the value. */
  readonly rows?: readonly Key[];
}

/** One row: a key that the file may set, with dots between the names of its sections. */
export interface Key<Path extends string = string, Value = unknown> {
  readonly path: Path;
  readonly kind: Kind<unknown>;
  readonly default: Value;
  readonly meaning: string;
  readonly isRequired?: true;
  /** Whether the key is checked, but changes nothing in this version. */
  readonly hasNoEffect?: true;
}

/** Makes a row. A key whose default is null, a list or a section may also be written without a value. */
export const key = <const Path extends string, Value, const Default extends Value | null | undefined>(
  path: Path,
  kind: Kind<Value>,
  byDefault: Default,
  meaning: string,
): Key<Path, Value | Extract<Default, null | undefined>> => ({
  path,
  kind,
  default: byDefault as Value & Default,
  meaning,
});

/** Makes the row of a key that its section must have. */
export const required = <const Path extends string, Value>(
  path: Path,
  kind: Kind<Value>,
  meaning: string,
): Key<Path, Value> => ({
  path,
  kind,
  default: undefined as Value,
  meaning,
  isRequired: true,
});

type Under<Prefix extends string, Row> =
  Row extends Key<infer Path, infer Value> ? Key<`${Prefix}.${Path}`, Value> : never;

/** Puts rows into a section: the section's name becomes the first part of their paths. */
export const under = <const Prefix extends string, Row extends Key>(prefix: Prefix, rows: readonly Row[]) =>
  rows.map((row) => ({ ...row, path: `${prefix}.${row.path}` })) as unknown as readonly Under<Prefix, Row>[];

type Head<Path extends string> = Path extends `${infer First}.${string}` ? First : Path;
type Within<Row, Section extends string> =
  Row extends Key<`${Section}.${infer Path}`, infer Value> ? Key<Path, Value> : never;

/** The values of rows, nested by section, under names in camel case. */
export type Values<Row extends Key> = {
  readonly [Name in Head<Row["path"]> as Camel<Name>]: Name extends Row["path"]
    ? Extract<Row, { readonly path: Name }>["default"]
    : Values<Within<Row, Name>>;
};

const namesOf = ({ path }: Pick<Key, "path">): readonly string[] => path.split(".");

type Tree = Readonly<Record<string, unknown>>;

/** The value at a path of names; undefined if a section on the way is absent or empty. */
export const valueAt = (tree: unknown, names: readonly string[]): unknown =>
  names.reduce<unknown>((inner, name) => (inner as Tree | null | undefined)?.[name], tree);

function treeOf(entries: readonly (readonly [names: readonly string[], value: unknown])[]): Tree {
  const tree: Record<string, unknown> = {};
  for (const [names, value] of entries) {
    let section = tree;
    for (const name of names.slice(0, -1)) {
      section[name] ??= {};
      section = section[name] as Record<string, unknown>;
    }
    section[names.at(-1) ?? ""] = value;
  }
  return tree;
}

/** The values of a checked section of a file, completed with defaults. */
export const valuesOf = <Row extends Key>(rows: readonly Row[], file: unknown): Values<Row> =>
  treeOf(
    rows.map((row) => [namesOf(row).map(camel), valueAt(file, namesOf(row)) ?? row.default]),
  ) as Values<Row>;

/** The section of a file that sets all these values. */
export const fileOf = (rows: readonly Key[], values: unknown): Tree =>
  treeOf(rows.map((row) => [namesOf(row), writtenOf(row, valueAt(values, namesOf(row).map(camel)))]));

const writtenOf = ({ kind }: Key, value: unknown): unknown =>
  value === undefined || value === null || kind.write === undefined ? value : kind.write(value);

const notSection = {
  error: ({ code }: { readonly code?: string | undefined }) =>
    code === "invalid_type" ? "must be a section of keys" : undefined,
};

/** The schema of a section. It refuses unknown keys; each key has its title, meaning and default. */
export const sectionOf = (rows: readonly Key[]): z.ZodType<Tree> => z.strictObject(shapeOf(rows), notSection);

export function shapeOf(rows: readonly Key[]): Readonly<Record<string, z.ZodType>> {
  const shape: Record<string, z.ZodType> = {};
  for (const [name, inner] of Map.groupBy(rows, (row) => namesOf(row)[0] ?? "")) {
    const leaf = inner.find(({ path }) => path === name);
    const rest = inner.map((row) => ({ ...row, path: row.path.slice(name.length + 1) }));
    shape[name] =
      leaf === undefined
        ? sectionOf(rest)
            .nullish()
            .meta({ title: titleOf(name) })
        : leafOf(leaf);
  }
  return shape;
}

function leafOf(row: Key): z.ZodType {
  const { kind, default: byDefault, meaning, hasNoEffect } = row;
  const meta = {
    title: titleOf(row.path),
    description: hasNoEffect ? `${meaning} (no effect yet)` : meaning,
  };
  if (row.isRequired) return kind.schema.meta(meta);
  const schema = typeof byDefault === "object" ? kind.schema.nullish() : kind.schema.optional();
  return schema.meta({ ...meta, ...(byDefault !== undefined && { default: writtenOf(row, byDefault) }) });
}

/** A name as words: `alert_on_mismatch` is "Alert on mismatch". */
const titleOf = (name: string): string =>
  `${name.charAt(0).toUpperCase()}${name.slice(1).replaceAll("_", " ")}`;

/** A section as one value, such as an item of a list. */
export const record = <Row extends Key>(rows: readonly Row[]): Kind<Values<Row>> => ({
  schema: sectionOf(rows).transform((file) => valuesOf(rows, file)),
  write: (values) => fileOf(rows, values),
  rows,
});

export const listOf = <Value>(
  { schema, write, rows = [] }: Kind<Value>,
  what: string,
): Kind<readonly Value[]> => ({
  schema: z.array(schema, what),
  write: (values) => (write === undefined ? values : values.map((value) => write(value))),
  rows,
});

/** The kind of the value at a path of names, which may lead into a value; undefined for a section. */
export function kindAt(rows: readonly Key[], names: readonly string[]): Kind<unknown> | undefined {
  for (const row of rows) {
    const rest = restBehind(namesOf(row), names);
    const found = rest?.length === 0 ? row.kind : rest && kindAt(row.kind.rows ?? [], rest);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The keys that a section may have. */
export function keysAt(rows: readonly Key[], section: readonly string[]): readonly string[] {
  const keys = rows.flatMap((row) => {
    const names = namesOf(row);
    const rest = restBehind(names, section);
    if (rest !== undefined) return keysAt(row.kind.rows ?? [], rest);
    return section.every((name, index) => name === names[index]) ? (names[section.length] ?? []) : [];
  });
  return [...new Set(keys)];
}

/** The section to which a key belongs; undefined for an unknown key. */
export function sectionOfKey(rows: readonly Key[], name: string): string | undefined {
  for (const row of rows) {
    const names = namesOf(row);
    if (names.includes(name)) return names.slice(0, names.indexOf(name)).join(".");
    if (row.kind.rows?.some(({ path }) => path === name)) return row.path;
  }
  return undefined;
}

/**
 * The names that follow a row's own names, without list indices; undefined if the path does not begin with
 * the row's names.
 */
function restBehind(own: readonly string[], names: readonly string[]): readonly string[] | undefined {
  if (!own.every((name, index) => name === names[index])) return undefined;
  return names.slice(own.length).filter((name) => !/^\d+$/.test(name));
}
