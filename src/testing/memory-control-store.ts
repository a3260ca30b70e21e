/**
 * A control store in memory for simulations. It behaves like both real stores, their triggers included, over
 * a clock that the test controls, and passes their contract suite. `away` makes every handle fail, like an
 * unreachable store.
 */
import { BridgeError } from "../base/errors.ts";
import { isLater, type Phase } from "../domain/migration/phase.ts";
import { changedColumns, initialRecord, isValueOf } from "../domain/migration/record-columns.ts";
import type { Clock } from "../ports/clock.ts";
import type {
  AuditNote,
  AuditRow,
  AuditSeal,
  ControlChange,
  ControlRecord,
  ControlStore,
  Instance,
  InstanceReport,
  Overrides,
  SignOff,
  SignOffGiven,
} from "../ports/control-store.ts";

type Columns = Omit<ControlRecord, "epoch" | "grantedEpoch" | "updatedAt" | "updatedBy">;

export class MemoryControlPlace {
  readonly #clock: Clock;
  #away = false;
  record: ControlRecord;
  readonly rows: AuditRow[] = [];
  readonly seals: AuditSeal[] = [];
  readonly signOffs: SignOff[] = [];
  readonly instances = new Map<string, Omit<Instance, "ageMs"> & { readonly beatMs: number }>();
  readonly watchers = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.record = { ...initialRecord, updatedAt: this.now() };
  }

  open(): ControlStore {
    this.check();
    return new MemoryControlStore(this);
  }

  get away(): boolean {
    return this.#away;
  }

  set away(away: boolean) {
    this.#away = away;
    if (!away) this.notifyWatchers();
  }

  check(): void {
    if (this.#away) throw new BridgeError("SYSTEM_DOWN", { what: "the control store is unreachable" });
  }

  now(): string {
    return new Date(this.#clock.nowMs()).toISOString();
  }

  get nowMs(): number {
    return this.#clock.nowMs();
  }

  /**
   * Applies an operator's statement, given as columns of `config`. Throws if a CHECK of the real stores would
   * refuse it.
   */
  sql(set: Partial<Overrides> & { readonly latched?: string | null }): void {
    if (!changedColumns(set).every((column) => isValueOf(column, column.value)))
      throw new Error("CHECK constraint failed: config");
    const before = this.record;
    const { latched = before.latched, ...overrides } = set;
    const after = { ...before, overrides: { ...before.overrides, ...overrides }, latched };
    if (JSON.stringify(columnsOf(after)) === JSON.stringify(columnsOf(before))) return;
    this.write(after, { actor: "sql", action: "sql", reason: "" });
  }

  voidCache(note: AuditNote = { actor: "sql", action: "sql", reason: "" }): void {
    this.write({ ...this.record, cacheGeneration: this.record.cacheGeneration + 1 }, note);
  }

  /** Applies a change like the trigger of the real stores. */
  write(after: ControlRecord, note: AuditNote): void {
    const before = this.record;
    const epoch = before.epoch + 1;
    const requested = after.overrides.phase ?? after.published?.phase ?? "read_only";
    const grantedPhase: Phase = isLater(after.grantedPhase, requested) ? requested : after.grantedPhase;
    const grantedEpoch = grantedPhase === before.grantedPhase ? before.grantedEpoch : epoch;
    this.record = {
      ...after,
      grantedPhase,
      grantedEpoch,
      epoch,
      updatedAt: this.now(),
      updatedBy: note.actor,
    };
    this.append(note, columnsOf(before), columnsOf(this.record));
    this.notifyWatchers();
  }

  append(note: AuditNote, before: Columns | null, after: Columns | null): void {
    const { actor, action, reason, evidence } = note;
    this.rows.push({
      seq: this.rows.length + 1,
      at: after === null ? this.now() : this.record.updatedAt,
      actor,
      action,
      reason,
      epoch: this.record.epoch,
      before: before && JSON.stringify(before),
      after: after && JSON.stringify(after),
      evidence: evidence === undefined ? null : JSON.stringify(evidence),
    });
  }

  notifyWatchers(): void {
    for (const changed of this.watchers) queueMicrotask(changed);
  }
}

const columnsOf = ({
  epoch: _,
  grantedEpoch: __,
  updatedAt: ___,
  updatedBy: ____,
  ...columns
}: ControlRecord): Columns => columns;

class MemoryControlStore implements ControlStore {
  readonly where = "memory";
  readonly #place: MemoryControlPlace;
  readonly #watchers = new Set<() => void>();
  #closed = false;

  constructor(place: MemoryControlPlace) {
    this.#place = place;
  }

  async read(): Promise<ControlRecord> {
    return this.#open().record;
  }

  watch(changed: () => void): () => void {
    // A new function for each watcher, so that the same callback can be registered twice.
    const notify = (): void => {
      if (!this.#place.away) changed();
    };
    this.#place.watchers.add(notify);
    this.#watchers.add(notify);
    return () => {
      this.#place.watchers.delete(notify);
      this.#watchers.delete(notify);
    };
  }

  async change({ set, expectedEpoch, ...note }: ControlChange): Promise<ControlRecord | null> {
    const place = this.#open();
    const { record } = place;
    if (expectedEpoch !== undefined && expectedEpoch !== record.epoch) return null;
    const { voidCache, ...values } = set;
    const setting = Object.entries(values).filter(([, value]) => value !== undefined);
    const own = Object.fromEntries(setting.filter(([name]) => name in record));
    const overrides = Object.fromEntries(setting.filter(([name]) => name in record.overrides));
    place.write(
      {
        ...record,
        ...own,
        overrides: { ...record.overrides, ...overrides },
        ...(voidCache ? { cacheGeneration: record.cacheGeneration + 1 } : {}),
      },
      note,
    );
    return place.record;
  }

  async note(note: AuditNote): Promise<void> {
    this.#open().append(note, null, null);
  }

  async signOff({ expiresAfterMs, ...given }: SignOffGiven): Promise<void> {
    const place = this.#open();
    const at = place.now();
    const expiresAt = new Date(Date.parse(at) + expiresAfterMs).toISOString();
    place.signOffs.push({ ...given, at, expiresAt, grantedEpoch: place.record.grantedEpoch });
  }

  async signOffs(): Promise<readonly SignOff[]> {
    const place = this.#open();
    return place.signOffs.filter(({ expiresAt }) => expiresAt > place.now());
  }

  async audit(after: number, limit: number): Promise<readonly AuditRow[]> {
    return this.#open()
      .rows.filter(({ seq }) => seq > after)
      .slice(0, limit);
  }

  async seals(after: number, limit: number): Promise<readonly AuditSeal[]> {
    return this.#open()
      .seals.filter(({ seq }) => seq > after)
      .slice(0, limit);
  }

  async seal(seals: readonly AuditSeal[]): Promise<boolean> {
    const place = this.#open();
    if (seals[0]?.seq !== (place.seals.at(-1)?.seq ?? 0) + 1) return false;
    place.seals.push(...seals);
    return true;
  }

  async heartbeat(report: InstanceReport): Promise<void> {
    const place = this.#open();
    const known = place.instances.get(report.id);
    const [startedAt, beats] = [known?.startedAt ?? place.now(), (known?.beats ?? 0) + 1];
    place.instances.set(report.id, { ...report, startedAt, beats, beatMs: place.nowMs });
  }

  async instances(): Promise<readonly Instance[]> {
    const place = this.#open();
    return [...place.instances.values()].map(({ beatMs, ...instance }) => ({
      ...instance,
      ageMs: place.nowMs - beatMs,
    }));
  }

  async leave(id: string): Promise<void> {
    this.#open().instances.delete(id);
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const notify of this.#watchers) this.#place.watchers.delete(notify);
  }

  #open(): MemoryControlPlace {
    if (this.#closed) throw new BridgeError("INTERNAL", { what: "the control store is closed" });
    this.#place.check();
    return this.#place;
  }
}
