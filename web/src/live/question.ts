/**
 * Requests that a view repeats: soon after an event that may change the answer, and after some seconds in any
 * case. A hidden tab sends no request. When it is shown again, it sends those that are due. Requests for one
 * question never overlap.
 */
import { useEffect, useMemo } from "react";
import { oneAtATime } from "../../../src/base/one-at-a-time.ts";
import { ApiError, type RequestOptions, request } from "../api.ts";
import { serverNowMs } from "../clock.ts";
import { createStore, type Store, useStore } from "../store.ts";
import { type EventName, onEventOf } from "./connection.ts";

export interface Asked<Answer> {
  /** The last answer; undefined before the first one. */
  readonly answer: Answer | undefined;
  /** When it arrived, by the gateway's clock. */
  readonly atMs: number | undefined;
  /** Why the last request failed; undefined if it did not. */
  readonly failure: ApiError | undefined;
}

interface QuestionOptions {
  /** Returns the query of a request; called anew for each request. */
  readonly query?: () => NonNullable<RequestOptions["query"]>;
  /** The events after which the answer may be another one. Default: `plan`, `freshness` and `resync`. */
  readonly on?: readonly EventName[];
  /** The longest time between two requests. */
  readonly everyMs?: number;
}

/** For a question whose answer never changes. */
export const onlyOnce: QuestionOptions = { on: [], everyMs: Number.POSITIVE_INFINITY };

export interface Question<Answer> {
  readonly store: Store<Asked<Answer>>;
  /** Asks now, and again and again until the returned function is called. */
  start(): () => void;
  /** Asks again now. */
  again(): Promise<void>;
}

/** The pause before a request that an event has caused, so that several events cause one request. */
const soonMs = 200;
const planEvents: readonly EventName[] = ["plan", "freshness", "resync"];

export function question<Answer>(
  path: string,
  { query, on = planEvents, everyMs = 10_000 }: QuestionOptions = {},
): Question<Answer> {
  const store = createStore<Asked<Answer>>({ answer: undefined, atMs: undefined, failure: undefined });
  let isWanted = false;
  let timer: number | undefined;
  let dueMs = Number.POSITIVE_INFINITY;
  const again = oneAtATime(async () => {
    cancel();
    if (!isWanted) return;
    try {
      const answer = await request<Answer>(path, query && { query: query() });
      store.set({ answer, atMs: serverNowMs(), failure: undefined });
    } catch (failure) {
      if (failure instanceof ApiError) store.set({ ...store.get(), failure });
    }
    askAfter(everyMs);
  });
  const cancel = (): void => {
    clearTimeout(timer);
    dueMs = Number.POSITIVE_INFINITY;
  };
  const askAfter = (ms: number): void => {
    const due = performance.now() + ms;
    if (!isWanted || due >= dueMs) return;
    cancel();
    dueMs = due;
    timer = setTimeout(() => {
      dueMs = Number.NEGATIVE_INFINITY;
      askIfDue();
    }, ms);
  };
  const askIfDue = (): void => {
    if (document.visibilityState === "visible" && dueMs <= performance.now()) void again();
  };
  return {
    store,
    again,
    start: () => {
      isWanted = true;
      void again();
      const ends = on.map((name) => onEventOf(name, () => askAfter(soonMs)));
      document.addEventListener("visibilitychange", askIfDue);
      return () => {
        isWanted = false;
        cancel();
        document.removeEventListener("visibilitychange", askIfDue);
        for (const end of ends) end();
      };
    },
  };
}

/** Asks a question while a component is shown. The options must be the same object until they change. */
export function useQuestion<Answer>(
  path: string,
  options?: QuestionOptions,
): Asked<Answer> & Pick<Question<Answer>, "again"> {
  const asked = useMemo(() => question<Answer>(path, options), [path, options]);
  useEffect(() => asked.start(), [asked]);
  const state = useStore(asked.store);
  return { ...state, again: asked.again };
}
