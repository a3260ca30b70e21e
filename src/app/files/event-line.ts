import { unreachable } from "../../base/errors.ts";
import type { FileServiceEvent } from "./service.ts";

/** Returns the line of the log for an event; undefined for an event that a person need not see. */
export const fileLine = (event: FileServiceEvent): string | undefined => {
  switch (event.kind) {
    case "standing_by":
      return `another process watches the folders: ${event.holder}; this one takes over when it ends`;
    case "root_lost":
      return `the folder ${event.root} is lost: ${event.code}: ${event.why}`;
    case "root_back":
      return `the folder ${event.root} is back`;
    case "file":
      return `${event.path}: ${event.state}, ${event.rows} rows`;
    case "vanished":
      return `${event.path} is gone; its rows still count`;
    case "watch_failed":
      return `the watched folders could not be read, and are tried again: ${event.why}`;
    case "sink_failed":
      return `rows could not be passed on to ${event.sink}, attempt ${event.failures}: ${event.why}`;
    case "figure_refused":
      return `the databases refused a record of the files, ${event.code}: ${event.why}`;
    case "unopened":
      return `the file watcher could not be opened: ${event.why}`;
    case "reviews":
      return `${event.count} changes wait for a person: pnl-bridge watch review list`;
    case "read":
      return undefined;
    default:
      return unreachable(event);
  }
};
