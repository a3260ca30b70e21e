/**
 * Real processes that record evidence of the gates into one store, each through a bridge of its own: one that
 * makes all calls, four that share the same calls, and four of which one is killed.
 */
import { type EvidenceFacts, type Guarded, judgeEvidence, trialsOf } from "../control/index.ts";
import type { EvidenceStore } from "../ports/evidence.ts";
import { StoreProcess } from "./store-process.ts";

const books = 4;
const lanesOfBook = 5;
/** 2026-11-16 is a Monday. */
const days = ["16", "17", "18", "19", "20"].map((day) => `2026-11-${day}`);
const [today, nowMs] = ["2026-11-23", Date.parse("2026-11-23T18:00:00Z")];
export const instrumentDays = days.length * books * lanesOfBook;

const moduleAt = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);

/**
 * A program that asks for the positions of each book once a day, each call in a minute of its own, and
 * records the comparisons under each given key. Modern is wrong in one lane, on the first day in one book and
 * on the last day in another one. If `dies` names a key, the evidence of the last calls under that key is not
 * written: the program prints `ready` and waits to be killed.
 */
const program = (
  opened: string,
  {
    keys,
    own,
    dies,
  }: { readonly keys: readonly string[]; readonly own: readonly number[]; readonly dies?: string },
): string => `
  const { PnLServiceBridge } = await import(${moduleAt("../bridges/service/index.ts")});
  const { TestClock } = await import(${moduleAt("./test-clock.ts")});
  const store = await ${opened};
  let day = "";
  const isWrong = (book, lane) => lane === 0 && [${JSON.stringify(days[0])} + 1, ${JSON.stringify(days.at(-1))} + 2].includes(day + book);
  const systemOf = (isModern) => ({
    name: "a system", kind: "builtin", methods: undefined, close: async () => {},
    invoke: async (method, { book }) => ({
      positions: Array.from({ length: ${lanesOfBook} }, (_, lane) => ({
        book, symbol: "ZN" + lane, quantity: "2", averagePrice: "110", unrealized: "5",
        realized: isModern && isWrong(book, lane) ? "40" : "100",
      })),
    }),
  });
  for (const key of ${JSON.stringify(keys)}) {
    const clock = new TestClock(${JSON.stringify(`${days[0]}T15:00:00.000Z`)});
    const bridge = new PnLServiceBridge(
      {
        legacy: systemOf(false), modern: systemOf(true), plan: { phase: "shadow_mode" }, evidence: store,
        tally: { process: key + process.pid, dayRule: "calendar", groupOf: () => "future" },
      },
      { clock, load: { overload: () => undefined }, draw: Math.random },
    );
    await bridge.core.setEvidenceKey(key);
    for (day of ${JSON.stringify(days)})
      for (const book of ${JSON.stringify(own)}) {
        clock.jump(Date.parse(day + "T15:0" + book + ":00.000Z") - clock.nowMs());
        const book_ = String(book);
        await bridge.call("openPositions", { asOf: new Date(clock.nowMs()).toISOString(), book: book_ }, { book: book_ });
        await bridge.idle();
        if (key !== ${JSON.stringify(dies)} || day !== ${JSON.stringify(days.at(-1))}) await bridge.core.flush();
      }
    if (key === ${JSON.stringify(dies)}) break;
    await bridge.close();
  }
  say("ready");
  if (${dies !== undefined}) await new Promise((resolve) => setTimeout(resolve, 60_000));
  await store.close();
`;

/** Records the calls under the keys `one`, `four` and `killed`. `elsewhere` opens the store in a process. */
export async function recordInProcesses(elsewhere: string): Promise<void> {
  const all = Array.from({ length: books }, (_, book) => book);
  const processes = [
    new StoreProcess(program(elsewhere, { keys: ["one"], own: all })),
    ...all.map(
      (book) =>
        new StoreProcess(
          program(elsewhere, {
            ...{ keys: ["four", "killed"], own: [book] },
            ...(book === all.at(-1) && { dies: "killed" }),
          }),
        ),
    ),
  ];
  try {
    await Promise.all(processes.map((process) => process.says(1)));
    await processes.at(-1)?.kill();
    await Promise.all(processes.slice(0, -1).map((process) => process.ended()));
  } finally {
    await Promise.all(processes.map((process) => process.kill()));
  }
}

const moves: readonly Guarded[] = ["dual_write", "ramp", "primary_switch", "cleanup"];

/** The gates of every move by the evidence under a key, and the trials that it holds. */
export async function judgedUnder(store: EvidenceStore, key: string) {
  const stored = await store.evidence(key);
  const trials = trialsOf(stored, { today, nowMs });
  const facts: EvidenceFacts = {
    ...{ key, attempt: 1, looks: 1, stored, trials, nowMs, today, date: today, build: "1+x" },
    limits: { accuracy: { replay: 0.01, live: 0.05, served: 0.01 }, days: 5 },
    ...{ records: [], waivers: [], causes: [], exclusions: [], quarantined: 0, owed: 0 },
    ...{ isNoiseMeasured: true, hasAlertUrl: true, hasPair: false, usesReports: true },
  };
  const gates = moves.flatMap((before) => judgeEvidence(before, facts).map((gate) => ({ before, ...gate })));
  return { gates, trials };
}
