import { mkdir, open, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { codeOf } from "../../base/errors.ts";
import type { SwitchFile } from "../../ports/local-files.ts";

/**
 * `touch FILE` takes every process beside it to legacy; removing it gives them back to the plan. Several paths are several switches: one
 * that is set is enough, and a command sets the first.
 */
export class LocalSwitchFile implements SwitchFile {
  readonly #paths: readonly string[];
  readonly #found = new Set<string>();

  constructor(...paths: readonly [string, ...string[]]) {
    this.#paths = [...new Set(paths)];
  }

  /** The path of the switch that is set, else of the one that a command sets. */
  get path(): string {
    return [...this.#found, ...this.#paths][0] ?? "";
  }

  async isSet(): Promise<boolean> {
    for (const path of this.#paths) {
      try {
        await stat(path);
        this.#found.add(path);
      } catch (failure) {
        // A switch that cannot be looked at stays as it was.
        if (["ENOENT", "ENOTDIR"].includes(codeOf(failure))) this.#found.delete(path);
      }
    }
    return this.#found.size > 0;
  }

  async set(reason: string, actor: string): Promise<void> {
    await mkdir(dirname(this.path), { recursive: true });
    await using file = await open(this.path, "w");
    try {
      await file.writeFile(`${new Date().toISOString()} ${actor}: ${reason}\nRemove this file to give calls back to the plan.\n`);
      await file.sync();
    } catch {
      // The file is there, which is what counts: a full disk takes a name where it takes no text.
    }
  }
}
