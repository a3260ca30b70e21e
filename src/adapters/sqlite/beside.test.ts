import { describe, expect, it } from "vitest";
import type { StoredRow } from "../../ports/record-store.ts";
import { changeAgain, type RowIntent, rowsNow, verdictOn } from "./beside.ts";

const [old, written, foreign, none] = [{ q: 1 }, { q: 2 }, { q: 3 }, null];
type Row = StoredRow | null;

const change = (name: string, set: Row = written) => ({
  table: "positions",
  key: { name },
  set,
  initial: {},
});

describe("a transaction that one of two files may lack", () => {
  it.each<[string, string, boolean, readonly (readonly [before: Row, after: Row, now: Row])[]]>([
    ["an update is there", "record", false, [[old, written, written]]],
    ["an insert is there", "record", false, [[none, written, written]]],
    ["a deletion is there", "record", false, [[old, none, none]]],
    ["an update is not there", "settled", false, [[old, written, old]]],
    ["an insert is not there", "settled", false, [[none, written, none]]],
    ["somebody else has changed the row", "undecided", false, [[old, written, foreign]]],
    ["somebody else has deleted the row", "undecided", false, [[old, written, none]]],
    [
      "one row is there, one is changed",
      "record",
      false,
      [
        [old, written, written],
        [old, written, foreign],
      ],
    ],
    [
      "one row is not there, one is changed",
      "settled",
      false,
      [
        [old, written, old],
        [old, written, foreign],
      ],
    ],
    [
      "one row is there, one was deleted since",
      "record",
      false,
      [
        [none, written, written],
        [none, written, none],
      ],
    ],
    [
      "one row is there, one is as before",
      "undecided",
      false,
      [
        [old, written, written],
        [old, written, old],
      ],
    ],
    ["both are there", "settled", true, [[old, written, written]]],
    ["an update is lacking", "apply", true, [[old, written, old]]],
    ["an insert is lacking", "apply", true, [[none, written, none]]],
    ["a deletion is lacking", "apply", true, [[old, none, old]]],
    ["somebody else's row is kept", "settled", true, [[old, written, foreign]]],
    [
      "a row is lacking, another is somebody else's",
      "apply",
      true,
      [
        [old, written, old],
        [old, written, foreign],
      ],
    ],
    [
      "a row was deleted since",
      "settled",
      true,
      [
        [old, written, written],
        [none, written, none],
      ],
    ],
  ])("if %s, it is: %s (recorded: %s)", (_, kind, isRecorded, cells) => {
    const rows = cells.map(
      ([before, after], at): RowIntent => ({
        change: change(String(at)),
        keys: ["k"],
        columns: ["q"],
        before,
        after,
      }),
    );
    const now = new Map(cells.map(([, , row], at) => [String(at), row ?? undefined]));
    const verdict = verdictOn({ rows }, isRecorded, ({ key }) => now.get(String(key.name)));
    expect(verdict.kind).toBe(kind);
    if (verdict.kind === "apply") expect(verdict.rows).toEqual(rows.slice(0, 1));
  });

  it("a row that is deleted and written again is one row, of which every column is seen", () => {
    const row = { name: "a", q: 1, id: 7 };
    const subjects = [change("a", null), change("a"), change("b")].map((one) => ({ key: "k", change: one }));
    const [a, b] = rowsNow(subjects, ({ key }) => (key.name === "a" ? row : undefined));
    expect(a).toMatchObject({ columns: null, before: row, keys: ["k", "k"] });
    expect(b).toMatchObject({ columns: ["q"], before: null });
    expect(a && changeAgain({ ...a, after: { ...row, q: 2, id: 8 } })).toEqual(change("a"));
    expect(a && changeAgain({ ...a, after: null })).toEqual(change("a", null));
  });
});
