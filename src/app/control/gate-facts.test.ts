import { expect, test } from "vitest";
import { systemClock } from "../../adapters/host/index.ts";
import { present } from "../../base/present.ts";
import { defaultConfig } from "../../config/index.ts";
import { type EvidenceFacts, judgeEvidence } from "../../control/index.ts";
import { businessDayBefore, formatDay, parseDay, weekday } from "../../domain/market/trading-day.ts";
import { MemoryControlPlace } from "../../testing/memory-control-store.ts";
import { MemoryEvidence } from "../../testing/memory-evidence-store.ts";
import { auditActions } from "./audit-rows.ts";
import { factsReader } from "./gate-facts.ts";

const days = (count: number): string =>
  new Date(systemClock.nowMs() + count * 86_400_000).toISOString().slice(0, 10);

/** A reader over stores in memory, and a way to add audit rows. */
function readerOver() {
  const control = new MemoryControlPlace(systemClock).open();
  const evidence = new MemoryEvidence().open();
  const settings = { config: defaultConfig, folder: "." };
  const reader = factsReader(settings, { store: () => control, evidence: () => evidence });
  const read = async (pnl = "0.01"): Promise<EvidenceFacts> => {
    const tolerances = { position: "0", pnl };
    const facts = await reader({ quarantined: 0, owed: 0, tolerances, isLook: true, usesReports: true });
    if (typeof facts === "string") throw new Error(facts);
    return facts;
  };
  const note = (action: string, content: object, actor = "amy") =>
    control.note({ actor, action, reason: "a test", evidence: { ...content } });
  return { read, note, evidence, control };
}

test("the waivers of a gate count until the first of them ends, and waivers that have ended do not count", async () => {
  const { read, note } = readerOver();
  const waive = (actor: string, until: string) => note(auditActions.waive, { gate: "memory", until }, actor);
  await waive("amy", days(-3));
  await waive("bob", days(9));
  await waive("eve", days(5));
  expect((await read()).waivers).toEqual([
    { gate: "memory", actors: ["bob", "eve"], reason: "a test", until: days(5) },
  ]);
});

test("simultaneous and later readings count each row of the audit once", async () => {
  const { read, note } = readerOver();
  const content = { kind: "scrape", at: "2026-11-30T12:00:00Z", ok: true };
  for (let row = 0; row < 3; row++) await note(auditActions.evidence, content);
  const found = await Promise.all([read(), read(), read("0.02"), read("0.03")]);
  await note(auditActions.evidence, content);
  expect([...found, await read("0.04")].at(-1)?.records).toHaveLength(4);
});

test("the last report is that of the last compared business day before today, and an acceptance counts only for the last content of each side", async () => {
  const { read, note } = readerOver();
  let reading = 0;
  // Other tolerances read the facts again at once.
  const lastReport = async () => {
    reading += 1;
    return (await read(String(reading))).lastReport;
  };
  const handOut = (date: string, modern: string, entry: object = {}) =>
    note(auditActions.handOutReport, { date, side: "modern", contentHash: modern, ...entry });
  const compared = (date: string, modern: string, ok = false) =>
    handOut(date, modern, { diff: { ok, counts: {}, hashes: { legacy: "l", modern } } });
  const failed = (date: string, modern: string) => handOut(date, modern, { diff: { error: "no workbook" } });
  const accept = (date: string, modern: string) =>
    note(auditActions.acceptReport, { date, counts: {}, hashes: { legacy: "l", modern }, differences: [] });
  let saturday = present(parseDay(days(-2)), "a day");
  while (weekday(saturday) !== 6) saturday -= 1;
  const friday = businessDayBefore(saturday);
  const [older, last] = [formatDay(businessDayBefore(friday)), formatDay(friday)];
  expect(await lastReport()).toBeUndefined();
  await handOut(older, "a");
  expect(await lastReport()).toBeUndefined();
  const steps = [
    [failed, older, "a", "not compared"],
    [(date: string, modern: string) => compared(date, modern, true), older, "a", "accepted"],
    [handOut, older, "b", "not compared"],
    [compared, last, "a", "not accepted"],
    [
      (date: string, modern: string) => compared(date, modern, true),
      formatDay(saturday),
      "a",
      "not accepted",
    ],
    // The running day and a second report of an earlier day change nothing.
    [(date: string, modern: string) => compared(date, modern, true), days(1), "a", "not accepted"],
    [(date: string, modern: string) => compared(date, modern, true), older, "b", "not accepted"],
    [accept, last, "a", "accepted"],
    [handOut, last, "a", "accepted"],
    [handOut, last, "b", "not accepted"],
    [failed, last, "b", "not compared"],
    [handOut, last, "a", "not compared"],
    [compared, last, "a", "accepted"],
    [compared, last, "b", "not accepted"],
    [failed, last, "b", "not compared"],
    [accept, last, "b", "accepted"],
  ] as const;
  for (const [index, [act, date, modern, state]] of steps.entries()) {
    await act(date, modern);
    const found = await lastReport();
    expect([index, found?.date, found?.state]).toEqual([index, index < 3 ? older : last, state]);
  }
});

