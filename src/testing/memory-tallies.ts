import type {
  Attempt,
  EvidenceDelta,
  EvidenceProcess,
  LaneDay,
  StoredEvidence,
  Tally,
} from "../ports/tallies.ts";

/** The evidence of the gates in memory. */
export class MemoryTallies {
  readonly #keys = new Map<
    string,
    {
      readonly laneDays: Map<string, LaneDay>;
      readonly tallies: Map<string, Tally>;
      readonly processes: Map<string, EvidenceProcess>;
    }
  >();
  readonly #attempts: { readonly key: string; looks: number }[] = [];

  add(given: EvidenceDelta): void {
    const { key, process, at, day, ended, laneDays, tallies } = structuredClone(given);
    const of = this.#of(key);
    this.#keys.set(key, of);
    for (const laneDay of laneDays) {
      const { source, day, book, symbol, method } = laneDay;
      const id = JSON.stringify([source, day, book, symbol, method]);
      if ((of.laneDays.get(id)?.at ?? "") <= laneDay.at) of.laneDays.set(id, laneDay);
    }
    for (const tally of tallies) {
      const id = JSON.stringify([tally.source, tally.signal, tally.stratum]);
      const before = of.tallies.get(id) ?? { n: 0, k: 0, amount: 0, largest: 0 };
      of.tallies.set(id, {
        ...tally,
        n: before.n + tally.n,
        k: before.k + tally.k,
        amount: before.amount + tally.amount,
        largest: Math.max(before.largest, tally.largest),
      });
    }
    const before = of.processes.get(process)?.day ?? "";
    of.processes.set(process, { process, at, day: day > before ? day : before, ended });
  }

  of(key: string): StoredEvidence {
    const { laneDays, tallies, processes } = this.#of(key);
    return structuredClone({
      laneDays: [...laneDays.values()],
      tallies: [...tallies.values()],
      processes: [...processes.values()],
      others: [...this.#keys]
        .filter(([other]) => other !== key)
        .map(([other, of]) => ({
          key: other,
          at:
            [...of.processes.values()]
              .map(({ at }) => at)
              .toSorted()
              .at(-1) ?? "",
        })),
    });
  }

  attempt(key: string, isLook: boolean): Attempt {
    if (this.#attempts.at(-1)?.key !== key) this.#attempts.push({ key, looks: 0 });
    const last = this.#attempts.at(-1);
    if (isLook && last !== undefined) last.looks += 1;
    const looks = this.#attempts.filter((one) => one.key === key).reduce((sum, one) => sum + one.looks, 0);
    return { attempt: this.#attempts.length, looks };
  }

  #of(key: string) {
    return this.#keys.get(key) ?? { laneDays: new Map(), tallies: new Map(), processes: new Map() };
  }
}
