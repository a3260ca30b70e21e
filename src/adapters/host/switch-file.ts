import { mkdir, open, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { codeOf } from "../../base/errors.ts";
import { syncFolder } from "../../platform/atomic-file.ts";
import type { SwitchFile } from "../../ports/local-files.ts";

/**
 * The switch file of a machine. While the file exists, legacy answers in every process that keeps its own
 * files, such as snapshots, in the same folder; after its removal the plan applies again. If there are
 * several paths, one existing file is enough, and a command creates the file at the first path.
 */
export class LocalSwitchFile implements SwitchFile {
  readonly #paths: readonly string[];
  readonly #found = new Set<string>();

  constructor(...paths: readonly [string, ...string[]]) {
    this.#paths = [...new Set(paths)];
  }

  /** The path of the file that exists, else of the one that a command creates. */
  get path(): string {
    return [...this.#found, ...this.#paths][0] ?? "";
  }

  async isSet(): Promise<boolean> {
    for (const path of this.#paths) {
      try {
        await stat(path);
        this.#found.add(path);
      } catch (failure) {
        // If the file cannot be checked, the last known state stays.
        if (["ENOENT", "ENOTDIR"].includes(codeOf(failure))) this.#found.delete(path);
      }
    }
    return this.#found.size > 0;
  }

  async set(reason: string, actor: string): Promise<void> {
    await mkdir(dirname(this.path), { recursive: true });
    await using file = await open(this.path, "w");
    try {
      await file.writeFile(
        `${new Date().toISOString()} ${actor}: ${reason}\nRemove this file to let the plan route calls again.\n`,
      );
      await file.sync();
    } catch {
      // The file exists, and only that counts. A full disk accepts a name even if it accepts no content.
    }
    await syncFolder(dirname(this.path));
  }
}
