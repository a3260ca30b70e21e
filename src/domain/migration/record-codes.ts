/**
 * The reasons why a write of records is refused or unresolved. `status` is the HTTP status of the response.
 */
export const recordCodes = {
  BAD_RECORD: {
    status: 422,
    meaning: "records are malformed: a field is missing, unknown or wrong, or two records are one row",
  },
  BAD_TEXT: { status: 422, meaning: "a text holds NUL or half of a surrogate pair" },
  BAD_NUMBER: { status: 422, meaning: "a number is not a decimal, or a trade's quantity is not above zero" },
  BAD_TIME: {
    status: 422,
    meaning: "a time does not exist, lacks its offset, or has more than six decimals of a second",
  },
  UNKNOWN_SYMBOL: { status: 422, meaning: "no product is known for a symbol" },
  NOT_REPRESENTABLE: { status: 422, meaning: "legacy's doubles cannot hold a value exactly" },
  AMBIGUOUS_IN_LEGACY: {
    status: 422,
    meaning: "legacy keeps wall time, and this hour occurs twice on that day",
  },
  KEY_REUSED: { status: 409, meaning: "the idempotency key belongs to other records" },
  ALREADY_STORED: { status: 409, meaning: "the trade is stored under another idempotency key" },
  CONFLICT: { status: 409, meaning: "a rule of a database forbids the row" },
  BOOK_NOT_IN_LEGACY: {
    status: 409,
    meaning: "legacy keeps one row per instrument, and that row belongs to another book",
  },
  DRAINING: { status: 503, meaning: "the authority over the records is moving to the other database" },
  UNRESOLVED: { status: 503, meaning: "it is unknown whether the write was committed" },
} as const;

export type RecordCode = keyof typeof recordCodes;

export const isRecordCode = (code: string): code is RecordCode => Object.hasOwn(recordCodes, code);
