/** A line of a text file, or as much of it as may be kept of one that is too long. */
export interface TextLine {
  readonly text: string;
  readonly cut: boolean;
}

/**
 * The lines of a byte stream, however it is cut into chunks: at most `lineBytesMax` bytes of one are held, the rest of a longer
 * line is passed over. Line ends are LF or CRLF; what stands behind the last one is a line if it is anything. Bytes that are no
 * UTF-8 become U+FFFD.
 */
export async function* textLines(chunks: AsyncIterable<Uint8Array>, lineBytesMax: number): AsyncGenerator<TextLine> {
  let held = Buffer.alloc(0);
  let skipping = false;
  let first = true;
  const lineOf = (bytes: Buffer, cut: boolean): TextLine => {
    const text = bytes.toString("utf8");
    const marked = first ? text.replace(/^\uFEFF/, "") : text;
    first = false;
    return { text: cut ? marked : marked.replace(/\r$/, ""), cut };
  };
  for await (const chunk of chunks) {
    let from = 0;
    while (from < chunk.length) {
      const end = chunk.indexOf(newline, from);
      const until = end < 0 ? chunk.length : end;
      if (!skipping) {
        const room = lineBytesMax - held.length;
        const part = chunk.subarray(from, Math.min(until, from + room));
        held = held.length === 0 ? Buffer.from(part) : Buffer.concat([held, part]);
        if (until - from > room) {
          yield lineOf(held, true);
          held = Buffer.alloc(0);
          skipping = true;
        }
      }
      if (end >= 0) {
        if (!skipping) yield lineOf(held, false);
        held = Buffer.alloc(0);
        skipping = false;
      }
      from = until + 1;
    }
  }
  if (!skipping && held.length > 0) yield lineOf(held, false);
}

const newline = 10;
