import { resolve } from "node:path";
import { threadFile } from "../../platform/thread-rpc.ts";
import { runApart } from "../apart.ts";
import type { ControlSettings } from "../stores.ts";
import type { DailyOptions, DailyResult } from "./commands.ts";

/** Hands out the reports of a running process: `ExcelReportBridge`. */
export class ReportService {
  readonly #options: { readonly config: string; readonly dir: string };
  readonly #listeners = new Set<(result: DailyResult) => void>();
  #last: Promise<unknown> = Promise.resolve();

  /** `config` is the path of the configuration. */
  constructor(config: string, { config: { reports }, folder }: ControlSettings) {
    this.#options = { config: resolve(config), dir: resolve(folder, reports.dir) };
  }

  /** Calls `listener` with each report that was handed out. Returns a function that ends this. */
  onReport(listener: (result: DailyResult) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /**
   * Writes the report that the plan gives the user into the folder of reports, under a name like the desk's, and
   * returns its path. A report that was handed out before with the same content keeps its file. Reports are built
   * one after the other, each in a separate process.
   */
  generateDailyPnl(date: string, user: string | undefined): Promise<DailyResult> {
    const request: DailyOptions = { ...this.#options, date, ...(user !== undefined && { user }) };
    const file = threadFile("report-process", import.meta.url);
    const result = this.#last.then(() =>
      runApart<DailyOptions, DailyResult>(file, request, { work: "builds the report" }),
    );
    this.#last = result.catch(() => undefined);
    return result.then((found) => {
      for (const listener of this.#listeners) listener(found);
      return found;
    });
  }
}
