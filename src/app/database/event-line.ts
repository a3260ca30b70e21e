import { unreachable } from "../../base/errors.ts";
import type { DatabaseEvent } from "./service.ts";

/** Returns the line of the log for an event; undefined for an event that a person need not see. */
export const databaseLine = (event: DatabaseEvent): string | undefined => {
  switch (event.kind) {
    case "unopened":
      return `the databases could not be opened: ${event.why}`;
    case "relay_failed":
      return `writes could not be carried to the other database, attempt ${event.failures}: ${event.why}`;
    case "parked":
      return `a write is parked, ${event.code}: ${event.why}`;
    case "older_copy":
      return event.why;
    case "mirror_restored":
      return `one database is an older copy of itself; ${event.sentAgain} writes are sent to it again`;
    case "look_failed":
      return `the search for rows of legacy's own programs failed: ${event.why}`;
    case "looked":
    case "progress":
    case "waiting":
      return undefined;
    case "returned":
      return event.report.failed === null
        ? "legacy is authoritative again"
        : `the authority could not move back to legacy: ${event.report.failed.why}`;
    case "wal_large":
      return `legacy's WAL has ${Math.round(event.bytes / 2 ** 20)} MB and cannot be emptied while other programs write: stop them for a moment`;
    default:
      return unreachable(event);
  }
};
