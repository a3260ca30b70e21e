import { at as itemAt } from "../base/present.ts";
import type { OutboxEntry, StoredRow } from "../ports/record-store.ts";
import { imagesOf } from "./row-images.ts";
import { numberIn, textIn } from "./work.ts";

/**
 * The version of a row in an outbox entry; `{ unstorable: version }` if the row is stored as unstorable
 * because another row has its place in legacy.
 */
export type EntryVersion = number | { readonly unstorable: number };

/** Reads an entry of an outbox from its row. */
export function entryOf(row: StoredRow): OutboxEntry {
  const images = imagesOf(textIn(row, "rows"));
  const versions: readonly EntryVersion[] = JSON.parse(textIn(row, "versions"));
  return {
    seq: numberIn(row, "seq"),
    idempotencyKey: textIn(row, "idempotency_key"),
    digest: textIn(row, "digest"),
    rows: images.map((image, index) => {
      const version = itemAt(versions, index);
      const isUnstorable = typeof version !== "number";
      return {
        aggregate: image.aggregate,
        version: isUnstorable ? version.unstorable : version,
        image,
        isUnstorable,
      };
    }),
  };
}

/** The columns from which `entryOf` makes an entry. */
export const entryColumns = "seq, idempotency_key, digest, rows, versions";
