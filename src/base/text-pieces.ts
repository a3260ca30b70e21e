const pieceChars = 1 << 16;

/**
 * Joins texts to pieces of at least 64 kB, the last one shorter, because few long texts are written, hashed and
 * packed faster than many short ones. Yields no empty piece.
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
