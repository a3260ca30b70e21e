import { at } from "../../base/present.ts";

/** Random numbers from a seed. The same seed gives the same numbers on every machine. Not for secrets. */
export interface Random {
  /** From 0 inclusive to 1 exclusive. */
  unit(): number;
  /** A whole number from 0 to `count - 1`. */
  below(count: number): number;
  chance(probability: number): boolean;
  /** One of a list that is not empty. */
  pick<T>(from: readonly T[]): T;
  /**
   * Approximately normal with mean 0 and deviation 1, within ±3. It is a sum of twelve draws, because
   * Math.log differs between machines.
   */
  bell(): number;
}

/** mulberry32 (Tommy Ettinger, public domain). Its 32 bits of state suffice for invented data. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  const unit = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  const below = (count: number): number => Math.floor(unit() * count);
  return {
    unit,
    below,
    chance: (probability) => unit() < probability,
    pick: (from) => at(from, below(from.length)),
    bell: () => {
      let sum = -6;
      for (let draw = 0; draw < 12; draw++) sum += unit();
      return Math.max(-3, Math.min(3, sum));
    },
  };
}
