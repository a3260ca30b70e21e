/** Records what gates judge besides comparisons: result files and waivers. */
import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { basename } from "node:path";
import { systemClock } from "../../adapters/host/index.ts";
import { BridgeError } from "../../base/errors.ts";
import { nearest } from "../../base/nearest.ts";
import { personName } from "../../base/person-name.ts";
import { evidenceGates } from "../../control/index.ts";
import { formatDay, parseDay } from "../../domain/market/trading-day.ts";
import type { JsonValue } from "../../ports/system.ts";
import { auditActions } from "./audit-rows.ts";
import { type ByOptions, byOf, type StoreOptions, withOperator } from "./session.ts";

const isNumber = (value: unknown): boolean =>
  typeof value === "number" && Number.isFinite(value) && value >= 0;

/** The types of the fields of result files, by their names in messages. */
const fieldTypes = {
  "a text": (value: unknown) => typeof value === "string" && value !== "",
  "true or false": (value: unknown) => typeof value === "boolean",
  "a whole number of 0 or more": (value: unknown) => isNumber(value) && Number.isSafeInteger(value),
  "a number of 0 or more": isNumber,
  "a list of suites, each with a name and seconds": (value: unknown) => isListOf(value, isSuite),
  "a list of texts": (value: unknown) => isListOf(value, (one) => typeof one === "string"),
  "a list of numbers": (value: unknown) => isListOf(value, isNumber),
  "a list of pairs of numbers": (value: unknown) =>
    isListOf(value, (one) => isListOf(one, isNumber) && one.length === 2),
} as const;
type FieldType = keyof typeof fieldTypes;

function isListOf(value: unknown, isEntry: (entry: unknown) => boolean): value is readonly unknown[] {
  return Array.isArray(value) && value.every(isEntry);
}

const isSuite = (suite: unknown): boolean =>
  typeof suite === "object" &&
  suite !== null &&
  typeof Reflect.get(suite, "name") === "string" &&
  isNumber(Reflect.get(suite, "seconds"));

const [text, truth, count] = ["a text", "true or false", "a whole number of 0 or more"] as const;

/** The kinds of result files, with the fields that each must have. */
const resultFields = {
  tests: { build: text, passed: count, failed: count, skipped: count },
  benchmarks: { build: text, met: count, missed: count, noisy: count },
  memory: { build: text, ratios: "a list of numbers" },
  leak: { build: text, points: "a list of pairs of numbers" },
  scrape: { ok: truth },
  alert: { ok: truth },
  readers: { calls: count, handles: count, days: count, monthEnd: truth },
} as const satisfies Readonly<Record<string, Readonly<Record<string, FieldType>>>>;
type ResultKind = keyof typeof resultFields;

/** The fields that a result may have. */
const optionalFields: Readonly<Record<string, FieldType>> = {
  build: text,
  skippedTests: "a list of texts",
  features: "a list of texts",
  peaks: "a list of pairs of numbers",
  suites: "a list of suites, each with a name and seconds",
  seconds: "a number of 0 or more",
};

const fileBytesMax = 1_000_000;

export interface AddedEvidence {
  readonly kind: ResultKind;
  readonly build: string | null;
  readonly sha256: string;
}

/**
 * Records a result file in the audit, with its SHA-256. Throws UNREADABLE, and BAD_USAGE for a file that is
 * not a result.
 */
export async function addEvidence(
  file: string,
  options: StoreOptions & { readonly actor: string },
): Promise<AddedEvidence> {
  const text = await textOf(file);
  const refuse = (what: string): BridgeError =>
    new BridgeError("BAD_USAGE", {
      what,
      where: file,
      fix: `write JSON such as {"kind":"tests","at":"2026-11-30T12:00:00Z","build":"…","passed":1,"failed":0,"skipped":0}`,
    });
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    throw refuse("the file is not JSON");
  }
  if (typeof content !== "object" || content === null || Array.isArray(content))
    throw refuse("the file has no object");
  const kind = kindOf(Reflect.get(content, "kind"), refuse);
  for (const [field, type] of Object.entries(resultFields[kind])) {
    if (!(field in content)) throw refuse(`a result of the kind ${kind} needs ${field}`);
    checkType(content, { field, type }, refuse);
  }
  for (const [field, type] of Object.entries(optionalFields))
    if (field in content) checkType(content, { field, type }, refuse);
  const at: unknown = Reflect.get(content, "at");
  if (typeof at !== "string" || Number.isNaN(Date.parse(at))) throw refuse('the field "at" is not a time');
  if (Date.parse(at) > systemClock.nowMs() + 60_000) throw refuse(`the time ${at} has not come yet`);
  const sha256 = createHash("sha256").update(text).digest("hex");
  const build: unknown = Reflect.get(content, "build");
  const reason = `${kind} of ${at}, ${basename(file)}`;
  const evidence = { ...content, file: basename(file), sha256 } as JsonValue;
  await withOperator(options, "changes", ({ store }) =>
    store.note({ ...byOf({ ...options, reason }), action: auditActions.evidence, evidence }),
  );
  return { kind, build: typeof build === "string" ? build : null, sha256 };
}

