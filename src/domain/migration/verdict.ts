/** The possible results of comparing two values, rows or answers. */
export const verdicts = ["equal", "within_tolerance", "diverged", "error", "not_comparable"] as const;
export type Verdict = (typeof verdicts)[number];

/** Whether a verdict means agreement; false for undefined. */
export const agrees = (verdict: Verdict | undefined): boolean =>
  verdict === "equal" || verdict === "within_tolerance";

/** The weight of a verdict: the verdict of an answer is the heaviest verdict of its fields. */
export const weightOf: Readonly<Record<Verdict, number>> = {
  equal: 0,
  within_tolerance: 1,
  not_comparable: 2,
  diverged: 3,
  error: 4,
};
