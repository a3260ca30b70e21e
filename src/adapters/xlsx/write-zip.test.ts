import { text } from "node:stream/consumers";
import { expect, it } from "vitest";
import { joined, pack, zipOf } from "./write-zip.ts";
import { openZip } from "./zip-parts.ts";

it.each([
  ["of nothing", [[], [], []]],
  ["with an empty one between two others", [["a"], [], ["b"]]],
  [
    "of many pieces each, and of characters that UTF-8 writes as several bytes",
    [
      Array(9_000).fill("0123456789é€😀\n".repeat(4)),
      ["x".repeat(300_000), "y"],
      Array(70_000).fill("z\ud800"),
    ],
  ],
])("a part that joins packed texts %s has their bytes and their checksum", async (_, texts) => {
  const stretches = await Promise.all(texts.map((one, at) => pack(one, { isEnd: at === texts.length - 1 })));
  const zip = await openZip("a.zip", zipOf([{ name: "part", packed: joined(stretches) }]));
  expect(await text(zip.text("part"))).toBe(texts.flat().join("").toWellFormed());
});
