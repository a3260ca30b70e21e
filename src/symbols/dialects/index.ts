/** The table of dialects. To add one, add a file beside this one and a row here. */
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

/** Other names that people use for a dialect, in small letters. */
export const dialectAliases: Readonly<Record<string, DialectName>> = {
  cto: "bloomberg",
  new: "canonical",
  globex: "cme",
  actanttrades: "actant-trades",
  actantrisk: "actant-risk",
  actanttime: "actant-time",
};

/** The dialect of a name or alias, in small or capital letters; undefined for any other text. */
export function dialectNamed(name: string): DialectName | undefined {
  const small = name.toLowerCase();
  return (
    dialectNames.find((dialect) => dialect === small) ??
    (Object.hasOwn(dialectAliases, small) ? dialectAliases[small] : undefined)
  );
}
