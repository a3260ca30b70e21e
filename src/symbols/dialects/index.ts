/** The table of dialects: a new one is a file beside this one, and a row here. */
import type { Dialect } from "../reading.ts";
import { actantRisk } from "./actant-risk.ts";
import { actantTime } from "./actant-time.ts";
import { actantTrades } from "./actant-trades.ts";
import { bloomberg } from "./bloomberg.ts";
import { broker } from "./broker.ts";
import { canonical } from "./canonical.ts";
import { cme } from "./cme.ts";

export const dialects = {
  "actant-trades": actantTrades,
  "actant-risk": actantRisk,
  "actant-time": actantTime,
  bloomberg,
  cme,
  broker,
  canonical,
} as const satisfies Record<string, Dialect>;

export type DialectName = keyof typeof dialects;

export const dialectNames = Object.keys(dialects) as readonly DialectName[];

/** Other names that people use for a dialect. */
export const dialectAliases: Readonly<Record<string, DialectName>> = { cto: "bloomberg" };

/** The dialect of a name or alias; undefined for any other text. */
export const dialectNamed = (name: string): DialectName | undefined =>
  Object.hasOwn(dialects, name) ? (name as DialectName) : Object.hasOwn(dialectAliases, name) ? dialectAliases[name] : undefined;
