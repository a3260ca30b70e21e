/**
 * The contract of `FileFinder`, as a test suite that the real finder and the fake disk run:
 *
 *     fileFinderContract("real folders", async () => ({ finder: openFileFinder(…), write: …, … }));
 *
 * `make` is called for each test. It returns a finder of two empty roots, and functions that change these
 * roots. Its patterns must include `trades_*.csv`. The suite closes the finder.
 */
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { FileFinder, FileSlice, RootLook, SeenFile } from "../ports/watched-files.ts";

export interface FinderPlace {
  readonly finder: FileFinder;
  /** Writes the whole file, in place if it exists; creates its folders. */
  readonly write: (root: number, path: string, text: string) => void;
  readonly append: (root: number, path: string, text: string) => void;
  /** Renames a file within one root; replaces a file that has the new name. */
  readonly rename: (root: number, from: string, to: string) => void;
  readonly remove: (root: number, path: string) => void;
  /** Removes everything from the root's path. */
  readonly lose: (root: number) => void;
  /** Puts another, empty folder at the root's path. */
  readonly mount: (root: number) => void;
  /** Restores the original root after `lose` or `mount`. */
  readonly restore: (root: number) => void;
  /** Resolves when this time has passed. */
  readonly pass: (ms: number) => Promise<void>;
}

const good = (look: RootLook | undefined): Extract<RootLook, { ok: true }> => {
  if (look?.ok !== true) throw new Error(`the root is lost: ${JSON.stringify(look)}`);
  return look;
};
const textOf = (slice: FileSlice): string =>
  slice.kind === "bytes" ? new TextDecoder().decode(slice.bytes) : slice.kind;

