import { type PnlTolerances, pnlComparison } from "../../bridges/service/index.ts";
import { AnswerComparer, type AnswerComparison } from "../../comparison/index.ts";
import type { PnlMethod } from "../../ports/pnl-service.ts";
import type { JsonValue } from "../../ports/system.ts";
import { answerShapes, isRow, type Row } from "./systems/answer-shapes.ts";

interface AnswersToValidate {
  readonly method: PnlMethod;
  readonly legacy: JsonValue;
  readonly modern: JsonValue;
  readonly tolerances: PnlTolerances;
}

const differencesMax = 1_000;

/**
 * Compares two answers to the same request as the bridge compares them. Answers of another shape, such as a
 * desk's own results, are compared in full, field by field: the tolerance of positions applies to fields
 * whose names suggest quantities or prices, and the tolerance of P&L to all others. Throws BAD_CONFIG for a
 * tolerance that is not a number of 0 or more.
 */
export function validateAnswers({ method, legacy, modern, tolerances }: AnswersToValidate): AnswerComparison {
  const { part } = answerShapes[method];
  if (isRow(legacy) && isRow(modern) && part in legacy && part in modern) {
    const { comparer, project } = pnlComparison(method, tolerances, differencesMax);
    return comparer.compare(project(legacy), project(modern), "");
  }
  const byName = Object.fromEntries(
    [...numberNames(legacy), ...numberNames(modern)].map((name) => [
      name,
      /quantity|qty|position|price|cost|lots|size/i.test(name) ? tolerances.position : tolerances.pnl,
    ]),
  );
  return new AnswerComparer({ tolerances: byName, fieldsMax: differencesMax }).compare(legacy, modern, "");
}

/** The names of all fields that hold numbers, also numbers written as text. */
function* numberNames(value: JsonValue, name = ""): Generator<string> {
  if (typeof value === "number" || (typeof value === "string" && /^-?\d+(?:\.\d+)?$/.test(value))) yield name;
  else if (Array.isArray(value))
    for (const entry of value as readonly JsonValue[]) yield* numberNames(entry, `${name}[]`);
  else if (isRow(value))
    for (const [key, entry] of Object.entries<JsonValue>(value satisfies Row)) yield* numberNames(entry, key);
}
