import { expect, it } from "vitest";
import { BridgeError } from "../base/errors.ts";
import type { ControlRecord } from "../ports/control-store.ts";
import { recordWith } from "../testing/control-record.ts";
import { allFlags, publishedSection, readSection, timing } from "../testing/fleet.ts";
import * as decide from "./follower-state.ts";

const published = publishedSection({ plan: { phase: "primary_switch", flags: allFlags } });
const recordAt = (
  epoch: number,
  values: Partial<ControlRecord> = {},
  useNewPnlSystem: boolean | null = null,
) => recordWith({ published, grantedPhase: "primary_switch", epoch, ...values }, { useNewPnlSystem });
const rules = { ...timing, readSection };
const read = (record: ControlRecord, askedMs: number): decide.FollowerEvent => ({
  kind: "record_read",
  record,
  askedMs,
});
const after = (event: decide.FollowerEvent, atMs: number, state = decide.initialState) =>
  decide.afterEvent(state, event, atMs, rules);
const textOf = ({ kind, ...rest }: decide.FollowerEffect): string =>
  "event" in rest ? `report ${rest.event.kind} at epoch ${rest.event.epoch}` : kind;

const empty = decide.initialState;
/** The state of a process that obeys epoch 5, which it read between 100 and 110 ms. */
const following = after(read(recordAt(5), 100), 110).state;
const drained = after({ kind: "drain_checked", oldestRunning: undefined }, 110, following).state;
const switched = after({ kind: "switch_read", isSet: true }, 6_000, following).state;
const restored = after(read(recordAt(3), 200), 210, following).state;
const failed = after({ kind: "read_failed", failure: new Error("busy") }, 200, following).state;
const unsaved = after({ kind: "snapshot_failed", failure: new Error("full") }, 200, following).state;
const snapshot = {
  record: recordAt(4),
  auditHead: { seq: 1, hash: "x" },
  savedAt: "2025-01-01T00:00:00.000Z",
};
const obeys = ["hand_over", "report plan at epoch 5", "check_drain"];

type Row = readonly [
  claim: string,
  before: decide.FollowerState,
  event: decide.FollowerEvent,
  nowMs: number,
  changes: Partial<decide.FollowerState>,
  effects: readonly string[],
];

