import { compare, parseFraction } from "../../../base/fraction.ts";
import { SystemFailure } from "../../../domain/migration/system-failure.ts";
import { type PnlMethod, pnlMethods } from "../../../ports/pnl-service.ts";
import type { BridgedSystem, JsonValue } from "../../../ports/system.ts";

/** What a system must do to stand behind the bridge. Each check is done on the system itself, and leaves it as it was. */
interface SystemCheck {
  readonly name: string;
  /** What was seen; throws with what is wrong. A call has the time that it has behind the bridge, or ten seconds. */
  run(
    system: BridgedSystem,
    convert: (method: PnlMethod, answer: JsonValue, request: JsonValue) => JsonValue,
    timeoutMs: number | undefined,
  ): Promise<string>;
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

const pinned = { method: roundTrip.method, asOf: roundTrip.asOf } as const satisfies JsonValue;

const unhurriedMs = 10_000;

/** The same checks that the built-in systems and the adapters pass in our own tests. */
export const systemChecks: readonly SystemCheck[] = [
  {
    name: "answers calculatePnl",
    run: async (system, convert, deadlineMs = unhurriedMs) => {
      const answer = convert("calculatePnl", await system.invoke("calculatePnl", roundTrip, { deadlineMs }), roundTrip);
      const position = positionsOf(answer).find((one) => one.symbol === symbol);
      if (position === undefined) throw new Error(`no position of ${symbol} in ${shown(answer)}`);
      expectNumber("realized", position.realized, "15.625");
      expectNumber("quantity", position.quantity, "0");
      return "a round trip of one tick is 15.625 of money and leaves nothing";
    },
  },
  {
    name: "numbers are exact",
    run: async (system, _, deadlineMs = unhurriedMs) => {
      const answer = await system.invoke("calculatePnl", roundTrip, { deadlineMs });
      const floats = floatsIn(answer);
      if (floats.length > 0) throw new Error(`numbers that are floats: ${floats.slice(0, 3).join(", ")}; answer decimal text`);
      return "prices, quantities and P&L come as decimal text";
    },
  },
  {
    name: "the same question, the same answer",
    run: async (system, _, deadlineMs = unhurriedMs) => {
      const ask = async (): Promise<string> => JSON.stringify(await system.invoke("calculatePnl", roundTrip, { deadlineMs }));
      const answers = new Set(await Promise.all(Array.from({ length: 8 }, ask)));
      if (answers.size !== 1) throw new Error("eight calls at a time had different answers");
      return "eight calls at a time have one answer";
    },
  },
  {
    name: "refuses what it does not know",
    run: async (system, _, deadlineMs = unhurriedMs) => {
      const failure = await failureOf(system.invoke("noSuchMethod", {}, { deadlineMs }));
      if (failure?.failure !== "REFUSED")
        throw new Error(`an unknown method must be REFUSED, and was ${failure?.failure ?? "answered"}`);
      return "an unknown method is refused";
    },
  },
  {
    name: "survives bad input",
    run: async (system, _, deadlineMs = unhurriedMs) => {
      const request = { ...roundTrip, trades: [{ ...roundTrip.trades[0], quantity: "lots" }] };
      const failure = await failureOf(system.invoke("calculatePnl", request, { deadlineMs }));
      if (failure !== undefined && failure.failure !== "REFUSED")
        throw new Error(`a bad trade must be refused, not ${failure.failure}`);
      await system.invoke("calculatePnl", roundTrip, { deadlineMs });
      return failure === undefined
        ? "a bad trade is told in the answer, and the next call works"
        : "a bad trade is refused, and the next call works";
    },
  },
  {
    name: "methods",
    run: async (system, convert, deadlineMs = unhurriedMs) => {
      const { methods } = system;
      for (const method of ["openPositions", "dailyPnl", "totals"] as const) {
        if (methods !== undefined && !methods.has(method)) continue;
        // A system without ledgers, or without the method, has nothing to show here.
        const answer = await system.invoke(method, pinned, { deadlineMs }).catch(() => undefined);
        // Throws for P&L in points that cannot become money.
        if (answer !== undefined) convert(method, answer, pinned);
      }
      if (methods === undefined) return "it does not say which methods it has; each call finds out";
      const missing = pnlMethods.filter((name) => !methods.has(name));
      return missing.length === 0
        ? "all methods of the P&L service"
        : `without ${missing.join(", ")}: where it is modern, legacy answers those; where it is legacy, they are refused`;
    },
  },
];

function expectNumber(field: string, value: JsonValue | undefined, wanted: string): void {
  const [found, exact] = [parseFraction(String(value ?? "")), parseFraction(wanted)];
  if (found === undefined || exact === undefined || compare(found, exact) !== 0)
    throw new Error(`${field} is ${shown(value ?? null)}, not ${wanted}: P&L in points needs pnl_in: points`);
}

/** The rows among them; whatever else a stranger puts there is none. */
function positionsOf(answer: JsonValue): readonly Readonly<Record<string, JsonValue>>[] {
  const positions = typeof answer === "object" && answer !== null && "positions" in answer ? answer.positions : null;
  return Array.isArray(positions) ? positions.filter((one) => typeof one === "object" && one !== null) : [];
}

function floatsIn(value: JsonValue, path = ""): string[] {
  if (typeof value === "number") return Number.isSafeInteger(value) ? [] : [`${path} ${value}`];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries<JsonValue>(value).flatMap(([key, entry]) => floatsIn(entry, path === "" ? key : `${path}.${key}`));
}

const failureOf = (call: Promise<JsonValue>): Promise<SystemFailure | undefined> =>
  call.then(
    () => undefined,
    (failure: unknown) => (failure instanceof SystemFailure ? failure : new SystemFailure("GARBLED", String(failure))),
  );

const shown = (value: JsonValue): string => JSON.stringify(value).slice(0, 200);
