import { BridgeError } from "../base/errors.ts";
import {
  type EvidenceQuery,
  type EvidenceStore,
  type NewComparison,
  requestsPerDayDefault,
  type StoredComparison,
} from "../ports/evidence.ts";
import { MemoryTallies } from "./memory-tallies.ts";

type Count = Awaited<ReturnType<EvidenceStore["counts"]>>[number];

/** Evidence in memory. Every `open` opens another handle on it, as with a file. */
export class MemoryEvidence {
  #stored: StoredComparison[] = [];
  readonly #counts = new Map<string, Count>();
  readonly #requests = new Map<string, { readonly day: string; readonly text: string }>();
  readonly #tallies = new MemoryTallies();
  #lastId = 0;

  open({
    rowsMax = Number.POSITIVE_INFINITY,
    requestsPerDay = requestsPerDayDefault,
  }: {
    readonly rowsMax?: number;
    readonly requestsPerDay?: number;
  } = {}): EvidenceStore {
    let closed = false;
    const whenOpen = async <T>(work: () => T): Promise<T> => {
      if (closed) throw new BridgeError("INTERNAL", { what: "the evidence store is closed" });
      return work();
    };
    return {
      append: (records, evidence) =>
        whenOpen(() => {
          this.#append(records, rowsMax, requestsPerDay);
          if (evidence !== undefined) this.#tallies.add(evidence);
        }),
      evidence: (key) => whenOpen(() => this.#tallies.of(key)),
      attempt: (key, isLook) => whenOpen(() => this.#tallies.attempt(key, isLook)),
      find: (query) => whenOpen(() => this.#find(query)),
      get: (id) => whenOpen(() => structuredClone(this.#stored.find((stored) => stored.id === id))),
      request: (id) => whenOpen(() => this.#requests.get(id)?.text),
      counts: () => whenOpen(() => [...this.#counts.values()]),
      close: async () => {
        closed = true;
      },
    };
  }

  #append(records: readonly NewComparison[], rowsMax: number, requestsPerDay: number): void {
    const copies = structuredClone(records);
    const nameless = copies.find(({ method }) => typeof method !== "string");
    if (nameless !== undefined) throw new BridgeError("INTERNAL", { what: "a comparison has no method" });
    for (const { requestText: text, ...record } of copies) {
      this.#lastId += 1;
      const id = String(this.#lastId);
      const day = record.at.slice(0, 10);
      const ofDay = [...this.#requests.values()].filter((kept) => kept.day === day).length;
      const isKept = text !== undefined && ofDay < requestsPerDay;
      if (isKept) this.#requests.set(id, { day, text });
      const request = text === undefined || isKept ? record.request : "daily_limit";
      this.#stored.push({ id, ...record, request });
      const { method, kind, verdict } = record;
      const key = `${kind} ${verdict} ${method}`;
      this.#counts.set(key, { method, kind, verdict, count: (this.#counts.get(key)?.count ?? 0) + 1 });
    }
    for (const { id } of this.#stored.splice(0, Math.max(0, this.#stored.length - rowsMax)))
      this.#requests.delete(id);
  }

  #find({ method, verdict, unit, before, limit }: EvidenceQuery): readonly StoredComparison[] {
    return structuredClone(
      this.#stored
        .filter(
          (stored) =>
            (method ?? stored.method) === stored.method &&
            (verdict ?? stored.verdict) === stored.verdict &&
            (unit ?? stored.unit) === stored.unit &&
            (before === undefined || Number(stored.id) < Number(before)),
        )
        .reverse()
        .slice(0, limit),
    );
  }
}
