import { BridgeError } from "../base/errors.ts";
import type { ComparisonRecord, EvidenceQuery, EvidenceStore, StoredComparison } from "../ports/evidence.ts";

type Count = Awaited<ReturnType<EvidenceStore["counts"]>>[number];

/** Evidence in memory. Every `open` opens another handle on it, as with a file. */
export class MemoryEvidence {
  #stored: StoredComparison[] = [];
  readonly #counts = new Map<string, Count>();
  #lastId = 0;

  open({ rowsMax = Number.POSITIVE_INFINITY }: { readonly rowsMax?: number } = {}): EvidenceStore {
    let closed = false;
    const whenOpen = async <T>(work: () => T): Promise<T> => {
      if (closed) throw new BridgeError("INTERNAL", { what: "the evidence store is closed" });
      return work();
    };
    return {
      append: (records) => whenOpen(() => this.#append(records, rowsMax)),
      find: (query) => whenOpen(() => this.#find(query)),
      get: (id) => whenOpen(() => structuredClone(this.#stored.find((stored) => stored.id === id))),
      counts: () => whenOpen(() => [...this.#counts.values()]),
      close: async () => {
        closed = true;
      },
    };
  }

  #append(records: readonly ComparisonRecord[], rowsMax: number): void {
    const copies = structuredClone(records);
    const nameless = copies.find(({ method }) => typeof method !== "string");
    if (nameless !== undefined) throw new BridgeError("INTERNAL", { what: "a comparison has no method" });
    for (const record of copies) {
      this.#lastId += 1;
      this.#stored.push({ id: String(this.#lastId), ...record });
      const { method, kind, verdict } = record;
      const key = `${kind} ${verdict} ${method}`;
      this.#counts.set(key, { method, kind, verdict, count: (this.#counts.get(key)?.count ?? 0) + 1 });
    }
    this.#stored = this.#stored.slice(Math.max(0, this.#stored.length - rowsMax));
  }

  #find({ method, verdict, limit }: EvidenceQuery): readonly StoredComparison[] {
    return structuredClone(
      this.#stored
        .filter(
          (stored) =>
            (method ?? stored.method) === stored.method && (verdict ?? stored.verdict) === stored.verdict,
        )
        .reverse()
        .slice(0, limit),
    );
  }
}
