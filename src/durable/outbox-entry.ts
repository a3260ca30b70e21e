import { at as itemAt } from "../base/present.ts";
import type { OutboxEntry, StoredRow } from "../ports/record-store.ts";
import { imagesOf } from "./row-images.ts";
import { numberIn, textIn } from "./work.ts";

/** An entry of an outbox from its row. */
export function entryOf(row: StoredRow): OutboxEntry {
  const images = imagesOf(textIn(row, "rows"));
  const versions: readonly number[] = JSON.parse(textIn(row, "versions"));
  return {
    seq: numberIn(row, "seq"),
    idempotencyKey: textIn(row, "idempotency_key"),
    digest: textIn(row, "digest"),
    rows: images.map((image, at) => ({ aggregate: image.aggregate, version: itemAt(versions, at), image })),
  };
}

/** The columns from which `entryOf` makes an entry. */
export const entryColumns = "seq, idempotency_key, digest, rows, versions";
