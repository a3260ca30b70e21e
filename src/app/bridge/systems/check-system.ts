import { compare, parseFraction } from "../../../base/fraction.ts";
import { SystemFailure } from "../../../domain/migration/system-failure.ts";
import { type PnlMethod, pnlMethods } from "../../../ports/pnl-service.ts";
import type { BridgedSystem, FoundMethod, JsonValue } from "../../../ports/system.ts";
import { checkedRows, isRow } from "./answer-shapes.ts";
import { bridgeFieldOf, likelyMethod, soundsLikeWriting } from "./likely-names.ts";
import type { MethodNames } from "./offered-methods.ts";

/** A system under examination. */
interface Examined {
  readonly system: BridgedSystem;
  readonly convert: (method: PnlMethod, answer: JsonValue, request: JsonValue) => JsonValue;
  /** The system's own names of the methods that the bridge calls. */
  readonly names: MethodNames;
  /** The configuration key of these names, such as `systems.legacy.methods`. */
  readonly key: string;
  /** Time limit of a call behind the bridge; undefined: ten seconds. */
  readonly timeoutMs: number | undefined;
}

/** One check of a system, which leaves the system unchanged. */
interface SystemCheck {
  readonly name: string;
  /** Returns the result as a sentence for people. Throws an Error that describes what is wrong. */
  run(examined: Examined): Promise<string>;
}

const symbol = "XCMEFFDPSX20250919U0ZN";
const roundTrip = {
  method: "fifo",
  asOf: "2025-07-24T16:00:00-05:00",
  trades: [
    { id: "1", symbol, side: "B", quantity: "1", price: "110.5", time: "2025-07-24T09:00:00-05:00" },
    { id: "2", symbol, side: "S", quantity: "1", price: "110.515625", time: "2025-07-24T09:00:01-05:00" },
  ],
  instruments: { [symbol]: { multiplier: "1000", currency: "USD" } },
} as const satisfies JsonValue;

const defaultTimeoutMs = 10_000;

/**
 * The checks of a started system: of each method that the bridge will call, then of the system as a whole.
 */
export function checksOf(system: BridgedSystem): readonly SystemCheck[] {
  const offered = pnlMethods.filter((method) => system.methods?.has(method) !== false);
  const [asked] = offered;
  return [
    ...offered.map((method) => ({
      name: `answers ${method}`,
      run: method === "calculatePnl" ? checkRoundTrip : (examined: Examined) => checkRead(method, examined),
    })),
    ...(asked === undefined ? [] : [exactNumbers(asked), sameAnswer(asked)]),
    ...(asked === "calculatePnl" ? [badInput] : []),
    { name: "methods", run: checkMethods },
    ...(system.found === undefined || system.kind === "builtin" ? [] : [leftOut]),
  ];
}

async function checkRoundTrip(examined: Examined): Promise<string> {
  const given = await ask(examined, "calculatePnl", roundTrip).catch((failure: unknown) => {
    throw new Error(`${String((failure as Partial<Error>).message)}${renamedField(failure)}`);
  });
  checkedRows("calculatePnl", given);
  const answer = examined.convert("calculatePnl", given, roundTrip);
  const position = positionsOf(answer).find((one) => one.symbol === symbol);
  if (position === undefined) throw new Error(`there is no position of ${symbol} in ${shown(answer)}`);
  expectNumber("realized", position.realized, "15.625");
  expectNumber("quantity", position.quantity, "0");
  return "a round trip of one tick earns 15.625 and leaves no position";
}

/**
 * A hint for a system that expects another name for a field of the request, as in Python's KeyError:
 * 'buySell'.
 */
function renamedField(failure: unknown): string {
  const [, theirs = ""] = /'(\w+)'$/.exec(failure instanceof Error ? failure.message : "") ?? [];
  const ours = bridgeFieldOf(theirs);
  return ours === undefined ? "" : `: in the request this field of a trade is called ${ours}`;
}

/** Checks a method that reads the system's own data, as of now. */
async function checkRead(method: PnlMethod, examined: Examined): Promise<string> {
  const { system, convert } = examined;
  const pinned = { method: "fifo", asOf: new Date().toISOString() };
  const request =
    method === "positionDetail" ? { ...pinned, symbol: await someSymbol(examined, pinned) } : pinned;
  let answer: JsonValue;
  try {
    answer = await ask(examined, method, request);
  } catch (failure) {
    const {
      code,
      failure: kind,
      message,
    }: Partial<SystemFailure> = failure instanceof SystemFailure ? failure : {};
    // A system without ledgers, or one that does not announce its methods, is not at fault.
    if (code === "NO_LEDGERS") return "it has no ledgers here, so it has nothing to show";
    if (kind === "REFUSED" && system.methods === undefined) return `it refuses the call: ${message}`;
    throw failure;
  }
  const rows = checkedRows(method, answer);
  // Throws for P&L in points that cannot become money.
  convert(method, answer, request);
  return rows.length === 0
    ? "no rows here, so no field could be checked"
    : `rows with every field: ${rows.length}`;
}

/** A symbol that the system knows, for the request of one position. */
async function someSymbol(examined: Examined, request: JsonValue): Promise<string> {
  const answer = await ask(examined, "openPositions", request).catch(() => null);
  return String(positionsOf(answer)[0]?.symbol ?? symbol);
}

const exactNumbers = (asked: PnlMethod): SystemCheck => ({
  name: "numbers are exact",
  run: async (examined) => {
    const floats = floatsIn(await ask(examined, asked, asked === "calculatePnl" ? roundTrip : {}));
    if (floats.length > 0)
      throw new Error(`these numbers are floats: ${floats.slice(0, 3).join(", ")}; answer with decimal text`);
    return "no number in the answer is a float";
  },
});

