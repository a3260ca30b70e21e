/**
 * One way to do the work. The time of `run` is measured, unless `run` returns its own time in milliseconds.
 * `prepare` runs before it and is not measured.
 */
export interface Candidate {
  readonly prepare?: () => unknown;
  readonly run: () => unknown;
}

export interface Times {
  readonly medianMs: number;
  /** One time for each repetition, in order. */
  readonly timesMs: readonly number[];
}

/**
 * Measures each candidate and returns the times by name. Every repetition runs all candidates, each time
 * beginning with another one, so that a slow minute of the machine affects all of them. The first repetition
 * is a warm-up and is not counted. Memory is collected before each run; a `major` collection discards
 * compiled code too.
 */
export async function interleaved<Name extends string>(
  candidates: Readonly<Record<Name, Candidate>>,
  repetitions: number,
  collection: "major" | "minor" = "major",
): Promise<Record<Name, Times>> {
  const names = Object.keys(candidates) as Name[];
  const timesMs = new Map<Name, number[]>(names.map((name) => [name, []]));
  for (let repetition = -1; repetition < repetitions; repetition++) {
    for (let turn = 0; turn < names.length; turn++) {
      const name = names[(turn + repetition + 1) % names.length] as Name;
      const { prepare, run } = candidates[name];
      await prepare?.();
      globalThis.gc?.({ type: collection });
      const startedMs = performance.now();
      const took = await run();
      if (repetition >= 0)
        timesMs.get(name)?.push(typeof took === "number" ? took : performance.now() - startedMs);
    }
  }
  return Object.fromEntries([...timesMs].map(([name, times]) => [name, timesOf(times)])) as Record<
    Name,
    Times
  >;
}

export const timesOf = (timesMs: readonly number[]): Times => ({ medianMs: median(timesMs), timesMs });

/**
 * The ratio of a candidate's times to those of a base: the median of the ratios of the repetitions, since a
 * disturbance affects both of them.
 */
export const ratio = (candidate: Times, base: Times): number =>
  median(candidate.timesMs.map((ms, index) => ms / (base.timesMs[index] ?? Number.NaN)));

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}
