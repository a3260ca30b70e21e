import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type TextLine, textLines } from "./text-lines.ts";

const linesOf = async (chunks: Iterable<Uint8Array>, lineBytesMax: number): Promise<TextLine[]> => {
  const stream = (async function* () {
    yield* chunks;
  })();
  const lines: TextLine[] = [];
  for await (const line of textLines(stream, lineBytesMax)) lines.push(line);
  return lines;
};

const whole = (text: string): TextLine => ({ text, cut: false });
const cut = (text: string): TextLine => ({ text, cut: true });

/** The expected lines, computed from all bytes at once. */
function expected(bytes: Uint8Array, lineBytesMax: number): TextLine[] {
  const lines: number[][] = [[]];
  for (const byte of bytes) {
    if (byte === 10) lines.push([]);
    else lines.at(-1)?.push(byte);
  }
  if (lines.at(-1)?.length === 0) lines.pop();
  return lines.map((line, index) => {
    const isCut = line.length > lineBytesMax;
    const decoded = new TextDecoder("utf-8", { ignoreBOM: true }).decode(
      Uint8Array.from(line.slice(0, lineBytesMax)),
    );
    const text = index === 0 && decoded.startsWith("\ufeff") ? decoded.slice(1) : decoded;
    return { text: !isCut && text.endsWith("\r") ? text.slice(0, -1) : text, cut: isCut };
  });
}

/** The bytes in chunks of these lengths; the last chunk has the rest. */
function chunked(bytes: Uint8Array, lengths: readonly number[]): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  let from = 0;
  for (const length of lengths) {
    chunks.push(bytes.subarray(from, from + length));
    from += length;
  }
  return [...chunks, bytes.subarray(Math.min(from, bytes.length))];
}

describe("textLines", () => {
  it.each<[string, string, readonly TextLine[]]>([
    ["nothing", "", []],
    ["LF", "a\nb\n", [whole("a"), whole("b")]],
    ["CRLF", "a\r\nb\r\n", [whole("a"), whole("b")]],
    ["no final line end", "a\nb", [whole("a"), whole("b")]],
    [
      "empty lines that end in LF or CRLF",
      "\n\r\n\na\n\n",
      [whole(""), whole(""), whole(""), whole("a"), whole("")],
    ],
    ["a CR that is no line end", "a\rb\n\r\r\n", [whole("a\rb"), whole("\r")]],
    [
      "a byte order mark, in front of the first line only",
      "\ufeffa\n\ufeffb\n",
      [whole("a"), whole("\ufeffb")],
    ],
    ["a line as long as allowed", "12345678\n", [whole("12345678")]],
    ["a line beyond the limit, and the next line", "123456789\nb\n", [cut("12345678"), whole("b")]],
    ["a line beyond the limit at the end", "a\n123456789", [whole("a"), cut("12345678")]],
    [
      "several lines beyond the limit",
      `${"x".repeat(50)}\n${"y".repeat(9)}\n`,
      [cut("xxxxxxxx"), cut("yyyyyyyy")],
    ],
    ["spaces and tabs are kept", " a \t\n", [whole(" a \t")]],
  ])("splits a text into its lines: %s", async (_, text, lines) => {
    const bytes = Buffer.from(text);
    expect(await linesOf([bytes], 8)).toEqual(lines);
    expect(
      await linesOf(
        [...bytes].map((byte) => Uint8Array.of(byte)),
        8,
      ),
    ).toEqual(lines);
  });

  it("turns bytes that are not UTF-8 into U+FFFD, also those of a divided character", async () => {
    expect(await linesOf([Uint8Array.of(0xff, 0x41, 10, 0xc3)], 8)).toEqual([
      whole("\ufffdA"),
      whole("\ufffd"),
    ]);
    expect(await linesOf([Buffer.from("1234567é\n")], 8)).toEqual([cut("1234567\ufffd")]);
  });

  it("yields the same lines for any division into chunks", async () => {
    const piece = fc.oneof(
      fc
        .constantFrom("\n", "\r\n", "\r", "\ufeff", "é", "😀", "TYU5 Comdty", "")
        .map((text) => Buffer.from(text)),
      fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes)),
    );
    const bytesOf = fc.array(piece, { maxLength: 20 }).map((pieces) => Buffer.concat(pieces));
    await fc.assert(
      fc.asyncProperty(
        bytesOf,
        fc.array(fc.nat(9)),
        fc.integer({ min: 1, max: 20 }),
        async (bytes, lengths, lineBytesMax) => {
          expect(await linesOf(chunked(bytes, lengths), lineBytesMax)).toEqual(expected(bytes, lineBytesMax));
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it("skips the rest of a line of megabytes, even if its chunks are reused meanwhile", async () => {
    const chunk = Buffer.alloc(1 << 16);
    const chunks = (function* () {
      for (let times = 0; times < 160; times++) yield chunk.fill("x");
      yield chunk.fill("y").fill("\nnext\n", 0, 6);
      yield chunk.fill("z");
    })();
    expect(await linesOf(chunks, 10)).toEqual([cut("xxxxxxxxxx"), whole("next"), cut("yyyyyyyyyy")]);
  });

  it("yields each line as soon as it is complete, reads no more than needed, and closes the source", async () => {
    const asked: number[] = [];
    let closed = false;
    const source = (async function* () {
      try {
        for (let chunk = 0; ; chunk++) {
          asked.push(chunk);
          yield Buffer.from(`line ${chunk}\nand half`);
        }
      } finally {
        closed = true;
      }
    })();
    const lines: string[] = [];
    for await (const { text } of textLines(source, 100)) {
      lines.push(text);
      expect(asked).toHaveLength(lines.length);
      if (lines.length === 3) break;
    }
    expect(lines).toEqual(["line 0", "and halfline 1", "and halfline 2"]);
    expect(closed).toBe(true);
  });
});
