/**
 * The columns of the control record, one row each. Both stores map their rows by this table, snapshots are
 * checked against it, and a new store begins with its initial values. A new column needs a row here, a field
 * of `ControlRecord`, and a migration of each store.
 */
import { type Phase, phases } from "./phase.ts";
import { type MigrationMode, migrationModes } from "./plan.ts";

/** The storage type of a value, and its valid values. Lists and ramps are stored as JSON. */
export type ColumnKind =
  | { readonly type: "flag" | "text" | "count" | "percentage" | "users" | "ramp" }
  | { readonly type: "name"; readonly names: readonly string[] };

/** A column of the record; nullable if its initial value is null. */
interface RecordColumn<Value = unknown> {
  readonly column: string;
  readonly kind: ColumnKind;
  readonly initial: Value;
}

export interface Ramp {
  /** The remaining percentages, the next one first. */
  readonly steps: readonly number[];
  /** How long each percentage is kept. */
  readonly dwellMs: number;
  /** The time of the next step: ISO 8601, from the store's clock. */
  readonly nextAt: string;
  /** The action after the last step: `rollback` sets the kill switch, for a gradual rollback. */
  readonly endsIn: "stay" | "rollback";
  readonly actor: string;
  readonly reason: string;
}

type LegacyWindow = "open" | "closed";

const of = <Value>(
  column: string,
  type: Exclude<ColumnKind["type"], "name">,
  initial: Value,
): RecordColumn<Value> => ({
  column,
  kind: { type },
  initial,
});
const oneOf = <Value>(
  column: string,
  names: readonly (Value & string)[],
  initial: Value,
): RecordColumn<Value> => ({
  column,
  kind: { type: "name", names },
  initial,
});

const columns = {
  epoch: of<number>("epoch", "count", 1),
  grantedPhase: oneOf<Phase>("granted_phase", phases, "read_only"),
  grantedEpoch: of<number>("granted_epoch", "count", 1),
  latched: of<string | null>("latched", "text", null),
  ramp: of<Ramp | null>("ramp", "ramp", null),
  legacyWindow: oneOf<LegacyWindow>("legacy_window", ["open", "closed"], "open"),
  cacheGeneration: of<number>("cache_generation", "count", 0),
  updatedAt: of<string>("updated_at", "text", ""),
  updatedBy: of<string>("updated_by", "text", ""),
};

/** The columns in which an operator overrides the published section; null overrides nothing. */
const overrides = {
  useNewPnlSystem: of<boolean | null>("use_new_pnl_system", "flag", null),
  migrationMode: oneOf<MigrationMode | null>("migration_mode", migrationModes, null),
  phase: oneOf<Phase | null>("phase", phases, null),
  newSystemPercentage: of<number | null>("new_system_percentage", "percentage", null),
  userWhitelist: of<readonly string[] | null>("user_whitelist", "users", null),
  userDenylist: of<readonly string[] | null>("user_denylist", "users", null),
};

/**
 * Columns of the table of published sections. The record refers to a section by its hash; null if none is
 * published.
 */
const published = {
  hash: of<string>("published_hash", "text", ""),
  text: of<string>("published_text", "text", ""),
  phase: oneOf<Phase>("published_phase", phases, "read_only"),
};

/** The columns of the record's own table. */
export const recordColumns: readonly RecordColumn[] = [
  ...Object.values(columns),
  ...Object.values(overrides),
  { ...published.hash, initial: null },
];

type ValuesOf<Columns> = {
  readonly [Name in keyof Columns]: Columns[Name] extends RecordColumn<infer Value> ? Value : never;
};
interface RecordValues extends ValuesOf<typeof columns> {
  readonly overrides: ValuesOf<typeof overrides>;
  readonly published: ValuesOf<typeof published> | null;
}

/**
 * Builds a record from a function that reads the value of a column. The hash of the published section may be
 * null.
 */
export function recordFrom(read: (column: RecordColumn) => unknown): RecordValues {
  const values = <Columns extends Readonly<Record<string, RecordColumn>>>(of: Columns) =>
    Object.fromEntries(Object.entries(of).map(([name, column]) => [name, read(column)])) as ValuesOf<Columns>;
  const hash = read({ ...published.hash, initial: null });
  return {
    ...values(columns),
    overrides: values(overrides),
    published: hash === null ? null : values(published),
  };
}

/** The record of a new store. */
export const initialRecord: RecordValues = Object.freeze(recordFrom(({ initial }) => initial));

/**
 * The columns that a change sets, with their values. A change uses the field names of the record and of its
 * overrides.
 */
export function changedColumns({
  published: section,
  ...set
}: Partial<RecordValues & RecordValues["overrides"]>) {
  const named: Readonly<Record<string, unknown>> = { ...set, hash: section?.hash };
  return Object.entries({ ...columns, ...overrides, hash: published.hash })
    .map(([name, column]) => ({ ...column, value: named[name] }))
    .filter(({ value }) => value !== undefined);
}

/** Whether a value read from a file is a record: it has every column, with values that this program knows. */
export function isRecord(value: unknown): value is RecordValues {
  const { overrides: given, published: section } = partsOf(value);
  return (
    isWhole(columns, value) && isWhole(overrides, given) && (section === null || isWhole(published, section))
  );
}

const isWhole = (all: Readonly<Record<string, RecordColumn>>, value: unknown): boolean =>
  Object.entries(all).every(([name, column]) => isValueOf(column, partsOf(value)[name]));

/** Whether a value is valid for a column. */
export function isValueOf({ kind, initial }: RecordColumn, value: unknown): boolean {
  if (value === null) return initial === null;
  switch (kind.type) {
    case "flag":
      return typeof value === "boolean";
    case "text":
      return typeof value === "string";
    case "name":
      return kind.names.some((name) => name === value);
    case "count":
      return isCount(value);
    case "percentage":
      return isPercentage(value);
    case "users":
      return Array.isArray(value) && value.every((user) => typeof user === "string");
    case "ramp": {
      const { steps, dwellMs } = partsOf(value);
      return Array.isArray(steps) && steps.every(isPercentage) && isCount(dwellMs);
    }
  }
}

const partsOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null ? { ...value } : {};
const isCount = (value: unknown): boolean =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
/** 0 to 100, with three decimals at most. */
const isPercentage = (value: unknown): boolean =>
  typeof value === "number" &&
  value >= 0 &&
  value <= 100 &&
  Math.abs(value * 1e3 - Math.round(value * 1e3)) < 1e-6;