test("facts are read again at once if the published tolerances change the key", async () => {
  const { read } = readerOver();
  const [first, second, third] = [await read(), await read("0.5"), await read()];
  expect(second.key).not.toBe(first.key);
  expect([third.key, first.attempt, second.attempt, third.attempt]).toEqual([first.key, 1, 2, 3]);
});

test("fault 8: each change of the configuration, also back to earlier values, begins a new numbered attempt, and evidence counts only for its own values", async () => {
  const { read, evidence } = readerOver();
  const accuracy = async (pnl: string) => {
    const facts = await read(pnl);
    const gate = judgeEvidence("dual_write", facts).find(({ name }) => name === "accuracy/live");
    return { key: facts.key, attempt: facts.attempt, looks: facts.looks, state: gate?.state };
  };
  // Closed at every hour: the calendar day of Chicago may be the one before that of UTC.
  const day = days(-2);
  /** Records trials. The gate opens with 100 clean ones, and not with 70 of which one is an event. */
  const record = (key: string, trials: number, events: number) =>
    evidence.append([], {
      ...{ key, process: key, at: days(0), day, ended: true, tallies: [] },
      laneDays: Array.from({ length: trials }, (_, lane) => ({
        ...{
          source: "live" as const,
          day,
          book: "EGB",
          symbol: `S${lane}`,
          method: "openPositions",
          group: "future",
        },
        ...{ at: `${day}T15:00:00.000Z`, apart: lane < events ? "realized" : null, accepted: null },
        ...{ money: 0, quantityApart: false, signed: 0, weight: 1 },
      })),
    });
  const first = await accuracy("0.01");
  await record(first.key, 70, 1);
  const changed = await accuracy("0.02");
  expect([changed.attempt, changed.state]).toEqual([2, "inconclusive"]);
  expect(await accuracy("0.01")).toMatchObject({ attempt: 3, looks: 2, state: "inconclusive" });
  await record(changed.key, 100, 0);
  expect(await accuracy("0.02")).toMatchObject({ attempt: 4, looks: 2, state: "open" });
});

test("a revoked cause no longer accepts anything, also in replays, even if another entry has its code", async () => {
  const { read, note, evidence, control } = readerOver();
  const accept = async (product: string): Promise<string> => {
    const terms = { code: "LIFO", scope: { product }, limit: "5000", owner: "amy", until: days(9) };
    await note(auditActions.acceptCause, terms);
    return String((await control.audit(0, 100)).at(-1)?.seq);
  };
  const [zn, zb] = [await accept("ZN"), await accept("ZB")];
  const { key } = await read("0.01");
  const day = days(-2);
  const laneDay = (symbol: string, accepted: string) =>
    (["live", "replay"] as const).map((source) => ({
      ...{ source, day, book: "EGB", symbol, group: "future", at: `${day}T15:00:00.000Z`, accepted },
      ...{
        method: "totals",
        apart: "realized",
        money: 4_000,
        quantityApart: false,
        signed: 4_000,
        weight: 1,
      },
    }));
  await evidence.append([], {
    ...{ key, process: "one", at: days(0), day, ended: true, tallies: [] },
    // An older version wrote codes, and a rehearsal assumes that causes are accepted.
    laneDays: [
      laneDay("ZN", `${zb} ${zn}`),
      laneDay("ZB", zb),
      laneDay("old", "LIFO"),
      laneDay("R", "assumed"),
    ].flat(),
  });
  // Other tolerances have another key, so the second call reads the evidence again.
  const acceptedNow = async (): Promise<readonly string[]> => {
    await read("0.02");
    const { trials } = await read("0.01");
    return trials.accepted.map(({ source, symbol }) => `${source} ${symbol}`).toSorted();
  };
  const both = (...symbols: readonly string[]): readonly string[] =>
    symbols.flatMap((symbol) => [`live ${symbol}`, `replay ${symbol}`]).toSorted();
  expect(await acceptedNow()).toEqual(both("ZN", "ZB", "old", "R"));
  await note(auditActions.revokeCause, { id: zn });
  expect(await acceptedNow()).toEqual(both("ZB", "old", "R"));
  await note(auditActions.revokeCause, { id: zb });
  expect(await acceptedNow()).toEqual(both("R"));
});

test("the facts know when modern was taken back into use last", async () => {
  const { read, control } = readerOver();
  const change = (latched: string | null) =>
    control.change({ actor: "amy", action: "trigger", reason: "a test", set: { latched } });
  expect((await read("0.01")).backInUseMs).toBeUndefined();
  await change("harm");
  expect((await read("0.02")).backInUseMs).toBeUndefined();
  const beforeMs = systemClock.nowMs();
  await change(null);
  const { backInUseMs = 0 } = await read("0.03");
  expect([backInUseMs >= beforeMs, backInUseMs <= systemClock.nowMs()]).toEqual([true, true]);
});
