/** Collects the evidence that nothing uses legacy any longer. */
import { systemClock } from "../../adapters/host/index.ts";
import { usersOf } from "../../platform/open-files.ts";
import type { ControlStore } from "../../ports/control-store.ts";
import { openOperator } from "../control/session.ts";
import { type ControlSettings, openEvidenceStore } from "../stores.ts";
import { waitingRows } from "./authority.ts";
import { type PairOptions, withDatabase } from "./command-session.ts";
import { type PairSettings, prepared, withPair } from "./pair.ts";

export const evidenceNames = ["window", "fleet", "writes", "files", "rows"] as const;

interface Finding {
  readonly holds: boolean;
  readonly why: string;
}

export interface Evidence extends Finding {
  readonly name: (typeof evidenceNames)[number];
  /** Whether a person vouches for the evidence. */
  readonly accepted: boolean;
}

interface Asked extends PairOptions {
  readonly pair: PairSettings;
  /** Legacy's file. */
  readonly file: string;
  /** The number of days that must have passed since a call or write last reached legacy. */
  readonly days: number;
  readonly accept: readonly string[];
  /** Whether the removal of the bridge has begun, so that one database can no longer be asked. */
  readonly hasBegun: boolean;
}

const proof = (why: string): Finding => ({ holds: true, why });
const missing = (why: string): Finding => ({ holds: false, why });

export async function evidenceOf(settings: ControlSettings, asked: Asked): Promise<readonly Evidence[]> {
  const earlier = proof("found before the removal began");
  const found: Record<Evidence["name"], Finding> = {
    ...(await controlEvidence(settings, asked.days)),
    writes: asked.hasBegun ? earlier : await writesOf(asked),
    files: notOpen(asked.file),
    rows: asked.hasBegun
      ? earlier
      : missing("not compared: the comparison comes last, when no other evidence is missing"),
  };
  const evidence = (): readonly Evidence[] =>
    evidenceNames.map((name) => ({ name, ...found[name], accepted: asked.accept.includes(name) }));
  // The comparison comes last, because it copies new rows into modern.
  const isDue = !asked.hasBegun && !asked.accept.includes("rows");
  if (isDue && evidence().every(({ name, holds, accepted }) => name === "rows" || holds || accepted))
    found.rows = await rowsOf(asked);
  return evidence();
}

const isLongAgo = (ms: number, days: number): boolean => systemClock.nowMs() - ms >= days * 86_400_000;

/** Checks that legacy's window is closed for long enough, and that no process of the fleet is running. */
async function controlEvidence(settings: ControlSettings, days: number) {
  const { stores, control } = settings.config;
  const unknown = missing("unknown, because no control store is configured");
  if (stores.control === null) return { window: unknown, fleet: unknown };
  const session = await openOperator(settings);
  try {
    const instances = await session.store.instances();
    const live = instances
      .filter(({ ageMs }) => ageMs <= control.leaseMs)
      .map(({ name, ageMs }) => `${name}, seen ${Math.round(ageMs / 1_000)} s ago`);
    const fleet =
      live.length === 0
        ? proof("no process of the fleet is running")
        : missing(`processes of the fleet are running: ${live.join("; ")}: stop them`);
    return { window: await windowOf(session.store, settings, days), fleet };
  } finally {
    await session.close();
  }
}

/**
 * Checks legacy's window. Once the window is closed, neither a plan nor a kill switch sends a call or a write
 * to legacy.
 */
async function windowOf(store: ControlStore, settings: ControlSettings, days: number): Promise<Finding> {
  if ((await store.read()).legacyWindow !== "closed")
    return missing(
      "calls may still reach legacy: in cleanup, close its window with `pnl-bridge sign-off legacy_window`",
    );
  for (let after = 0; ; ) {
    const rows = await store.audit(after, 1_000);
    const closing = rows.find(({ after }) => JSON.parse(after ?? "{}").legacy_window === "closed");
    if (closing !== undefined) {
      const ms = Math.max(Date.parse(closing.at), await lastComparedMs(settings));
      const why = `no call has reached legacy since ${new Date(ms).toISOString()}; ${days} days are required`;
      return { holds: isLongAgo(ms, days), why };
    }
    const last = rows.at(-1);
    if (last === undefined) return missing("the audit does not say when legacy's window was closed");
    after = last.seq;
  }
}

/** Returns the time of the last stored comparison, because legacy was called for it; 0 if there is none. */
async function lastComparedMs(settings: ControlSettings): Promise<number> {
  const store = await openEvidenceStore(settings);
  try {
    const [last] = (await store?.find({ limit: 1 })) ?? [];
    return last === undefined ? 0 : Date.parse(last.at);
  } finally {
    await store?.close();
  }
}

/** Finds in both outboxes the last write that legacy stored as the authority or received from modern. */
const writesOf = ({ pair, days }: Asked): Promise<Finding> =>
  withPair(pair, prepared, async ({ legacy, modern }) => {
    const { authority } = await legacy.call("fence", null);
    if (authority === "legacy") return missing("legacy is authoritative");
    const { acknowledgedMs } = await legacy.call("lastMove", null);
    const { settledMs } = await modern.call("lastMove", null);
    const ms = Math.max(acknowledgedMs, settledMs);
    const last =
      ms === 0
        ? "the outboxes hold none"
        : `the last one in the outboxes was at ${new Date(ms).toISOString()}`;
    const why = `writes to legacy: ${last}; ${days} days without one are required`;
    return { holds: isLongAgo(ms, days), why };
  });

function notOpen(file: string): Finding {
  const found = usersOf([file, `${file}-wal`, `${file}-shm`]);
  if (found === undefined) return missing("unknown: this operating system does not show who has a file open");
  const { users, hidden } = found;
  if (users.length > 0) return missing(`processes have legacy's database open: ${users.join(", ")}`);
  const unseen = hidden === 0 ? "" : `; ${hidden} processes of other users could not be inspected`;
  return proof(`no other process of this host has legacy's database open${unseen}`);
}

/**
 * Compares each row of legacy with the values that the bridge wrote or read last. A new row is copied into
 * modern, so that it is not lost, and every other change waits for a person.
 */
const rowsOf = (asked: PairOptions): Promise<Finding> =>
  withDatabase(asked, async ({ backfill, pair }) => {
    const last = await pair.modern.call("lastReconcile", null);
    if (last === null) return missing("the databases were never compared: pnl-bridge db reconcile");
    // Writes that are owed to legacy since its window was closed make a comparison incomplete, not wrong.
    if (!last.ok && (last.breaks > 0 || last.complete))
      return missing("the last comparison found differences: pnl-bridge db reconcile");
    const { finished, tables } = await backfill.run({ pass: "all_rows", isUrgent: true });
    if (!finished) return missing("another process is reading legacy's rows");
    const imported = Object.values(tables).reduce((sum, table) => sum + table.imported, 0);
    const waiting = await waitingRows(pair);
    if (waiting > 0) return missing(`${waiting} rows wait for a person: pnl-bridge db review`);
    const at = new Date(last.atMs).toISOString();
    return imported === 0
      ? proof(`no other program has written to legacy since the comparison at ${at}`)
      : missing(`another program wrote ${imported} rows to legacy, which entered modern now; try again`);
  });
