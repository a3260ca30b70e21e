/**
 * What was read, by text, in two generations: when the young one is full it becomes the old one, and what the old one held is
 * forgotten unless it was asked for since. So it holds at most twice `generationMax`, keeps what is used, and costs two
 * look-ups at most.
 */
export class ReadingCache<Value> {
  readonly #generationMax: number;
  #young = new Map<string, Value>();
  #old = new Map<string, Value>();

  constructor(generationMax: number) {
    this.#generationMax = generationMax;
  }

  get(text: string): Value | undefined {
    const young = this.#young.get(text);
    if (young !== undefined) return young;
    const old = this.#old.get(text);
    if (old !== undefined) this.#keep(text, old);
    return old;
  }

  set(text: string, value: Value): void {
    this.#keep(ownText(text), value);
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  #keep(text: string, value: Value): void {
    if (this.#young.size >= this.#generationMax) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(text, value);
  }
}

/**
 * A text for keeping: one that was cut out of a larger text would keep all of that in memory. Joined to something and cut off
 * again it hangs on a copy of its own.
 */
export const ownText = (text: string): string => `${text}.`.slice(0, -1);
