import { storable } from "../base/storable-text.ts";
import type { StoredRow, StoredValue } from "../ports/record-store.ts";

/**
 * One SQL statement. `?` stands for a value. The result of an INSERT, UPDATE or DELETE without RETURNING is
 * one empty row if it changed any row, else no row.
 */
export interface Statement {
  readonly sql: string;
  readonly values: readonly StoredValue[];
}

/**
 * The work of one transaction: a generator that yields statements and receives the rows of each. So the same
 * rules run on a database that answers at once and on one that answers over a network; the statements of one
 * yield are sent together. If a rule of the database forbids a statement, the generator receives a
 * `StatementRefused`, which it may catch. Every other failure ends the transaction.
 */
export type Work<T> = Generator<readonly Statement[], T, readonly (readonly StoredRow[])[]>;

/** Thrown if a unique key, a check or another rule of the database forbids a statement. */
export class StatementRefused extends Error {}

/**
 * Returns a statement with its values. Refuses text with NUL, which PostgreSQL cannot hold, and with half of
 * a surrogate pair, which every database would replace by another character.
 */
export function statement(sql: string, ...values: StoredValue[]): Statement {
  if (values.some((value) => typeof value === "string" && storable(value) !== value))
    throw new StatementRefused("a text holds NUL or half of a surrogate pair");
  return { sql, values };
}

/** Yields one statement. */
export function* ask(sql: string, ...values: StoredValue[]): Work<readonly StoredRow[]> {
  const [rows = []] = yield [statement(sql, ...values)];
  return rows;
}

/** Yields statements that run one after the other. None of them needs the answer of another. */
export function* askAll(...statements: readonly Statement[]): Work<readonly (readonly StoredRow[])[]> {
  return yield statements;
}

/** Runs work over a database that answers at once. */
export function runNow<T>(work: Work<T>, answer: (statement: Statement) => readonly StoredRow[]): T {
  let step = work.next();
  while (step.done !== true) {
    let answers: readonly (readonly StoredRow[])[];
    try {
      answers = step.value.map(answer);
    } catch (failure) {
      step = work.throw(failure);
      continue;
    }
    step = work.next(answers);
  }
  return step.value;
}

/** Runs work over a database that answers later. */
export async function runLater<T>(
  work: Work<T>,
  answer: (statements: readonly Statement[]) => Promise<readonly (readonly StoredRow[])[]>,
): Promise<T> {
  let step = work.next();
  while (step.done !== true) {
    let answers: readonly (readonly StoredRow[])[];
    try {
      answers = await answer(step.value);
    } catch (failure) {
      step = work.throw(failure);
      continue;
    }
    step = work.next(answers);
  }
  return step.value;
}

/** Returns a whole number of a row; databases return it as a number or as text. */
export const numberIn = (row: StoredRow | undefined, column: string): number => Number(row?.[column] ?? 0);

export const textIn = (row: StoredRow | undefined, column: string): string => String(row?.[column] ?? "");
