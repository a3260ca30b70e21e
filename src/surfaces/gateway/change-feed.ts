import type { DashboardAnswer } from "../../app/bridge/pnl-bridge.ts";
import type { GatewayBridge } from "./context.ts";
import type { EventStream } from "./event-stream.ts";
import type { EventData } from "./wire/events.ts";

type Row = EventData["positions"]["rows"][number];

/**
 * Sends changes of positions, marks, owed writes and databases to the event stream. For each source and book
 * that a viewer has asked for, each new answer of the system is sent once, with the rows that changed since
 * the answer before, and with the age of the figures even if no row changed. A system is asked as soon as its
 * last answer no longer serves viewers. No system is asked while no client listens.
 */
export class ChangeFeed {
  readonly #bridge: GatewayBridge;
  readonly #events: EventStream;
  /** The rows that were sent, as JSON by their key, for each source and book. */
  readonly #sent = new Map<string, ReadonlyMap<string, string>>();
  /** The sources and books whose answer is on its way. The others do not wait for them. */
  readonly #asked = new Set<string>();
  /** The last question for each source and book. */
  readonly #questions = new Map<string, object | undefined>();
  #owed = "";
  #database = "";
  readonly #timer: NodeJS.Timeout;

  /** Checks for changes every `lookMs` milliseconds while a client listens. */
  constructor(bridge: GatewayBridge, events: EventStream, lookMs: number) {
    this.#bridge = bridge;
    this.#events = events;
    this.#timer = setInterval(() => this.#check(), lookMs);
    this.#timer.unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #check(): void {
    if (this.#events.size === 0) {
      this.#sent.clear();
      this.#questions.clear();
      return;
    }
    this.#checkDatabases();
    const watched = this.#bridge.dashboard?.watched() ?? [];
    const isWatched = new Set(watched.map(({ key }) => key));
    for (const known of [this.#sent, this.#questions])
      for (const key of known.keys()) if (!isWatched.has(key)) known.delete(key);
    for (const { key, book, question, ask } of watched) {
      const current = question();
      const isSent = current !== undefined && current === this.#questions.get(key);
      if (isSent || this.#asked.has(key)) continue;
      this.#asked.add(key);
      ask()
        .then((answer) => this.#send(key, answer, book))
        // A viewer whose request is refused gets the reason when it asks itself.
        .catch(() => {})
        .finally(() => this.#asked.delete(key));
      this.#questions.set(key, question());
    }
  }

  #send(key: string, answer: DashboardAnswer, book: string | undefined): void {
    if (this.#events.size === 0) return;
    const { value, source, epoch, generation, asOf, markAge, answeredAt, stale, staleWhy, fellBack } = answer;
    const before = this.#sent.get(key) ?? new Map<string, string>();
    const { positions } = value;
    const now = new Map(positions?.map((row) => [rowKey(row), JSON.stringify(row)]));
    const rows = (positions ?? []).filter((row) => before.get(rowKey(row)) !== now.get(rowKey(row)));
    // Positions that are not available now have not been closed. All rows are sent once they are available.
    const removed = positions ? [...before].filter(([row]) => !now.has(row)) : [];
    if (positions) this.#sent.set(key, now);
    else this.#sent.delete(key);
    const facts = { source, epoch, generation, asOf, markAge, answeredAt, stale };
    this.#events.send("positions", {
      ...facts,
      ...(staleWhy !== undefined && { staleWhy }),
      ...(fellBack !== undefined && { fellBack }),
      book: book ?? null,
      rows,
      removed: removed.map(([, json]) => nameOf(json)),
      ...(!positions && { unavailable: value.unavailable.positions ?? "the reason is not known" }),
    });
    const marks = rows
      .filter((row) => {
        const old = before.get(rowKey(row));
        return old === undefined || markOf(JSON.parse(old)) !== markOf(row);
      })
      .map(({ symbol, mark, markAt }) => ({ symbol, mark, markAt }));
    if (marks.length > 0) this.#events.send("marks", { source, marks });
  }

  #checkDatabases(): void {
    const latest = this.#bridge.database?.latest;
    if (latest === undefined) return;
    const { owed, shouldBe, authority, step, mode, parked, quarantine, reviews } = latest;
    const { toLegacy, toModern } = owed;
    // The age always grows, so only another count is a change.
    const counts = JSON.stringify([toLegacy?.count ?? null, toModern.count]);
    if (counts !== this.#owed) {
      this.#owed = counts;
      this.#events.send("owed", { toLegacy, toModern });
    }
    const state = { shouldBe, authority, step, mode, parked: parked.length, quarantine, reviews };
    const text = JSON.stringify(state);
    if (text === this.#database) return;
    this.#database = text;
    this.#events.send("database", state);
  }
}

const rowKey = ({ book, symbol }: Row): string => JSON.stringify([book ?? null, symbol]);
const markOf = ({ mark, markAt }: Row): string => JSON.stringify([mark, markAt]);

function nameOf(json: string): { readonly book?: string; readonly symbol: string } {
  const { book, symbol }: Row = JSON.parse(json);
  return { ...(book !== undefined && { book }), symbol };
}
