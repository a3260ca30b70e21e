import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../../adapters/host/index.ts";
import { openSqliteRecordStore } from "../../adapters/sqlite/index.ts";
import { tools } from "../../app/database/open.ts";
import { otherSide, type Side } from "../../domain/migration/phase.ts";
import { openDatabase } from "../../legacy-desk/database.ts";
import type { RecordStore } from "../../ports/record-store.ts";
import { positionRecord as position, tradeRecord as trade } from "../../testing/records.ts";
import { until } from "../../testing/until.ts";
import { DatabaseBridge } from "./database-bridge.ts";
import type { RelayEvent } from "./relay.ts";

let folder: string;
let paths: Readonly<Record<Side, string>>;
const opened: DatabaseBridge[] = [];
const events: RelayEvent[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "pnl-bridge-database-"));
  paths = { legacy: join(folder, "pnl_tracker.db"), modern: join(folder, "newpnl.db") };
  openDatabase(paths.legacy, { journal: "wal", busyTimeoutMs: 5_000 }).close();
  events.length = 0;
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((bridge) => bridge.close()));
  rmSync(folder, { recursive: true });
});

const store = (side: Side, authority: Side): Promise<RecordStore> =>
  openSqliteRecordStore(paths[side], { side, authority, busyMsMax: 100 });

async function open(
  authority: Side = "legacy",
  change: (stores: Record<Side, RecordStore>) => void = () => {},
) {
  const stores = { legacy: await store("legacy", authority), modern: await store("modern", authority) };
  change(stores);
  const bridge = new DatabaseBridge({
    stores,
    tools,
    clock: systemClock,
    draw: () => 0,
    direction: () => ({ authority, mirrors: true }),
    lease: { name: "this process", lastsMs: 3_000, isDead: () => false },
    keepsMs: 7 * 24 * 3_600_000,
    onEvent: (event) => void events.push(event),
  });
  opened.push(bridge);
  return bridge;
}

/** What a query finds in one of the files, read on a connection of its own. */
function rows(side: Side, sql: string): readonly unknown[] {
  const database = new Database(paths[side], { readonly: true });
  try {
    return database.prepare(sql).all();
  } finally {
    database.close();
  }
}
const counts = (side: Side) =>
  rows(side, `SELECT trade_id FROM ${side === "legacy" ? "processed_trades" : "newpnl_trades"}`).length;

