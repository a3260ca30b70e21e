/** The address of a view: `#/pnl?book=UST`. It contains no token, so it may be sent to a colleague. */
import { createStore } from "./store.ts";

const viewNames = ["pnl", "migration", "differences", "files", "health"] as const;
export type ViewName = (typeof viewNames)[number];

export interface Route {
  readonly view: ViewName;
  readonly query: URLSearchParams;
}

export const routeStore = createStore(routeOf(location.hash));

addEventListener("hashchange", () => routeStore.set(routeOf(location.hash)));

function routeOf(hash: string): Route {
  const [name, query = ""] = hash.replace(/^#\/?/, "").split("?");
  const view = viewNames.find((known) => known === name) ?? "pnl";
  return { view, query: new URLSearchParams(query) };
}

export function addressOf(view: ViewName, query: Readonly<Record<string, string | undefined>> = {}): string {
  const given = Object.entries(query).filter((entry): entry is [string, string] => !!entry[1]);
  const text = new URLSearchParams(given).toString();
  return `#/${view}${text === "" ? "" : `?${text}`}`;
}
