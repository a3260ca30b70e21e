import { mkdir, open, stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { SwitchFile } from "../../ports/local-files.ts";

/** `touch FILE` takes every process beside it to legacy; removing it gives them back to the plan. */
export class LocalSwitchFile implements SwitchFile {
  readonly path: string;
  #wasSet = false;

  constructor(path: string) {
    this.path = path;
  }

  async isSet(): Promise<boolean> {
    try {
      await stat(this.path);
      this.#wasSet = true;
    } catch (failure) {
      const { code } = failure as NodeJS.ErrnoException;
      // Where it cannot be seen whether it is there, it is as it was.
      if (code === "ENOENT" || code === "ENOTDIR") this.#wasSet = false;
    }
    return this.#wasSet;
  }

  async set(reason: string, actor: string): Promise<void> {
    await mkdir(dirname(this.path), { recursive: true });
    await using file = await open(this.path, "w");
    await file.writeFile(`${new Date().toISOString()} ${actor}: ${reason}\nRemove this file to give calls back to the plan.\n`);
    await file.sync();
  }
}
