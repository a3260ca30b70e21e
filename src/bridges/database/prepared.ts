/** A canonical row in the forms that the stores take. */
import type { Side } from "../../domain/migration/phase.ts";
import { unstorableForm } from "../../durable/legacy-places.ts";
import type { MirrorWrite, OutboxEntry, RowWrite } from "../../ports/record-store.ts";
import { claimOf, toLegacy } from "./legacy-rows.ts";
import { toModern } from "./modern-rows.ts";
import type { Row } from "./record-intake.ts";

/** The reason why one of the stores cannot hold a row. */
export interface RowRefusal {
  readonly code: string;
  readonly because: string;
}

/** The treatment of a trade that legacy's own tables cannot hold. */
interface Unstorable {
  /** Whether legacy's store keeps it in `pnlb_unstorable`. Otherwise it is refused. */
  readonly isKept?: boolean;
  /** Whether another row has the trade's place in legacy. */
  readonly isPlaceTaken?: boolean;
}

/** Returns the row in the form of each store; a refusal if legacy cannot hold it. */
export function preparedRow(
  row: Row,
  { isKept = false, isPlaceTaken = false }: Unstorable = {},
): Readonly<Record<Side, RowWrite>> | RowRefusal {
  const own = toLegacy(row);
  const legacy = isPlaceTaken && !("code" in own) ? taken : own;
  const isApart = "code" in legacy && row.kind === "trade" && (isKept || row.does !== undefined);
  if ("code" in legacy && !isApart) return legacy;
  const { change, claim } =
    "code" in legacy
      ? unstorableForm(row, legacy.code)
      : { change: legacy.change, claim: claimOf(legacy.change) };
  const { aggregate, kind, does } = row;
  const common = { aggregate, isFinal: kind === "trade" && does === undefined, claim, does };
  return {
    legacy: { ...common, change },
    // Computed on access, because a write into legacy's store seldom needs modern's form.
    get modern() {
      return { ...common, change: toModern(row) };
    },
  };
}

const taken: RowRefusal = {
  code: "LEGACY_UNIQUE",
  because: "legacy's unique key forbids a second trade with this id in the same source file",
};

/** Returns a row of an acknowledged write in the forms that the stores take. */
export function preparedEntryRow({
  image,
  isUnstorable,
}: OutboxEntry["rows"][number]): Readonly<Record<Side, RowWrite>> {
  const prepared = preparedRow(image, { isKept: true, isPlaceTaken: isUnstorable });
  // The row was accepted before the write was stored, so only another release of this program can refuse it
  // now.
  if ("code" in prepared) throw new Error(`${prepared.code}: ${prepared.because}`);
  return prepared;
}

/** Returns an entry of the authority's outbox in the form that the mirror takes. */
export function mirrorWriteOf({ rows, ...entry }: OutboxEntry, side: Side): MirrorWrite {
  return {
    ...entry,
    rows: rows.map((row) => {
      const { aggregate, change, claim, does } = preparedEntryRow(row)[side];
      return { aggregate, version: row.version, change, claim, does };
    }),
  };
}
