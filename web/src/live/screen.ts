/**
 * The data of the P&L view: one answer of the gateway with all panels, from one system, one epoch and one
 * as-of. An event says that positions have changed, and the page asks for the whole screen again, so that its
 * panels never mix two answers. An event without changes only brings the age of the figures up to date.
 */
import { oneAtATime } from "../../../src/base/one-at-a-time.ts";
import { ApiError, request } from "../api.ts";
import { createStore } from "../store.ts";
import type { Dashboard } from "../wire.ts";
import { onEventOf } from "./connection.ts";

export interface Screen {
  readonly book: string | undefined;
  /** Whether the other system is asked for too. */
  readonly isCompared: boolean;
  /** The last answer for this book; undefined before the first one. */
  readonly answer: Dashboard | undefined;
  /** Why the last request failed; undefined if it did not. */
  readonly failure: ApiError | undefined;
}

const empty: Screen = {
  book: undefined,
  isCompared: false,
  answer: undefined,
  failure: undefined,
};
export const screenStore = createStore(empty);

/**
 * The time after which a screen is asked for again: the gateway watches it for changes only until half a
 * minute after the last request.
 */
const againMs = 10_000;
/** The pause after a request that failed. */
const failedMs = 2_000;
/** While figures change, two requests are at least this far apart; more if they are slow. */
const apartMs = 500;

let isWanted = false;
let timer: ReturnType<typeof setTimeout> | undefined;
/** When the timer is due, by the monotonic clock. */
let dueMs = Number.POSITIVE_INFINITY;
/** The earliest time of a request because of a change, by the monotonic clock. */
let notBeforeMs = 0;

/** Shows a book, or all books, and whether both systems are compared. */
export function showBook(book: string | undefined, isCompared: boolean): void {
  const current = screenStore.get();
  if (isWanted && current.book === book && current.isCompared === isCompared) return;
  isWanted = true;
  // Figures of another book must not be shown under the new name.
  const kept = current.book === book ? current : empty;
  screenStore.set({ ...kept, book, isCompared });
  void refresh();
}

/** Forgets all figures, and asks for no more. */
export function hideScreen(): void {
  isWanted = false;
  cancel();
  screenStore.set(empty);
}

/** Asks for the screen again. Requests never overlap. */
export const refresh: () => Promise<void> = oneAtATime(async () => {
  cancel();
  if (!isWanted) return;
  const { book, isCompared } = screenStore.get();
  const isCurrent = (): boolean => {
    const now = screenStore.get();
    return isWanted && now.book === book && now.isCompared === isCompared;
  };
  const startedMs = performance.now();
  try {
    const query = { view: "screen", book, beside: isCompared || undefined };
    const answer = await request<Dashboard>("dashboard", { query });
    if (isCurrent()) screenStore.set({ book, isCompared, answer, failure: undefined });
  } catch (failure) {
    if (isCurrent() && failure instanceof ApiError) screenStore.set({ ...screenStore.get(), failure });
    refreshAfter(failedMs);
  }
  notBeforeMs = startedMs + Math.max(apartMs, 2 * (performance.now() - startedMs));
  refreshAfter(againMs);
});

function cancel(): void {
  clearTimeout(timer);
  dueMs = Number.POSITIVE_INFINITY;
}

/** Asks again after this time, or before, if an earlier request is already due. */
function refreshAfter(ms: number): void {
  const due = performance.now() + ms;
  if (!isWanted || due >= dueMs) return;
  clearTimeout(timer);
  dueMs = due;
  timer = setTimeout(() => void refresh(), ms);
}

onEventOf("positions", (event) => {
  const { answer, book } = screenStore.get();
  if (answer === undefined || event.book !== (book ?? null)) return;
  const isSame = event.source === answer.source && event.fellBack === answer.fellBack;
  // If the event has another source than the answer and one of them is a fall-back, modern has failed for
  // this viewer, or answers again.
  const isFallback = event.fellBack !== undefined || answer.fellBack !== undefined;
  const hasChanged = event.rows.length > 0 || event.removed.length > 0 || event.unavailable !== undefined;
  if (isSame ? hasChanged || event.epoch !== answer.epoch : isFallback)
    refreshAfter(Math.max(0, notBeforeMs - performance.now()));
  else if (isSame && event.answeredAt > answer.answeredAt) {
    const { staleWhy: _, ...rest } = answer;
    const { asOf, markAge, answeredAt, stale, staleWhy, generation } = event;
    const facts = {
      asOf,
      markAge,
      answeredAt,
      stale,
      generation,
      ...(staleWhy !== undefined && { staleWhy }),
    };
    screenStore.set({ ...screenStore.get(), answer: { ...rest, ...facts } });
  }
});
onEventOf("plan", () => void refresh());
onEventOf("resync", () => void refresh());
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") void refresh();
});