export function fileFinderContract(name: string, make: () => Promise<FinderPlace>): void {
  describe(`FileFinder: ${name}`, () => {
    let place: FinderPlace;
    /** The sizes of all files by path, as the finder reported them. */
    let told: Map<string, number>[];
    beforeEach(async () => {
      place = await make();
      told = [new Map(), new Map()];
    });
    afterEach(() => place.finder.close());

    const look = async (scope: "recent" | "all" = "all"): Promise<readonly RootLook[]> => {
      const looks = await place.finder.look(scope);
      looks.forEach((one, root) => {
        if (!one.ok) return;
        for (const { path, size } of one.changed) told[root]?.set(path, size);
        for (const path of one.gone) told[root]?.delete(path);
      });
      return looks;
    };
    const changed = async (scope?: "recent" | "all", root = 0): Promise<readonly SeenFile[]> =>
      good((await look(scope))[root]).changed.toSorted((a, b) => (a.path < b.path ? -1 : 1));
    const names = (files: readonly SeenFile[]): readonly string[] => files.map(({ path }) => path);
    const read = async (path: string, from = 0, length = 1_000): Promise<string> =>
      textOf(await place.finder.read({ root: 0, path, from, length }));

    it("the first look reports every file with its size, in each root under its own path", async () => {
      place.write(0, "trades_1.csv", "one\n");
      place.write(0, "2025/08/trades_1.csv", "");
      place.write(1, "trades_1.csv", "other\n");
      const looks = await look();
      expect(looks).toHaveLength(2);
      expect(told[0]).toEqual(
        new Map([
          ["trades_1.csv", 4],
          ["2025/08/trades_1.csv", 0],
        ]),
      );
      expect(told[1]).toEqual(new Map([["trades_1.csv", 6]]));
      expect(good(looks[0]).identity).not.toBe(good(looks[1]).identity);
    });

    it("only files whose names a pattern includes are found, and neither databases nor the files beside them", async () => {
      const others = [
        ".trades_1.csv.a1B2c3",
        "trades_1.csv.filepart",
        "trades_1.csv.part",
        "~$trades_1.csv",
        "trades_1.csv~",
        "pnl_tracker.db",
        "pnl_tracker.db-wal",
        "pnl_tracker.db-shm",
        "pnl_tracker.db.pnlb",
        "notes.txt",
      ];
      for (const other of others) place.write(0, other, "x");
      expect(await changed()).toEqual([]);
      for (const path of others)
        expect(await place.finder.read({ root: 0, path, from: 0, length: 9 })).toMatchObject({
          kind: "refused",
        });
      place.rename(0, ".trades_1.csv.a1B2c3", "trades_1.csv");
      expect(names(await changed())).toEqual(["trades_1.csv"]);
    });

    it("a look reports the files that were appended to, rewritten, replaced, renamed or removed since the last look", async () => {
      for (const day of [1, 2, 3, 4, 5]) place.write(0, `trades_${day}.csv`, "a\n");
      await look();
      place.append(0, "trades_1.csv", "b\n");
      place.write(0, "trades_2.csv", "");
      place.write(0, "new", "a\nb\nc\n");
      place.rename(0, "new", "trades_3.csv");
      place.rename(0, "trades_4.csv", "trades_6.csv");
      place.remove(0, "trades_5.csv");
      const { gone } = good((await look("recent"))[0]);
      expect([...gone].sort()).toEqual(["trades_4.csv", "trades_5.csv"]);
      const sizes = { "trades_1.csv": 4, "trades_2.csv": 0, "trades_3.csv": 6, "trades_6.csv": 2 };
      expect(Object.fromEntries(told[0] ?? [])).toEqual(sizes);
      place.append(0, "trades_3.csv", "d\n");
      expect((await changed("recent")).find(({ path }) => path === "trades_3.csv")?.size).toBe(8);
    });

    it("a file is reported once more when its stat has been the same for two seconds, and not again", async () => {
      place.write(0, "trades_1.csv", "a\n");
      expect(names(await changed())).toEqual(["trades_1.csv"]);
      await place.pass(2_100);
      expect(names(await changed("recent"))).toEqual(["trades_1.csv"]);
      expect(names(await changed())).toEqual([]);
    });

    it("a read gives the bytes from an offset on, and fewer at the end of the file", async () => {
      place.write(0, "2025/trades_1.csv", "0123456789");
      await look();
      expect(await read("2025/trades_1.csv")).toBe("0123456789");
      expect(await read("2025/trades_1.csv", 4, 3)).toBe("456");
      expect(await read("2025/trades_1.csv", 8, 3)).toBe("89");
      expect(await read("2025/trades_1.csv", 10, 3)).toBe("");
      expect(await read("2025/trades_1.csv", 99, 3)).toBe("");
      expect(await read("trades_1.csv")).toBe("gone");
      const slice = await place.finder.read({ root: 0, path: "2025/trades_1.csv", from: 0, length: 1 });
      expect(slice).toMatchObject({ stat: { size: 10 } });
    });

    it("a lost root is an error and no file of it is reported as gone; after its return only differences are reported", async () => {
      place.write(0, "trades_1.csv", "a\n");
      place.write(0, "trades_2.csv", "a\n");
      place.write(1, "trades_1.csv", "a\n");
      const { identity } = good((await look())[0]);
      place.lose(0);
      for (const scope of ["recent", "all", "recent"] as const) {
        const looks = await look(scope);
        expect(looks[0]).toMatchObject({ ok: false, code: expect.stringMatching(/^E[A-Z]+$/) });
        good(looks[1]);
      }
      expect(await read("trades_1.csv")).toBe("locked");
      place.restore(0);
      place.append(0, "trades_2.csv", "b\n");
      const back = good((await look("recent"))[0]);
      expect(back).toMatchObject({ identity, gone: [] });
      expect(told[0]).toEqual(
        new Map([
          ["trades_1.csv", 2],
          ["trades_2.csv", 4],
        ]),
      );
      expect(await read("trades_2.csv")).toBe("a\nb\n");
    });

    it("another folder at the root's path has another identity, and no file of the former one is gone", async () => {
      place.write(0, "trades_1.csv", "a\n");
      const { identity } = good((await look())[0]);
      place.mount(0);
      expect(await read("trades_1.csv")).toBe("locked");
      const other = good((await look("recent"))[0]);
      expect(other).toMatchObject({ changed: [], gone: [] });
      expect(other.identity).not.toBe(identity);
      place.restore(0);
      const back = good((await look("recent"))[0]);
      expect(back).toMatchObject({ identity, gone: [], changed: [{ path: "trades_1.csv", size: 2 }] });
    });

    it("names in another Unicode form are other files", async () => {
      const forms = ["trades_\u00e9.csv", "trades_e\u0301.csv"];
      for (const form of forms) place.write(0, form, form);
      expect(names(await changed())).toEqual(forms.toSorted());
      for (const form of forms) expect(await read(form)).toBe(form);
    });

    it("whatever writers do between looks, the reports up to a look add up to the names and sizes on the disk", async () => {
      const paths = ["trades_1.csv", "trades_2.csv", "day/trades_1.csv", "day/of/trades_3.csv"];
      const path = fc.constantFrom(...paths);
      const step = fc.oneof(
        fc.record({
          do: fc.constantFrom("write", "append", "remove", "rename"),
          path,
          to: path,
          size: fc.nat(3),
        }),
        fc.record({ do: fc.constantFrom("recent", "all") }),
      );
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
          const there = new Map<string, number>();
          for (const given of [...paths]) {
            place.write(0, given, "");
            place.remove(0, given);
          }
          await look();
          for (const one of [...steps, { do: "recent" } as const]) {
            if (!("path" in one)) {
              await look(one.do === "all" ? "all" : "recent");
              expect(told[0]).toEqual(there);
              continue;
            }
            const size = there.get(one.path);
            if (one.do === "write" || (one.do === "append" && size !== undefined)) {
              place[one.do](0, one.path, "x".repeat(one.size));
              there.set(one.path, one.size + (one.do === "append" ? (size ?? 0) : 0));
            } else if (one.do === "remove" && there.delete(one.path)) place.remove(0, one.path);
            else if (one.do === "rename" && size !== undefined && one.to !== one.path) {
              place.rename(0, one.path, one.to);
              there.delete(one.path);
              there.set(one.to, size);
            }
          }
          for (const left of there.keys()) place.remove(0, left);
        }),
        { numRuns: 30 },
      );
    });

    it("a closed finder rejects with CLOSED", async () => {
      await look();
      await place.finder.close();
      await expect(place.finder.look("all")).rejects.toMatchObject({ code: "CLOSED" });
      await expect(
        place.finder.read({ root: 0, path: "trades_1.csv", from: 0, length: 1 }),
      ).rejects.toMatchObject({
        code: "CLOSED",
      });
    });
  });
}
