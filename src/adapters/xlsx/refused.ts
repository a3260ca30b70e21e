import { BridgeError } from "../../base/errors.ts";

/** A failure of a file that is no workbook, or one that is not safe to read. */
export const refusedWorkbook = (
  path: string,
  what: string,
  fix = "save it again as an .xlsx workbook",
  cause?: unknown,
): BridgeError => new BridgeError("BAD_WORKBOOK", { what, where: path, fix, cause });
