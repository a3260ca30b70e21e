interface BackOff {
  readonly firstMs: number;
  readonly lastMs: number;
}

/**
 * The pause before the next attempt after `failures` of them in a row: `firstMs`, doubled with each further failure up to `lastMs`.
 * A `draw` from [0, 1) scatters it between half and the whole, so that several that wait do not try in step.
 */
export const backOffMs = ({ firstMs, lastMs }: BackOff, failures: number, draw = 1): number =>
  Math.min(lastMs, firstMs * 2 ** Math.min(Math.max(failures - 1, 0), 30)) * (0.5 + draw / 2);
