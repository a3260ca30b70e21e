import type { OutboxEntry, StoredRow } from "../ports/record-store.ts";
import { numberIn, textIn } from "./work.ts";

/** An entry of an outbox from its row. */
export const entryOf = (row: StoredRow): OutboxEntry => ({
  seq: numberIn(row, "seq"),
  idempotencyKey: textIn(row, "idempotency_key"),
  digest: textIn(row, "digest"),
  rows: JSON.parse(textIn(row, "rows")),
});
