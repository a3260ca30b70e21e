import type { AuditRow, AuditSeal, ControlStore } from "../ports/control-store.ts";

/** SHA-256 of a text, as hex. The caller provides it, because this folder is pure. */
export type Digest = (text: string) => string;

/** The previous hash of the first row. */
export const noHash = "0".repeat(64);

export interface AuditHead {
  readonly seq: number;
  readonly hash: string;
}

/** The hash of a row and, through the previous hash, of all rows before it. */
export const hashOf = (
  { seq, at, actor, action, reason, epoch, before, after, evidence }: AuditRow,
  previousHash: string,
  digest: Digest,
): string =>
  digest(JSON.stringify([previousHash, seq, at, actor, action, reason, epoch, before, after, evidence]));

export async function auditHead(store: ControlStore): Promise<AuditHead> {
  let head: AuditHead = { seq: 0, hash: noHash };
  for await (const { seq, hash } of all((after) => store.seals(after, pageRows))) head = { seq, hash };
  return head;
}

/**
 * Seals the rows that are not sealed yet, in order (one page at most), and resolves with the new head and the
 * sealed rows. If another process seals the same rows first, this call seals nothing, and the next call
 * continues after those seals. If the store lost its seals, the head is the store's own, and the next calls
 * seal the rows again.
 */
export async function sealNew(
  store: ControlStore,
  known: AuditHead,
  digest: Digest,
): Promise<{ readonly head: AuditHead; readonly sealed: readonly AuditRow[] }> {
  let head = known;
  // Other processes may have sealed rows since `known`.
  for await (const { seq, hash } of all((after) => store.seals(after, pageRows), known.seq))
    head = { seq, hash };
  const rows = await store.audit(head.seq, pageRows);
  const seals: AuditSeal[] = [];
  let last = head;
  for (const row of rows) {
    // A seal across a gap would hide the gap. `audit verify` reports it.
    if (row.seq !== last.seq + 1) break;
    const hash = hashOf(row, last.hash, digest);
    seals.push({ seq: row.seq, previousHash: last.hash, hash });
    last = { seq: row.seq, hash };
  }
  if (seals.length === 0) return { head, sealed: [] };
  if (await store.seal(seals)) return { head: last, sealed: rows.slice(0, seals.length) };
  return { head: (await hasLostSeals(store, head, digest)) ? await auditHead(store) : head, sealed: [] };
}

/**
 * Whether the store lacks the seal of `head` although its rows are still the ones that were sealed, as after
 * the loss of `live.db`, the file in which the SQLite store keeps its seals. Only then may the chain be
 * sealed again from the store's own end. Reads all rows up to `head`.
 */
async function hasLostSeals(store: ControlStore, head: AuditHead, digest: Digest): Promise<boolean> {
  if (head.seq === 0) return false;
  const [seal] = await store.seals(head.seq - 1, 1);
  if (seal?.seq === head.seq) return false;
  let last: AuditHead = { seq: 0, hash: noHash };
  for await (const row of all((after) => store.audit(after, pageRows))) {
    if (row.seq !== last.seq + 1) return false;
    last = { seq: row.seq, hash: hashOf(row, last.hash, digest) };
    if (last.seq === head.seq) return last.hash === head.hash;
  }
  return false;
}

export const auditFaults = {
  EDITED: "the row is not what was sealed",
  REMOVED: "a row is missing",
  INSERTED: "a row was inserted that the store did not write",
  UNSEALED: "a seal is missing",
  CUT: "the end of the chain that a process has seen is missing or was rewritten",
  UNRECORDED: "the plan was changed, and no row records the change",
} as const;
type AuditFault = keyof typeof auditFaults;

export interface AuditReport {
  readonly ok: boolean;
  readonly rows: number;
  readonly head: AuditHead;
  /** The `seq` of each row that no process has sealed yet. Not a fault. */
  readonly notSealedYet: readonly number[];
  /** At most `faultsMax`, in order. */
  readonly faults: readonly { readonly fault: AuditFault; readonly seq: number; readonly why: string }[];
}

const pageRows = 500;
const faultsMax = 100;

/**
 * Reads the whole chain and compares it with its seals, with the heads that processes kept, and with the
 * epoch of the record. Holds all seals in memory.
 */
export async function verifyAudit(
  store: ControlStore,
  heads: readonly AuditHead[],
  digest: Digest,
): Promise<AuditReport> {
  const { epoch: lastEpoch } = await store.read();
  const faults: AuditReport["faults"][number][] = [];
  const report = (fault: AuditFault, seq: number, why: string): void => {
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
      report("REMOVED", expected, `row ${expected} is gone`);
      previous = seals.get(expected)?.hash ?? previous;
    }
    const seal = seals.get(row.seq);
    if (seal === undefined && row.seq < lastSealed)
      report("UNSEALED", row.seq, `row ${row.seq} has no seal, although later rows have one`);
    if (seal === undefined && row.seq > lastSealed) notSealedYet.push(row.seq);
    if (
      seal !== undefined &&
      (seal.previousHash !== previous || hashOf(row, seal.previousHash, digest) !== seal.hash)
    )
      report(
        "EDITED",
        row.seq,
        `row ${row.seq} (${row.action} by ${row.actor} at ${row.at}) is not what was sealed`,
      );
    previous = seal?.hash ?? hashOf(row, previous, digest);
    hashes.set(row.seq, previous);
    if (row.after !== null) {
      if (row.epoch <= epoch)
        report(
          "INSERTED",
          row.seq,
          `row ${row.seq} has epoch ${row.epoch}, although an earlier row has ${epoch}`,
        );
      for (let missing = epoch + 1; missing < row.epoch; missing += 1)
        report("UNRECORDED", row.seq, `no row records the change to epoch ${missing}`);
      epoch = Math.max(epoch, row.epoch);
    }
    expected = row.seq + 1;
  }
  for (let seq = expected; seq <= lastSealed; seq += 1)
    report("REMOVED", seq, `row ${seq} was sealed and is gone`);
  for (let missing = epoch + 1; missing <= lastEpoch; missing += 1)
    report("UNRECORDED", expected - 1, `no row records the change to epoch ${missing}`);
  for (const { seq, hash } of heads) {
    if (seq === 0 || hashes.get(seq) === hash) continue;
    report(
      "CUT",
      seq,
      hashes.has(seq)
        ? `row ${seq} is not the row that a process has seen`
        : `a process has seen row ${seq}, which is missing`,
    );
  }
  return {
    ok: faults.length === 0,
    rows: count,
    head: { seq: expected - 1, hash: previous },
    notSealedYet,
    faults,
  };
}

/** Yields the rows after `from`, read in pages. */
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
