/**
 * A cache of readings by text, with at most twice `generationMax` entries. A full cache drops the entries
 * that were not used since the last time it was full, and then the oldest ones until half of the entries
 * remain. So at least `generationMax` new texts come before it is full again, and the cost of dropping is
 * spread over them. A hit costs one look-up.
 */
export class ReadingCache<Value> {
  readonly #generationMax: number;
  readonly #kept = new Map<string, Kept<Value>>();

  constructor(generationMax: number) {
    this.#generationMax = generationMax;
  }

  get(text: string): Value | undefined {
    const kept = this.#kept.get(text);
    if (kept === undefined) return undefined;
    kept.isUsed = true;
    return kept.value;
  }

  set(text: string, value: Value): void {
    if (this.#kept.size >= 2 * this.#generationMax) this.#makeRoom();
    this.#kept.set(ownText(text), { value, isUsed: false });
  }

  get size(): number {
    return this.#kept.size;
  }

  #makeRoom(): void {
    for (const [text, kept] of this.#kept)
      if (kept.isUsed) kept.isUsed = false;
      else this.#kept.delete(text);
    for (const text of this.#kept.keys()) {
      if (this.#kept.size <= this.#generationMax) return;
      this.#kept.delete(text);
    }
  }
}

interface Kept<Value> {
  readonly value: Value;
  isUsed: boolean;
}

/**
 * Returns the same text with its own memory. A text that was cut out of a larger one keeps the larger one in
 * memory; appending a character and cutting it off makes a copy.
 */
export const ownText = (text: string): string => `${text}.`.slice(0, -1);
