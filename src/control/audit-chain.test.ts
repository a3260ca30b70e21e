import { createHash } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import type { AuditRow, ControlStore } from "../ports/control-store.ts";
import { MemoryControlPlace } from "../testing/memory-control-store.ts";
import { TestClock } from "../testing/test-clock.ts";
import { type AuditHead, auditHead, hashOf, noHash, sealNew, verifyAudit } from "./audit-chain.ts";

const digest = (text: string): string => createHash("sha256").update(text).digest("hex");
const none: AuditHead = { seq: 0, hash: noHash };

let place: MemoryControlPlace;
let store: ControlStore;
beforeEach(async () => {
  place = new MemoryControlPlace(new TestClock());
  store = place.open();
  await store.change({ actor: "amy", action: "publish", reason: "first", set: { newSystemPercentage: 5 } });
  place.sql({ useNewPnlSystem: false });
  await store.note({
    actor: "bob",
    action: "refused",
    reason: "too early",
    evidence: { gates: ["no_quarantine"] },
  });
  place.sql({ useNewPnlSystem: null });
});

const sealed = async (): Promise<AuditHead> => (await sealNew(store, none, digest)).head;
const faults = async (heads: readonly AuditHead[] = []): Promise<readonly string[]> =>
  (await verifyAudit(store, heads, digest)).faults.map(({ fault, seq }) => `${fault} ${seq}`);
const edit = (seq: number, change: Partial<AuditRow>): void => {
  place.rows[seq - 1] = { ...(place.rows[seq - 1] as AuditRow), ...change };
};

describe("sealing", () => {
  it("continues the chain with the rows that come later", async () => {
    const first = await sealed();
    expect(first.seq).toBe(4);
    place.sql({ newSystemPercentage: 10 });
    const { head, sealed: rows } = await sealNew(store, first, digest);
    expect([head.seq, rows.map(({ action }) => action)]).toEqual([5, ["sql"]]);
    expect(head.hash).toBe(hashOf(place.rows[4] as AuditRow, first.hash, digest));
    expect(await auditHead(store)).toEqual(head);
    expect(await verifyAudit(store, [first, head], digest)).toEqual({
      ok: true,
      rows: 5,
      head,
      notSealedYet: [],
      faults: [],
    });
  });

  it("of the same rows by several processes happens once", async () => {
    const other = place.open();
    const heads = await Promise.all([sealNew(store, none, digest), sealNew(other, none, digest)]);
    expect(heads.map(({ sealed: rows }) => rows.length).toSorted()).toEqual([0, 4]);
    expect((await sealNew(other, none, digest)).head).toEqual(await auditHead(store));
    expect(await faults()).toEqual([]);
  });

  it("begins again where the store lost its seals, but never over rows that were edited meanwhile", async () => {
    const head = await sealed();
    place.seals.length = 0;
    place.sql({ newSystemPercentage: 10 });
    const lost = await sealNew(store, head, digest);
    expect(lost).toEqual({ head: none, sealed: [] });
    expect((await sealNew(store, lost.head, digest)).head.seq).toBe(5);
    expect(await faults([head])).toEqual([]);
    const again = await auditHead(store);
    place.seals.length = 0;
    edit(3, { reason: "another" });
    await store.note({ actor: "amy", action: "drill", reason: "later" });
    expect(await sealNew(store, again, digest)).toEqual({ head: again, sealed: [] });
    expect(await faults([again])).toEqual(["CUT 5"]);
  });

  it("stops before a gap, so that the gap stays visible", async () => {
    place.rows.splice(2, 1);
    expect((await sealNew(store, none, digest)).head.seq).toBe(2);
    expect(await faults()).toEqual(["REMOVED 3"]);
  });

  it("covers more rows than one page", async () => {
    for (let index = 0; index < 1_200; index++)
      await store.note({ actor: "amy", action: "drill", reason: `${index}` });
    let head = none;
    for (let round = 0; round < 3; round++) ({ head } = await sealNew(store, head, digest));
    expect(head.seq).toBe(1_204);
    expect(await verifyAudit(store, [head], digest)).toMatchObject({
      ok: true,
      rows: 1_204,
      notSealedYet: [],
    });
  });
});

describe("verifying", () => {
  it("lists rows that are not sealed yet without calling them a fault", async () => {
    await sealed();
    place.sql({ newSystemPercentage: 10 });
    place.sql({ newSystemPercentage: 20 });
    expect(await verifyAudit(store, [], digest)).toMatchObject({ ok: true, notSealedYet: [5, 6] });
  });

  it.each(["at", "actor", "action", "reason", "before", "after", "evidence"] as const)(
    "finds a row whose %s was edited",
    async (column) => {
      await sealed();
      edit(2, { [column]: "something else" });
      expect(await faults()).toEqual(["EDITED 2"]);
    },
  );

  it("finds an epoch that was edited", async () => {
    await sealed();
    edit(4, { epoch: 9 });
    expect((await faults())[0]).toBe("EDITED 4");
  });

  it("finds rows removed from the beginning, the middle and the end", async () => {
    const head = await sealed();
    for (const [seq, found] of [
      [1, ["REMOVED 1", "UNRECORDED 2"]],
      [3, ["REMOVED 3"]],
      [4, ["REMOVED 4", "UNRECORDED 3"]],
    ] as const) {
      const rows = [...place.rows];
      place.rows.splice(seq - 1, 1);
      expect(await faults(), `${seq}`).toEqual(found);
      place.rows.splice(0, place.rows.length, ...rows);
    }
    // Rows removed from the end together with their seals are detected only by a process that has kept an
    // earlier head (the last sealed row).
    place.rows.splice(2);
    place.seals.splice(2);
    place.record = { ...place.record, epoch: 3 };
    expect(await faults()).toEqual([]);
    expect(await faults([head])).toEqual(["CUT 4"]);
  });

  it("finds a chain whose end was rewritten", async () => {
    const head = await sealed();
    edit(3, { reason: "on time" });
    place.seals.splice(0);
    await sealed();
    expect(await faults()).toEqual([]);
    expect(await faults([{ seq: 2, hash: place.seals[1]?.hash ?? "" }, head])).toEqual(["CUT 4"]);
  });

  it("finds an inserted row, and a change that no row records", async () => {
    await sealed();
    place.rows.push({ ...(place.rows[3] as AuditRow), seq: 5 });
    expect(await faults()).toEqual(["INSERTED 5"]);
    place.rows.pop();
    place.record = { ...place.record, epoch: place.record.epoch + 1 };
    expect(await faults()).toEqual(["UNRECORDED 4"]);
  });

  it("finds a removed seal", async () => {
    await sealed();
    place.seals.splice(1, 1);
    expect(await faults()).toEqual(["UNSEALED 2"]);
  });
});
