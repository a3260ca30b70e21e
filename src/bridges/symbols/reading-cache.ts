/**
 * What was read, by text: at most twice `generationMax`. When that is full, what was not asked for since the last time is forgotten,
 * and, where that is less than half, the oldest of the rest as well; so what it costs to make room is spread over as many new texts.
 * A text that is known costs one look-up, however many are.
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
 * A text for keeping: one that was cut out of a larger text would keep all of that in memory. Joined to something and cut off
 * again it hangs on a copy of its own.
 */
export const ownText = (text: string): string => `${text}.`.slice(0, -1);
