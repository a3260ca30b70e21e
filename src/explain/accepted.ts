/**
 * Finds, among the terms that people have recorded, those under which an explained difference is accepted.
 */
import { absolute, compare, parseFigure } from "../base/fraction.ts";
import type { AcceptedUnder, Explanation } from "../ports/explanation.ts";

/** The terms that a person accepts: differences of one cause, up to an amount and a day. */
export interface AcceptedTerms extends AcceptedUnder {
  readonly scope: Scope;
  /**
   * The largest amount of the cause, in the row's currency; null accepts any, even in a row without a number.
   */
  readonly limit: string | null;
  readonly reason: string;
}

export const scopeKeys = ["symbol", "product", "field", "side"] as const;

/** The fields of the scope; a difference must match each of those that are given. */
export type Scope = { readonly [Key in (typeof scopeKeys)[number]]?: string };

/**
 * Returns the terms for each cause of an explanation; undefined if the causes do not prove the whole
 * difference, or if one of them has no terms that hold on `today` (ISO).
 */
export function acceptedUnder(
  { causes, unexplained, component, first }: Explanation,
  register: readonly AcceptedTerms[],
  {
    today,
    productOf,
  }: { readonly today: string; readonly productOf: (symbol: string) => string | undefined },
): readonly AcceptedUnder[] | undefined {
  if (causes.length === 0 || unexplained !== "0") return undefined;
  const found: AcceptedUnder[] = [];
  for (const { code, level, amount, side } of causes) {
    const isInScope = ({ scope }: AcceptedTerms): boolean =>
      (scope.field ?? first.field) === first.field &&
      (scope.side ?? side) === side &&
      component.lanes.every(
        ({ symbol }) =>
          (scope.symbol ?? symbol) === symbol &&
          (scope.product === undefined || scope.product === productOf(symbol)),
      );
    const terms = register.find(
      (one) => one.code === code && today <= one.until && isInScope(one) && isWithin(amount, one.limit),
    );
    if (level !== "proved" || terms === undefined) return undefined;
    found.push({ id: terms.id, code, owner: terms.owner, until: terms.until });
  }
  return found;
}

function isWithin(amount: string | null, limit: string | null): boolean {
  if (limit === null) return true;
  const [money, most] = [parseFigure(amount ?? ""), parseFigure(limit)];
  return money !== undefined && most !== undefined && compare(absolute(money), most) <= 0;
}