describe.each(["legacy", "modern"] as const)("with %s as the authority", (authority) => {
  const mirror = otherSide(authority);

  it("a write reaches both stores, each in its own units", async () => {
    const bridge = await open(authority);
    const answer = await bridge.write([trade(1), position("12")], { idempotencyKey: "one" });
    expect(answer).toEqual({ kind: "acknowledged", version: 1, mirror: "pending" });
    expect(counts(authority)).toBe(1);
    expect(await bridge.drain({ timeoutMs: 60_000 })).toEqual({ drained: true, owed: 0 });
    expect(rows("legacy", "SELECT quantity, price, trade_timestamp FROM processed_trades")).toEqual([
      { quantity: 2, price: 110.515625, trade_timestamp: "2025-07-15 13:08:35.561" },
    ]);
    expect(rows("legacy", "SELECT avg_cost, total_realized_pnl FROM positions")).toEqual([
      { avg_cost: 1327 / 12, total_realized_pnl: 0.59375 },
    ]);
    expect(rows("modern", "SELECT instrument, average_price, realized FROM newpnl_positions")).toEqual([
      { instrument: "ZNU2025", average_price: "1327/12", realized: "593.75" },
    ]);
    expect(events).toEqual([]);
  });

  it("the same write under the same key has its effect once; other records under it, and the trade under another key, are refused", async () => {
    const bridge = await open(authority);
    const first = await bridge.write([trade(1)], { idempotencyKey: "one" });
    expect(await bridge.write([trade(1)], { idempotencyKey: "one" })).toEqual(first);
    expect(await bridge.write([trade(2)], { idempotencyKey: "one" })).toMatchObject({
      kind: "refused",
      code: "KEY_REUSED",
    });
    expect(await bridge.write([trade(1)], { idempotencyKey: "two" })).toMatchObject({
      kind: "refused",
      code: "ALREADY_STORED",
    });
    await bridge.drain({ timeoutMs: 60_000 });
    expect([counts("legacy"), counts("modern")]).toEqual([1, 1]);
  });

  it("many writes at once share commits, and a refused one among them takes no other along", async () => {
    const bridge = await open(authority);
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, index) =>
        bridge.write([trade(index === 150 ? 8 : index + 1), position(String(index + 1))], {
          idempotencyKey: `key ${index}`,
        }),
      ),
    );
    expect(answers.map(({ kind }) => kind).filter((kind) => kind === "refused")).toHaveLength(1);
    expect(answers[150]).toMatchObject({ code: "ALREADY_STORED" });
    expect(answers[199]).toMatchObject({ kind: "acknowledged", version: 199 });
    expect(await bridge.drain({ timeoutMs: 60_000 })).toEqual({ drained: true, owed: 0 });
    expect([counts("legacy"), counts("modern")]).toEqual([199, 199]);
    expect(rows("legacy", "SELECT position_quantity FROM positions")).toEqual([{ position_quantity: 200 }]);
    expect(rows("modern", "SELECT quantity FROM newpnl_positions")).toEqual([{ quantity: "200" }]);
  });

  it("a flat position is deleted in legacy and kept in modern", async () => {
    const bridge = await open(authority);
    await bridge.write([position("12")], { idempotencyKey: "one" });
    await bridge.write([position("0")], { idempotencyKey: "two" });
    await bridge.drain({ timeoutMs: 60_000 });
    expect(rows("legacy", "SELECT * FROM positions")).toEqual([]);
    expect(rows("modern", "SELECT quantity, average_price FROM newpnl_positions")).toEqual([
      { quantity: "0", average_price: null },
    ]);
  });

  it("a mirror that is locked is caught up by itself when it is free again", async () => {
    const bridge = await open(authority);
    const foreign = new Database(paths[mirror]);
    foreign.exec("BEGIN IMMEDIATE");
    const answer = await bridge.write([trade(1)], { idempotencyKey: "one" });
    expect(answer.kind).toBe("acknowledged");
    expect(await bridge.drain({ timeoutMs: 0 })).toEqual({ drained: false, owed: 1 });
    foreign.exec("COMMIT");
    foreign.close();
    await until(() => counts(mirror) === 1);
  });

  it("what was applied and not confirmed is applied again without effect", async () => {
    const lost = await open(authority, (stores) => {
      const whole = stores[authority];
      stores[authority] = {
        ...whole,
        call: (name, given) =>
          name === "settle" ? Promise.reject(new Error("the process dies here")) : whole.call(name, given),
      };
    });
    await lost.write([trade(1), position("3")], { idempotencyKey: "one" });
    await until(() => events.some(({ kind }) => kind === "relay_failed"));
    await lost.close();
    const bridge = await open(authority);
    expect(await bridge.drain({ timeoutMs: 60_000 })).toEqual({ drained: true, owed: 0 });
    expect([counts("legacy"), counts("modern")]).toEqual([1, 1]);
    expect(rows(mirror, "SELECT version FROM pnlb_versions")).toEqual([{ version: 1 }, { version: 1 }]);
  });

  it("a row that somebody else has put into the mirror parks its entry, and no other waits for it", async () => {
    const bridge = await open(authority);
    const foreign = new Database(paths[mirror]);
    if (mirror === "legacy")
      foreign.exec(`INSERT INTO processed_trades (trade_id, instrument_name, trade_date, trade_timestamp, quantity, price, side, source_file)
        VALUES ('1', 'X', '2025-07-15', '2025-07-15 09:00:00', 1, 1, 'B', 'trades_20250715.csv')`);
    else
      foreign.exec(
        "CREATE TRIGGER no BEFORE INSERT ON newpnl_trades WHEN NEW.trade_id = '1' BEGIN SELECT RAISE(ABORT, 'no'); END",
      );
    foreign.close();
    await bridge.write([trade(1)], { idempotencyKey: "one" });
    await bridge.write([trade(2)], { idempotencyKey: "two" });
    await until(() => events.some(({ kind }) => kind === "parked"));
    await until(async () => (await bridge.drain({ timeoutMs: 0 })).owed === 1);
    expect(
      rows(
        mirror,
        mirror === "legacy"
          ? "SELECT quantity FROM processed_trades WHERE trade_id = '2'"
          : "SELECT quantity FROM newpnl_trades",
      ),
    ).toHaveLength(1);
  });
});

it("a write that the authority's moved fence forbids is refused, and a closed bridge throws", async () => {
  const bridge = await open("legacy");
  const foreign = new Database(paths.legacy);
  foreign.exec("UPDATE pnlb_fence SET authority = 'modern', epoch = 2");
  foreign.close();
  expect(await bridge.write([trade(1)], { idempotencyKey: "one" })).toMatchObject({
    kind: "refused",
    code: "DRAINING",
  });
  await bridge.close();
  await expect(bridge.write([trade(1)], { idempotencyKey: "two" })).rejects.toMatchObject({ code: "CLOSED" });
});
