/** What the difference of two values, two rows or two answers amounts to. */
export const verdicts = ["equal", "within_tolerance", "diverged", "error", "not_comparable"] as const;
export type Verdict = (typeof verdicts)[number];

/** Whether a verdict is good news. Of no verdict: false. */
export const agrees = (verdict: Verdict | undefined): boolean => verdict === "equal" || verdict === "within_tolerance";

/** How much a verdict of a field weighs: the verdict of an answer is the heaviest of its fields. */
export const weightOf: Readonly<Record<Verdict, number>> = {
  equal: 0,
  within_tolerance: 1,
  not_comparable: 2,
  diverged: 3,
  error: 4,
};
