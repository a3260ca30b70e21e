interface BoundedLinesOptions {
  /** The longest line that is kept. Memory use stays below twice this number. */
  readonly bytesMax: number;
  /** Number of bytes kept of the beginning and of the end of a longer line. */
  readonly pieceBytes: number;
  /** Receives a whole line without its newline. The buffer is valid until the next push. */
  readonly onLine: (line: Buffer) => void;
  /** Called as soon as a line exceeds the limit. */
  readonly onTooLong: (head: Buffer) => void;
  /** Called at the end of a line that exceeds the limit. */
  readonly onTooLongEnd: (head: Buffer, tail: Buffer, bytes: number) => void;
}

/** Splits a byte stream into lines in bounded memory. Linear; a line within one chunk is not copied. */
export class BoundedLines {
  readonly #options: BoundedLinesOptions;
  /**
   * The beginning of an incomplete line, in one buffer: a million tiny buffers would need far more memory
   * than their content.
   */
  #held: Buffer = empty;
  #heldBytes = 0;
  #tooLong: { readonly head: Buffer; tail: Buffer; bytes: number } | undefined;

  constructor(options: BoundedLinesOptions) {
    this.#options = options;
  }

  push(chunk: Buffer): void {
    let from = 0;
    for (;;) {
      const newline = chunk.indexOf(0x0a, from);
      if (newline < 0) break;
      this.#end(chunk.subarray(from, newline));
      from = newline + 1;
    }
    if (from < chunk.length) this.#hold(chunk.subarray(from));
  }

  /** Returns and clears the incomplete last line. */
  rest(): Buffer {
    const rest = this.#held.subarray(0, this.#heldBytes);
    this.#held = empty;
    this.#heldBytes = 0;
    this.#tooLong = undefined;
    return rest;
  }

  #end(piece: Buffer): void {
    if (this.#tooLong === undefined && this.#heldBytes === 0 && piece.length <= this.#options.bytesMax) {
      this.#options.onLine(piece);
      return;
    }
    this.#hold(piece);
    if (this.#tooLong !== undefined) {
      const { head, tail, bytes } = this.#tooLong;
      this.#tooLong = undefined;
      this.#options.onTooLongEnd(head, tail, bytes);
    } else this.#options.onLine(this.rest());
  }

  #hold(piece: Buffer): void {
    const { bytesMax, pieceBytes } = this.#options;
    if (this.#tooLong !== undefined) {
      this.#tooLong.bytes += piece.length;
      this.#tooLong.tail = lastOf(this.#tooLong.tail, piece, pieceBytes);
      return;
    }
    const bytes = this.#heldBytes + piece.length;
    if (bytes > bytesMax) {
      const held = this.rest();
      const head = Buffer.concat([held.subarray(0, pieceBytes), piece.subarray(0, pieceBytes)]).subarray(
        0,
        pieceBytes,
      );
      this.#tooLong = { head, tail: lastOf(held, piece, pieceBytes), bytes };
      this.#options.onTooLong(head);
      return;
    }
    if (bytes > this.#held.length) {
      const larger = Buffer.allocUnsafe(Math.max(bytes, 2 * this.#held.length));
      this.#held.copy(larger, 0, 0, this.#heldBytes);
      this.#held = larger;
    }
    piece.copy(this.#held, this.#heldBytes);
    this.#heldBytes = bytes;
  }
}

const empty = Buffer.alloc(0);

const lastOf = (before: Buffer, piece: Buffer, bytes: number): Buffer =>
  piece.length >= bytes
    ? Buffer.from(piece.subarray(-bytes))
    : Buffer.concat([before, piece]).subarray(-bytes);
