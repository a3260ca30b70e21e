import { BridgeError } from "../../base/errors.ts";

/**
 * Returns the two workbooks of a command, legacy's and then modern's. Throws BAD_USAGE unless there are two.
 */
export function twoWorkbooks(
  command: string,
  workbooks: readonly string[],
): readonly [legacy: string, modern: string] {
  const [legacy, modern] = workbooks;
  if (legacy !== undefined && modern !== undefined && workbooks.length === 2) return [legacy, modern];
  throw new BridgeError("BAD_USAGE", {
    what: `${command} takes two workbooks, not ${workbooks.length}`,
    fix: "name legacy's workbook and then modern's",
  });
}
