import { BoundedLines } from "./bounded-lines.ts";

/** A line of a text file; `cut` if it exceeds the limit and `text` is only its beginning. */
export interface TextLine {
  readonly text: string;
  readonly cut: boolean;
}

/**
 * Yields the lines of a byte stream, however it is divided into chunks. Keeps at most `lineBytesMax` bytes of
 * a line and skips the rest. Line ends are LF or CRLF; text after the last one is a line. Bytes that are not
 * UTF-8 become U+FFFD.
 */
export async function* textLines(
  chunks: AsyncIterable<Uint8Array>,
  lineBytesMax: number,
): AsyncGenerator<TextLine> {
  const ready: TextLine[] = [];
  let isFirst = true;
  const add = (bytes: Buffer, cut: boolean): void => {
    const text = bytes.toString("utf8");
    const marked = isFirst ? text.replace(/^\uFEFF/, "") : text;
    isFirst = false;
    ready.push({ text: cut ? marked : marked.replace(/\r$/, ""), cut });
  };
  const lines = new BoundedLines({
    bytesMax: lineBytesMax,
    pieceBytes: lineBytesMax,
    onLine: (line) => add(line, false),
    onTooLong: (head) => add(head, true),
    onTooLongEnd: () => {},
  });
  for await (const chunk of chunks) {
    lines.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    yield* ready.splice(0);
  }
  const rest = lines.rest();
  if (rest.length > 0) add(rest, false);
  yield* ready;
}
