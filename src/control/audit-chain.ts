import type { AuditRow, AuditSeal, ControlStore } from "../ports/control-store.ts";

/** SHA-256 of a text, hex: handed in, since nothing here knows the platform. */
export type Digest = (text: string) => string;

/** What stands before the first row. */
export const noHash = "0".repeat(64);

export interface AuditHead {
  readonly seq: number;
  readonly hash: string;
}

/** Of a row and of all before it. */
export const hashOf = (
  { seq, at, actor, action, reason, epoch, before, after, evidence }: AuditRow,
  previousHash: string,
  digest: Digest,
): string => digest(JSON.stringify([previousHash, seq, at, actor, action, reason, epoch, before, after, evidence]));

export async function auditHead(store: ControlStore): Promise<AuditHead> {
  let head: AuditHead = { seq: 0, hash: noHash };
  for await (const { seq, hash } of all((after) => store.seals(after, pageRows))) head = { seq, hash };
  return head;
}

/**
 * Seals the rows that are not sealed yet, in order, and resolves with the new head and with what was sealed. Whoever is slower than
 * another process seals nothing: the next time will tell.
 */
export async function sealNew(
  store: ControlStore,
  known: AuditHead,
  digest: Digest,
): Promise<{ readonly head: AuditHead; readonly sealed: readonly AuditRow[] }> {
  let head = known;
  // Others may have sealed since.
  for await (const { seq, hash } of all((after) => store.seals(after, pageRows), known.seq)) head = { seq, hash };
  const rows = await store.audit(head.seq, pageRows);
  const seals: AuditSeal[] = [];
  let last = head;
  for (const row of rows) {
    // A gap is for `audit verify` to tell; sealing over it would make it look right.
    if (row.seq !== last.seq + 1) break;
    const hash = hashOf(row, last.hash, digest);
    seals.push({ seq: row.seq, previousHash: last.hash, hash });
    last = { seq: row.seq, hash };
  }
  if (seals.length === 0 || !(await store.seal(seals))) return { head, sealed: [] };
  return { head: last, sealed: rows.slice(0, seals.length) };
}

export const auditFaults = {
  EDITED: "the row is not what was sealed",
  REMOVED: "a row that was there is gone",
  INSERTED: "a row stands where none was written by the store",
  UNSEALED: "a seal that was there is gone",
  CUT: "the end of the chain, as a process knew it, is gone or was rewritten",
  UNRECORDED: "the plan was changed without a row that says so",
} as const;
type AuditFault = keyof typeof auditFaults;

export interface AuditReport {
  readonly ok: boolean;
  readonly rows: number;
  readonly head: AuditHead;
  /** Rows that no live process has sealed yet: seq by seq. Not a fault. */
  readonly notSealedYet: readonly number[];
  /** At most `faultsMax`, in order. */
  readonly faults: readonly { readonly fault: AuditFault; readonly seq: number; readonly why: string }[];
}

const pageRows = 500;
const faultsMax = 100;

/** Reads the whole chain and holds it against its seals, against the heads that processes kept, and against the epochs of the record. */
export async function verifyAudit(store: ControlStore, heads: readonly AuditHead[], digest: Digest): Promise<AuditReport> {
  const { epoch: lastEpoch } = await store.read();
  const faults: AuditReport["faults"][number][] = [];
  const tell = (fault: AuditFault, seq: number, why: string): void => {
    if (faults.length < faultsMax) faults.push({ fault, seq, why });
  };
  const seals = new Map<number, AuditSeal>();
  for await (const seal of all((after) => store.seals(after, pageRows))) seals.set(seal.seq, seal);
  const lastSealed = Math.max(0, ...seals.keys());
  const hashes = new Map<number, string>();
  const notSealedYet: number[] = [];
  let [count, expected, previous, epoch] = [0, 1, noHash, 1];
  for await (const row of all((after) => store.audit(after, pageRows))) {
    count += 1;
    for (; expected < row.seq; expected += 1) {
      tell("REMOVED", expected, `row ${expected} is gone`);
      previous = seals.get(expected)?.hash ?? previous;
    }
    const seal = seals.get(row.seq);
    if (seal === undefined && row.seq < lastSealed) tell("UNSEALED", row.seq, `row ${row.seq} has no seal, and later ones have`);
    if (seal === undefined && row.seq > lastSealed) notSealedYet.push(row.seq);
    if (seal !== undefined && (seal.previousHash !== previous || hashOf(row, seal.previousHash, digest) !== seal.hash))
      tell("EDITED", row.seq, `row ${row.seq} (${row.action} by ${row.actor} at ${row.at}) is not what was sealed`);
    previous = seal?.hash ?? hashOf(row, previous, digest);
    hashes.set(row.seq, previous);
    if (row.after !== null) {
      if (row.epoch <= epoch) tell("INSERTED", row.seq, `row ${row.seq} says epoch ${row.epoch}, which was over at ${epoch}`);
      for (let missing = epoch + 1; missing < row.epoch; missing += 1)
        tell("UNRECORDED", row.seq, `no row says how epoch ${missing} came about`);
      epoch = Math.max(epoch, row.epoch);
    }
    expected = row.seq + 1;
  }
  for (let seq = expected; seq <= lastSealed; seq += 1) tell("REMOVED", seq, `row ${seq} was sealed and is gone`);
  for (let missing = epoch + 1; missing <= lastEpoch; missing += 1)
    tell("UNRECORDED", expected - 1, `no row says how epoch ${missing} came about`);
  for (const { seq, hash } of heads) {
    if (seq === 0 || hashes.get(seq) === hash) continue;
    tell(
      "CUT",
      seq,
      hashes.has(seq) ? `row ${seq} was another when a process last saw it` : `a process knew row ${seq}, which is gone`,
    );
  }
  return { ok: faults.length === 0, rows: count, head: { seq: expected - 1, hash: previous }, notSealedYet, faults };
}

/** Page by page. */
async function* all<Row extends { readonly seq: number }>(
  page: (after: number) => Promise<readonly Row[]>,
  from = 0,
): AsyncGenerator<Row> {
  for (let after = from; ; ) {
    const rows = await page(after);
    yield* rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < pageRows) return;
    after = last.seq;
  }
}
