import { resolve } from "node:path";
import { SystemFailure } from "../../domain/migration/system-failure.ts";
import { threadFile } from "../../platform/thread-rpc.ts";
import { runApart } from "../apart.ts";
import type { ControlSettings } from "../stores.ts";
import type { DailyOptions, DailyResult } from "./commands.ts";
import { dayOfText } from "./figures.ts";

/** A report that takes longer is given up. */
const reportMsMax = 300_000;
/** The largest number of reports that are built or wait. One is built at a time. */
const underWayMax = 8;

/**
 * Builds and hands out reports in a running process, for example to the Python client's `ExcelReportBridge`.
 */
export class ReportService {
  readonly #options: { readonly config: string; readonly dir: string };
  readonly #listeners = new Set<(result: DailyResult) => void>();
  readonly #closing = new AbortController();
  #underWay = 0;
  #last: Promise<unknown> = Promise.resolve();

  /** `config` is the path of the configuration. */
  constructor(config: string, { config: { reports }, folder }: ControlSettings) {
    this.#options = { config: resolve(config), dir: resolve(folder, reports.dir) };
  }

  /** Calls `listener` with each report that was handed out. Returns a function that removes it. */
  onReport(listener: (result: DailyResult) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /**
   * Writes the report that the plan gives the user into the folder of reports, under a name like the desk's,
   * and returns its path. A report that was handed out before with the same content keeps its file. Reports
   * are built one after the other, each in a separate process. Throws BUSY while too many reports wait,
   * SYSTEM_DOWN for a report that takes too long, and the errors of building it.
   */
  async generateDailyPnl(date: string, user: string | undefined): Promise<DailyResult> {
    if (this.#underWay >= underWayMax)
      throw new SystemFailure("BUSY", `${this.#underWay} reports are under way: try again later`);
    // A text that is no day is refused here, without the cost of a process.
    dayOfText(date);
    const request: DailyOptions = { ...this.#options, date, ...(user !== undefined && { user }) };
    const file = threadFile("report-process", import.meta.url);
    this.#underWay += 1;
    const result = this.#last
      .then(() =>
        runApart<DailyOptions, DailyResult>(file, request, {
          work: "builds the report",
          signal: AbortSignal.any([this.#closing.signal, AbortSignal.timeout(reportMsMax)]),
        }),
      )
      .finally(() => {
        this.#underWay -= 1;
      });
    this.#last = result.catch(() => undefined);
    const found = await result;
    for (const listener of this.#listeners) listener(found);
    return found;
  }

  /** Ends the reports under way. */
  close(): void {
    this.#closing.abort();
  }
}
