interface BackOff {
  readonly firstMs: number;
  readonly lastMs: number;
}

/**
 * Returns the pause before the next attempt after `failures` consecutive failures: `firstMs`, doubled with
 * each further failure up to `lastMs`. A random `draw` from [0, 1) shortens the pause to between half and all
 * of it, so that several clients do not retry in step.
 */
export const backOffMs = ({ firstMs, lastMs }: BackOff, failures: number, draw = 1): number =>
  Math.min(lastMs, firstMs * 2 ** Math.min(Math.max(failures - 1, 0), 30)) * (0.5 + draw / 2);
