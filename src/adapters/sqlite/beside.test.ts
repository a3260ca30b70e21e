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
    ["legacy has the update", "record", false, [[old, written, written]]],
    ["legacy has the insert", "record", false, [[none, written, written]]],
    ["legacy has the deletion", "record", false, [[old, none, none]]],
    ["legacy lacks the update", "settled", false, [[old, written, old]]],
    ["legacy lacks the insert", "settled", false, [[none, written, none]]],
    ["somebody else has changed the row", "undecided", false, [[old, written, foreign]]],
    ["somebody else has deleted the row", "undecided", false, [[old, written, none]]],
    [
      "legacy has one row, and somebody else has changed the other",
      "record",
      false,
      [
        [old, written, written],
        [old, written, foreign],
      ],
    ],
    [
      "legacy lacks one row, and somebody else has changed the other",
      "settled",
      false,
      [
        [old, written, old],
        [old, written, foreign],
      ],
    ],
    [
      "legacy has one row, and the other was deleted since",
      "record",
      false,
      [
        [none, written, written],
        [none, written, none],
      ],
    ],
    [
      "legacy has one row, and the other is as before",
      "undecided",
      false,
      [
        [old, written, written],
        [old, written, old],
      ],
    ],
    ["both files have the update", "settled", true, [[old, written, written]]],
    ["legacy lacks the update", "apply", true, [[old, written, old]]],
    ["legacy lacks the insert", "apply", true, [[none, written, none]]],
    ["legacy lacks the deletion", "apply", true, [[old, none, old]]],
    ["somebody else has changed the row", "settled", true, [[old, written, foreign]]],
    [
      "legacy lacks one row, and somebody else has changed the other",
      "apply",
      true,
      [
        [old, written, old],
        [old, written, foreign],
      ],
    ],
    [
      "legacy has one row, and the other was deleted since",
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