function checkType(
  content: object,
  { field, type }: { readonly field: string; readonly type: FieldType },
  refuse: (what: string) => BridgeError,
): void {
  if (!fieldTypes[type](Reflect.get(content, field))) throw refuse(`${field} is not ${type}`);
}

async function textOf(file: string): Promise<string> {
  try {
    const { size } = await stat(file);
    if (size <= fileBytesMax) return await readFile(file, "utf8");
  } catch (cause) {
    throw new BridgeError("UNREADABLE", {
      what: "the file cannot be read",
      where: file,
      fix: "check the path",
      cause,
    });
  }
  throw new BridgeError("BAD_USAGE", {
    what: `the file has more than ${fileBytesMax} bytes`,
    where: file,
    fix: "name a result file",
  });
}

function kindOf(given: unknown, refuse: (what: string) => BridgeError): ResultKind {
  const kinds = Object.keys(resultFields);
  if (typeof given === "string" && Object.hasOwn(resultFields, given)) return given as ResultKind;
  const meant = typeof given === "string" ? nearest(given, kinds) : undefined;
  throw refuse(`kind is none of ${kinds.join(", ")}${meant === undefined ? "" : `; did you mean ${meant}?`}`);
}

const waiverDays = 30;

export interface WaiverGiven {
  readonly gate: string;
  readonly actor: string;
  readonly until: string;
}

/** Records one person's waiver of a gate. It counts once a second person waives the same gate. */
export async function waive(
  gate: string,
  options: StoreOptions & ByOptions & { readonly actor: string; readonly until: string },
): Promise<WaiverGiven> {
  checkWaivable(gate);
  const day = parseDay(options.until);
  const last = formatDay((parseDay(systemClock.today()) ?? 0) + waiverDays);
  if (day === undefined || options.until < systemClock.today() || options.until > last)
    throw new BridgeError("BAD_USAGE", {
      what: `${JSON.stringify(options.until)} cannot be the last day of a waiver`,
      fix: `write a day from ${systemClock.today()} to ${last}`,
    });
  const actor = personName(options.actor);
  const evidence = { gate, until: options.until };
  await withOperator(options, "changes", ({ store }) =>
    store.note({ ...byOf({ ...options, actor }), action: auditActions.waive, evidence }),
  );
  return { gate, actor, until: options.until };
}

/** Ends the waivers of a gate. */
export async function revokeWaivers(gate: string, options: StoreOptions & ByOptions): Promise<void> {
  checkWaivable(gate);
  await withOperator(options, "changes", ({ store }) =>
    store.note({ ...byOf(options), action: auditActions.unwaive, evidence: { gate } }),
  );
}

/** Throws BAD_USAGE if no gate of evidence has this name, and REFUSED if it is never waived. */
function checkWaivable(gate: string): void {
  const known = evidenceGates.find(({ name }) => name === gate);
  if (known === undefined)
    throw new BridgeError("BAD_USAGE", {
      what: `${JSON.stringify(gate)} is no gate that can be waived`,
      fix: `name one of ${evidenceGates
        .filter(({ isWaivable }) => isWaivable)
        .map(({ name }) => name)
        .join(", ")}`,
    });
  if (!known.isWaivable)
    throw new BridgeError("REFUSED", {
      what: `the gate ${gate} is never waived`,
      fix: "run `pnl-bridge gates` to see what opens it",
    });
}