const sameAnswer = (asked: PnlMethod): SystemCheck => ({
  name: "equal questions get equal answers",
  run: async (examined) => {
    const once = async (): Promise<string> =>
      JSON.stringify(await ask(examined, asked, asked === "calculatePnl" ? roundTrip : {}));
    const answers = new Set(await Promise.all(Array.from({ length: 8 }, once)));
    if (answers.size !== 1) throw new Error("eight calls at once had different answers");
    return "eight calls at once have the same answer";
  },
});

const badInput: SystemCheck = {
  name: "survives bad input",
  run: async (examined) => {
    const request = { ...roundTrip, trades: [{ ...roundTrip.trades[0], quantity: "lots" }] };
    const failure = await failureOf(ask(examined, "calculatePnl", request));
    if (failure !== undefined && failure.failure !== "REFUSED")
      throw new Error(`a bad trade must be refused, not ${failure.failure}`);
    await ask(examined, "calculatePnl", roundTrip);
    return failure === undefined
      ? "a bad trade causes no failure, and the next call works"
      : "a bad trade is refused, and the next call works";
  },
};

async function checkMethods({ system, names, key }: Examined): Promise<string> {
  const { methods, found = [], kind } = system;
  if (methods === undefined) return "it does not announce its methods; only a call shows whether one exists";
  const missing = pnlMethods.filter((method) => !methods.has(method));
  const callable = found.filter(({ leftOut }) => leftOut === undefined);
  const proposals = proposedNames(missing, callable).map(([method, name]) => `${method}: ${name}`);
  const advice = proposals.length === 0 ? "" : `; try ${key}: { ${proposals.join(", ")} }`;
  if (methods.size === 0) throw new Error(`it has none of ${missing.join(", ")}${advice}${listed(callable)}`);
  const writer = pnlMethods.find((method) => methods.has(method) && soundsLikeWriting(names[method]));
  if (writer !== undefined)
    throw new Error(
      `${key} names ${names[writer]} for ${writer}, and its name says that it writes: the bridge only reads`,
    );
  const has =
    missing.length === 0
      ? "all methods of the P&L service"
      : `without ${missing.join(", ")}: if this system is modern, legacy answers those calls; ` +
        "if it is legacy, they are refused";
  return kind === "builtin" ? has : `${has}${advice}${listed(callable)}`;
}

/** For each missing method, the found method that most likely does the same, if any. */
export const proposedNames = (
  missing: readonly PnlMethod[],
  found: readonly FoundMethod[],
): readonly (readonly [PnlMethod, string])[] => {
  const readers = found.map(({ name }) => name).filter((name) => !soundsLikeWriting(name));
  return missing.flatMap((method) => {
    const name = likelyMethod(method, readers);
    return name === undefined ? [] : [[method, name] as const];
  });
};

const listedMax = 20;

function listed(found: readonly FoundMethod[]): string {
  if (found.length === 0) return "";
  const shapes = found
    .slice(0, listedMax)
    .map(({ name, parameters }) => `${name}(${parameters?.join(", ") ?? "…"})`);
  const more = found.length > listedMax ? ` and ${found.length - listedMax} more` : "";
  return `; found ${shapes.join(", ").slice(0, 500)}${more}`;
}

/** Lists the methods of the system that the bridge never calls. */
const leftOut: SystemCheck = {
  name: "left out",
  run: async ({ system, names, key }) => {
    const called = new Set(Object.values(names));
    const others = (system.found ?? []).filter((one) => one.leftOut !== undefined || !called.has(one.name));
    if (others.length === 0) return "nothing: the bridge calls every method that it has";
    const reasons = Map.groupBy(
      others,
      (one) =>
        one.leftOut ??
        (soundsLikeWriting(one.name) ? "its name says that it writes" : `${key} does not name it`),
    );
    const texts = [...reasons].map(([why, some]) => {
      const shownNames = some.slice(0, listedMax).map(({ name }) => name);
      return `${shownNames.join(", ").slice(0, 250)}${some.length > listedMax ? " …" : ""} (${why})`;
    });
    return `never called: ${texts.slice(0, 6).join("; ").slice(0, 900)}`;
  },
};

const ask = (
  { system, timeoutMs = defaultTimeoutMs }: Examined,
  method: PnlMethod,
  request: JsonValue,
): Promise<JsonValue> => system.invoke(method, request, { deadlineMs: timeoutMs });

function expectNumber(field: string, value: JsonValue | undefined, wanted: string): void {
  const [found, exact] = [parseFraction(String(value ?? "")), parseFraction(wanted)];
  if (found === undefined || exact === undefined || compare(found, exact) !== 0)
    throw new Error(`${field} is ${shown(value ?? null)}, not ${wanted}: P&L in points needs pnl_in: points`);
}

/** The rows of the list `positions`; entries that are not rows are left out. */
function positionsOf(answer: JsonValue): readonly Readonly<Record<string, JsonValue>>[] {
  const positions: JsonValue | undefined = isRow(answer) ? answer.positions : undefined;
  const rows: readonly JsonValue[] = Array.isArray(positions) ? positions : [];
  return rows.filter(isRow);
}

function floatsIn(value: JsonValue, path = ""): string[] {
  if (typeof value === "number") return Number.isSafeInteger(value) ? [] : [`${path} ${value}`];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries<JsonValue>(value).flatMap(([key, entry]) =>
    floatsIn(entry, path === "" ? key : `${path}.${key}`),
  );
}

const failureOf = (call: Promise<JsonValue>): Promise<SystemFailure | undefined> =>
  call.then(
    () => undefined,
    (failure: unknown) =>
      failure instanceof SystemFailure ? failure : new SystemFailure("GARBLED", String(failure)),
  );

const shown = (value: JsonValue): string => JSON.stringify(value).slice(0, 200);
