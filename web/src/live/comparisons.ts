/**
 * The comparisons that a filter finds, newest first. Later comparisons do not enter the list, so that its
 * rows never move while a person reads them. Further pages are requested as the person scrolls.
 */
import { oneAtATime } from "../../../src/base/one-at-a-time.ts";
import { ApiError, request } from "../api.ts";
import { createStore } from "../store.ts";
import type { Comparison, ComparisonList } from "../wire.ts";

export interface Filter {
  readonly verdict: string | undefined;
  readonly method: string | undefined;
  readonly unit: string | undefined;
  readonly cause: string | undefined;
}

interface Found {
  /** The rows that have arrived. */
  readonly rows: readonly Comparison[];
  /** The number of all rows, arrived or not; a lower bound if the gateway cannot count them. */
  readonly count: number;
  readonly isComplete: boolean;
  readonly isAsked: boolean;
  readonly failure: ApiError | undefined;
  /** The causes that the gateway has found, with the numbers of their comparisons. */
  readonly causes: ComparisonList["causes"];
}

const pageRows = 1_000;
/** Rows are asked for when so few of them are left below the visible ones. */
const ahead = 500;
const none: Found = { rows: [], count: 0, isComplete: false, isAsked: true, failure: undefined, causes: [] };

export function comparisonsOf(filter: Filter) {
  const store = createStore(none);
  /** One array that grows: a copy of 100,000 rows each time more of them arrive would freeze the browser. */
  const rows: Comparison[] = [];
  let wanted = 0;
  const load = oneAtATime(async () => {
    while (!store.get().isComplete && rows.length < wanted + ahead) {
      try {
        const query = { ...filter, before: rows.at(-1)?.id, limit: pageRows };
        const { comparisons, total, causes } = await request<ComparisonList>("comparisons", { query });
        // A row's details are requested again when a person opens the row.
        for (const row of comparisons) rows.push({ ...row, fields: row.fields.slice(0, 1) });
        const isComplete = comparisons.length < pageRows;
        const counted = Math.max(store.get().count, total ?? 0, rows.length + (isComplete ? 0 : 1));
        const count = isComplete ? rows.length : counted;
        store.set({ rows, count, isComplete, isAsked: false, failure: undefined, causes });
      } catch (failure) {
        if (failure instanceof ApiError) store.set({ ...store.get(), isAsked: false, failure });
        return;
      }
    }
  });
  return {
    store,
    /** Makes sure that the rows up to a place are known. */
    want: (last: number): void => {
      wanted = Math.max(wanted, last);
      void load();
    },
  };
}
