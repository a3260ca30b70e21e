interface BoundedLinesOptions {
  /** A longer line is let go while it comes: never more than this, doubled while it grows, is held. */
  readonly bytesMax: number;
  /** How much of the beginning and of the end of such a line is kept. */
  readonly pieceBytes: number;
  /** A whole line, without its newline. Valid until the next push. */
  readonly onLine: (line: Buffer) => void;
  /** As soon as a line turns out to be too long. */
  readonly onTooLong: (head: Buffer) => void;
  /** Where a line that was too long ends. */
  readonly onTooLongEnd: (head: Buffer, tail: Buffer, bytes: number) => void;
}

/** Lines of a stream of bytes, in bounded memory whatever comes. Linear; a line within one chunk is not copied. */
export class BoundedLines {
  readonly #options: BoundedLinesOptions;
  /** The beginning of a line whose end has not come; one buffer, since a million tiny ones would weigh far more than they hold. */
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

  /** What came without a newline so far; forgets it. */
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
      const head = Buffer.concat([held.subarray(0, pieceBytes), piece.subarray(0, pieceBytes)]).subarray(0, pieceBytes);
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
  piece.length >= bytes ? Buffer.from(piece.subarray(-bytes)) : Buffer.concat([before, piece]).subarray(-bytes);
