const pieceChars = 1 << 16;

/**
 * Joins texts to pieces of at least 64 kB, the last one shorter, because few long texts are written, hashed
 * and packed faster than many short ones. Yields no empty piece.
 */
export function* inPieces(texts: Iterable<string>): Generator<string> {
  let piece = "";
  for (const text of texts) {
    piece += text;
    if (piece.length < pieceChars) continue;
    yield piece;
    piece = "";
  }
  if (piece !== "") yield piece;
}

const pieceBytes = 1 << 18;
/** The most bytes of UTF-8 for one UTF-16 unit. */
const unitBytesMax = 3;

/**
 * Encodes texts as UTF-8 and joins them to pieces of about 256 kB, the last one shorter. Each text is copied
 * at once, so a text that was joined from many short ones lives briefly. The pieces take turns in two
 * buffers: a piece is valid until the next but one is asked for. Yields no empty piece.
 */
export function* inBytes(texts: Iterable<string>): Generator<Buffer> {
  let [piece, other] = [Buffer.alloc(0), Buffer.alloc(0)];
  let end = 0;
  for (const text of texts) {
    const room = text.length * unitBytesMax;
    if (end + room > piece.length) {
      if (end > 0) yield piece.subarray(0, end);
      [piece, other] = [other.length < room ? Buffer.alloc(Math.max(pieceBytes, room)) : other, piece];
      end = 0;
    }
    end += piece.write(text, end);
  }
  if (end > 0) yield piece.subarray(0, end);
}
