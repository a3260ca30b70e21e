import { readdirSync } from "node:fs";
import { openFileFinder } from "../../adapters/watch/index.ts";
import { at } from "../../base/present.ts";
import type { ControlSettings } from "../stores.ts";
import { watchedRoots } from "./open.ts";

/** The result of examining a watched folder, for `doctor`. */
interface ExaminedFolder {
  readonly ok: boolean;
  readonly detail: string;
}

const shownMax = 3;

/**
 * Looks once at every watched folder. Reports whether it exists, how its changes are noticed, and the
 * databases in it.
 */
export async function examineFolders(settings: ControlSettings): Promise<readonly ExaminedFolder[]> {
  const { mode, include } = settings.config.watch;
  const roots = watchedRoots(settings);
  const finder = openFileFinder({ roots, include, mode, onHint: () => {} });
  try {
    const looks = await finder.look("all");
    return roots.map((path, index) => {
      const look = at(looks, index);
      if (!look.ok) return { ok: false, detail: `${path}: ${look.code}: ${look.why}` };
      const reason = finder.pollReasons[index];
      const lacksEvents = mode === "events" && reason !== undefined;
      const how =
        at(finder.modes, index) === "events"
          ? "by events"
          : `by polling${reason === undefined ? "" : `, because ${reason}`}`;
      const count = look.changed.length;
      const files = `${count} ${count === 1 ? "file" : "files"}, noticed ${how}`;
      const databases = databasesIn(path);
      const named = databases.slice(0, shownMax).join(", ");
      const others =
        databases.length === 0 ? "" : `; the bridge does not open these databases here: ${named}`;
      const fix = lacksEvents ? "; set watch.mode to auto" : "";
      return { ok: !lacksEvents, detail: `${path}: ${files}${others}${fix}` };
    });
  } finally {
    await finder.close();
  }
}

/**
 * Returns the SQLite files of a folder by their names, because opening and closing one would drop the locks
 * of this process.
 */
const databasesIn = (folder: string): readonly string[] =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => /\.(?:db3?|sqlite3?|s3db)$/i.test(name))
    .toSorted();
