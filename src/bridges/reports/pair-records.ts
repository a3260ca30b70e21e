/** The records of two tables, by key. Records are named by their place, from 0. */
interface Records {
  readonly legacy: readonly string[];
  readonly modern: readonly string[];
  /**
   * Functions that return everything that a record holds as one text, from the strictest to the least strict
   * one. Called only for records whose key is not unique.
   */
  readonly legacyTexts: readonly ((at: number) => string)[];
  readonly modernTexts: readonly ((at: number) => string)[];
}

interface PairedRecords {
  readonly pairs: readonly (readonly [legacy: number, modern: number])[];
  readonly onlyLegacy: readonly number[];
  readonly onlyModern: readonly number[];
  /** The records of legacy whose key is not unique on at least one side. */
  readonly repeated: ReadonlySet<number>;
  /** Records without a partner whose key the other side has too. */
  readonly repeatedOnly: { readonly legacy: ReadonlySet<number>; readonly modern: ReadonlySet<number> };
  /** The paired records are in the same order on both sides. */
  readonly inOrder: boolean;
}

/**
 * Pairs records by key. Among records of one key, those that hold the same texts are paired first, then those
 * whose less strict texts are equal, then the others in their order. Linear.
 */
export function pairRecords({ legacy, modern, legacyTexts, modernTexts }: Records): PairedRecords {
  const byKey = (keys: readonly string[]) => Map.groupBy(keys.keys(), (at) => keys[at] ?? "");
  const [groups, places] = [byKey(legacy), byKey(modern)];
  const partner = new Int32Array(legacy.length).fill(-1);
  const repeated = new Set<number>();
  const taken = new Uint8Array(modern.length);
  for (const [key, own] of groups) {
    const others = places.get(key) ?? [];
    if (own.length > 1 || others.length > 1) {
      for (const at of own) repeated.add(at);
      for (const [kind, legacyText] of legacyTexts.entries()) {
        const modernText = modernTexts[kind] ?? legacyText;
        pairEqual(own, others, { partner, taken, legacyText, modernText });
      }
    }
    const left = others.filter((at) => taken[at] === 0);
    let next = 0;
    for (const at of own)
      if (partner[at] === -1 && next < left.length) {
        const other = left[next++] ?? 0;
        partner[at] = other;
        taken[other] = 1;
      }
  }
  const pairs: [number, number][] = [];
  const onlyLegacy: number[] = [];
  let inOrder = true;
  let last = -1;
  partner.forEach((other, at) => {
    if (other === -1) onlyLegacy.push(at);
    else {
      pairs.push([at, other]);
      // Equal records of one key have no order among themselves.
      if (other < last && !repeated.has(at)) inOrder = false;
      last = Math.max(last, other);
    }
  });
  const onlyModern = modern.flatMap((_, at) => (taken[at] === 0 ? [at] : []));
  const repeatedOnly = {
    legacy: new Set(onlyLegacy.filter((at) => places.has(legacy[at] ?? ""))),
    modern: new Set(onlyModern.filter((at) => groups.has(modern[at] ?? ""))),
  };
  return { pairs, onlyLegacy, onlyModern, repeated, repeatedOnly, inOrder };
}

interface Pairing {
  readonly legacyText: (at: number) => string;
  readonly modernText: (at: number) => string;
  readonly partner: Int32Array;
  readonly taken: Uint8Array;
}

function pairEqual(
  own: readonly number[],
  others: readonly number[],
  { partner, taken, legacyText, modernText }: Pairing,
): void {
  const byText = Map.groupBy(
    others.filter((at) => taken[at] === 0),
    modernText,
  );
  const next = new Map<string, number>();
  for (const at of own) {
    if (partner[at] !== -1) continue;
    const text = legacyText(at);
    const index = next.get(text) ?? 0;
    const other = byText.get(text)?.[index];
    if (other === undefined) continue;
    next.set(text, index + 1);
    partner[at] = other;
    taken[other] = 1;
  }
}
