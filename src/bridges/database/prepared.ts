/** A canonical row in the forms that the stores take. */
import type { Side } from "../../domain/migration/phase.ts";
import type { MirrorWrite, OutboxEntry, RowWrite } from "../../ports/record-store.ts";
import { claimOf, toLegacy } from "./legacy-rows.ts";
import { toModern } from "./modern-rows.ts";
import type { Row } from "./record-intake.ts";

/** Why one of the stores cannot hold a row. */
export interface RowRefusal {
  readonly code: string;
  readonly because: string;
}

/** The row for each store; a refusal if legacy cannot hold it. */
export function preparedRow(row: Row): Readonly<Record<Side, RowWrite>> | RowRefusal {
  const legacy = toLegacy(row);
  if ("code" in legacy) return legacy;
  const common = {
    aggregate: row.aggregate,
    isFinal: row.kind === "trade",
    claim: claimOf(legacy.change),
  };
  return {
    legacy: { ...common, change: legacy.change },
    // Computed on access, because a write into legacy's store seldom needs modern's form.
    get modern() {
      return { ...common, change: toModern(row) };
    },
  };
}

/** An entry of the authority's outbox in the form that the mirror takes. */
export function mirrorWriteOf({ rows, ...entry }: OutboxEntry, side: Side): MirrorWrite {
  return {
    ...entry,
    rows: rows.map(({ aggregate, version, image }) => {
      const prepared = preparedRow(image);
      // The write was prepared before it was stored, so only another release of this program refuses it now.
      if ("code" in prepared) throw new Error(`${prepared.code}: ${prepared.because}`);
      const { change, claim } = prepared[side];
      return { aggregate, version, change, claim };
    }),
  };
}