it.each<Row>([
  [
    "a newer record is obeyed, acknowledged and saved",
    empty,
    read(recordAt(5), 100),
    110,
    { seenEpoch: 5, readMs: 100, adoptedMs: 110, freshness: "fresh" },
    ["report freshness at epoch 0", ...obeys, "heartbeat", "save_snapshot"],
  ],
  [
    "the same record again has no effect",
    following,
    read(recordAt(5), 200),
    210,
    { readMs: 200, adoptedMs: 110 },
    [],
  ],
  [
    "an older record of a late read has no effect",
    following,
    read(recordAt(4, {}, false), 105),
    300,
    { seenEpoch: 5, restoredEpoch: undefined, readMs: 105 },
    [],
  ],
  [
    "an older record of a later read is not obeyed, and its epoch is not acknowledged",
    following,
    read(recordAt(3), 200),
    210,
    { seenEpoch: 5, restoredEpoch: 3 },
    ["report epoch_went_back at epoch 5", "heartbeat"],
  ],
  [
    "another record of the same epoch is that of a restored store",
    following,
    read(recordAt(5, { updatedBy: "someone else" }), 200),
    210,
    { restoredEpoch: 5 },
    ["report epoch_went_back at epoch 5", "heartbeat"],
  ],
  [
    "a restored store whose record is unchanged has no further effect",
    restored,
    read(recordAt(3), 300),
    310,
    { restoredEpoch: 3 },
    [],
  ],
  [
    "a record of a restored store is obeyed if it sends all calls to legacy",
    restored,
    read(recordAt(4, {}, false), 300),
    310,
    { restoredEpoch: 4, seenEpoch: 5 },
    [...obeys, "heartbeat"],
  ],
  [
    "a restored store is obeyed again once its epoch is higher than the known one",
    restored,
    read(recordAt(6), 300),
    310,
    { restoredEpoch: undefined, seenEpoch: 6, reported: new Set() },
    ["hand_over", "report plan at epoch 6", "check_drain", "heartbeat", "save_snapshot"],
  ],
  [
    "a section that this program cannot read leaves the last one in force",
    following,
    read(recordAt(6, { published: { ...published, text: "{", hash: "x" } }), 200),
    210,
    { section: following.section, seenEpoch: 6 },
    [
      "report unreadable_section at epoch 5",
      "hand_over",
      "report plan at epoch 6",
      "check_drain",
      "heartbeat",
      "save_snapshot",
    ],
  ],
  [
    "a failed read is reported",
    following,
    { kind: "read_failed", failure: new Error("busy") },
    200,
    { reported: new Set(["store_failed"]) },
    ["report store_failed at epoch 5"],
  ],
  [
    "a failed read is reported once",
    failed,
    { kind: "store_failed", failure: new Error("busy") },
    300,
    {},
    [],
  ],
  [
    "a failed read through a broken handle releases the handle",
    failed,
    { kind: "read_failed", failure: new BridgeError("INTERNAL", { what: "closed" }) },
    300,
    {},
    ["release_store"],
  ],
  ["a read that succeeds ends the failure", failed, read(recordAt(5), 300), 310, { reported: new Set() }, []],
  [
    "a snapshot that is saved ends the failure",
    unsaved,
    { kind: "snapshot_saved" },
    300,
    { reported: new Set() },
    [],
  ],
  [
    "the plan is stale after staleMs without a read",
    following,
    { kind: "time_passed" },
    100 + timing.staleMs,
    { freshness: "stale" },
    ["report freshness at epoch 5"],
  ],
  [
    "the plan is expired after leaseMs without a read, and is still obeyed",
    following,
    { kind: "time_passed" },
    100 + timing.leaseMs,
    { freshness: "expired", effective: following.effective },
    ["report freshness at epoch 5"],
  ],
  [
    "without any read there is no freshness to report",
    empty,
    { kind: "time_passed" },
    timing.leaseMs,
    { freshness: "none" },
    [],
  ],
  [
    "a switch file that appears while the store is fresh is obeyed and recorded",
    following,
    { kind: "switch_read", isSet: true },
    200,
    { isSwitchSet: true },
    [...obeys, "report switch_file at epoch 5", "record_switch"],
  ],
  [
    "a switch file that appears while the store is stale is obeyed at once",
    following,
    { kind: "switch_read", isSet: true },
    100 + timing.staleMs,
    { isSwitchSet: true },
    [...obeys, "report switch_file at epoch 5"],
  ],
  [
    "a switch file that is removed is no longer obeyed",
    switched,
    { kind: "switch_read", isSet: false },
    7_000,
    { isSwitchSet: false, effective: following.effective },
    [...obeys, "report switch_file at epoch 5"],
  ],
  [
    "an epoch is drained once no call of an earlier one runs",
    following,
    { kind: "drain_checked", oldestRunning: 5 },
    200,
    { drainedEpoch: 5 },
    ["heartbeat"],
  ],
  [
    "a call of an earlier epoch keeps that epoch from draining",
    drained,
    { kind: "drain_checked", oldestRunning: 4 },
    200,
    { drainedEpoch: 5 },
    [],
  ],
  [
    "a process that starts without the store obeys the newest snapshot and reports those it refused",
    empty,
    { kind: "started", found: { snapshot, refused: [{ file: "a", why: "torn" }] } },
    2_000,
    { record: snapshot.record, seenEpoch: 4, freshness: "none" },
    ["report snapshot_refused at epoch 0", "hand_over", "report plan at epoch 4", "check_drain"],
  ],
  [
    "a snapshot that is found after the store was read is ignored",
    following,
    { kind: "started", found: { snapshot, refused: [] } },
    2_000,
    { seenEpoch: 5 },
    ["hand_over", "check_drain"],
  ],
])("%s", (_, before, event, nowMs, changes, effects) => {
  const next = after(event, nowMs, before);
  expect(next.effects.map(textOf)).toEqual(effects);
  expect(next.state).toMatchObject(changes);
});
