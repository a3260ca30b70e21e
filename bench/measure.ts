/** One way to do the work: `run` is timed, unless it measures itself and answers with milliseconds; `prepare` is not. */
export interface Candidate {
  readonly prepare?: () => unknown;
  readonly run: () => unknown;
}

export interface Times {
  readonly medianMs: number;
  /** One for each repetition, in order. */
  readonly timesMs: readonly number[];
}

/**
 * Times of each candidate, by name. Every repetition runs all of them, each time beginning with another, so that a slow minute
 * of the machine falls on all; one repetition before is not counted.
 */
export async function interleaved<Name extends string>(
  candidates: Readonly<Record<Name, Candidate>>,
  repetitions: number,
): Promise<Record<Name, Times>> {
  const names = Object.keys(candidates) as Name[];
  const timesMs = new Map<Name, number[]>(names.map((name) => [name, []]));
  for (let repetition = -1; repetition < repetitions; repetition++) {
    for (let turn = 0; turn < names.length; turn++) {
      const name = names[(turn + repetition + 1) % names.length] as Name;
      const { prepare, run } = candidates[name];
      await prepare?.();
      globalThis.gc?.();
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

/** How many times as long as `of` the other takes: the median over the repetitions, since what disturbs one disturbs both. */
export const ratio = (it: Times, of: Times): number =>
  median(it.timesMs.map((ms, index) => ms / (of.timesMs[index] ?? Number.NaN)));

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}
