import { finished } from "node:stream/promises";
import { constants, crc32, createDeflateRaw } from "node:zlib";
import { inBytes } from "../../base/text-pieces.ts";

/** A packed text, with the facts that a zip file states about the text. */
export interface Packed {
  readonly bytes: readonly Buffer[];
  readonly crc: number;
  readonly unpackedBytes: number;
}

/** A part of a zip file. */
export interface WrittenPart {
  readonly name: string;
  readonly packed: Packed;
}

/**
 * Packs texts while they are read. With `isEnd: false`, further packed texts can follow in the same part.
 */
export async function pack(texts: Iterable<string>, { isEnd = true } = {}): Promise<Packed> {
  await using deflate = createDeflateRaw({
    chunkSize: 1 << 18,
    finishFlush: isEnd ? constants.Z_FINISH : constants.Z_SYNC_FLUSH,
  });
  const bytes: Buffer[] = [];
  deflate.on("data", (packed: Buffer) => bytes.push(packed));
  let [crc, unpackedBytes] = [0, 0];
  let packing: Promise<void> | undefined;
  for (const piece of inBytes(texts)) {
    crc = crc32(piece, crc);
    unpackedBytes += piece.length;
    await packing;
    // Another thread packs this piece, and meanwhile this thread makes the next one.
    packing = new Promise((resolve, reject) => {
      deflate.write(piece, (failure) => (failure ? reject(failure) : resolve()));
    });
  }
  await packing;
  deflate.end();
  await finished(deflate);
  return { bytes, crc, unpackedBytes };
}

/** Joins packed texts to one. All but the last were packed with `isEnd: false`. */
export const joined = (texts: readonly Packed[]): Packed => ({
  bytes: texts.flatMap(({ bytes }) => bytes),
  crc: texts.reduce((crc, next) => crcOfBoth(crc, next), 0),
  unpackedBytes: texts.reduce((sum, { unpackedBytes }) => sum + unpackedBytes, 0),
});

const zeros = Buffer.alloc(1 << 18);

/**
 * The checksum of a text and the text that follows it, without the bytes of either. Checksums are linear:
 * that of the first text changes as if zeros followed it, and the checksum of the second is added.
 */
function crcOfBoth(first: number, { crc, unpackedBytes }: Packed): number {
  let [after, none] = [first, 0];
  for (let left = unpackedBytes; left > 0; left -= zeros.length) {
    const some = zeros.subarray(0, left);
    after = crc32(some, after);
    none = crc32(some, none);
  }
  return (after ^ none ^ crc) >>> 0;
}

/** 1980-01-01 in the format of zip files, the earliest day that it can hold. */
const noDay = 0x21;
const version = 20;
const deflated = 8;

/** Returns the bytes of a zip file. Equal parts give equal bytes. Holds the packed parts twice. */
export function zipOf(parts: Iterable<WrittenPart>): Uint8Array {
  const written: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, packed } of parts) {
    const path = Buffer.from(name);
    // Both headers of a part have these fields.
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(version, 0);
    fields.writeUInt16LE(deflated, 4);
    fields.writeUInt16LE(noDay, 8);
    fields.writeUInt32LE(packed.crc, 10);
    fields.writeUInt32LE(lengthOf(packed.bytes), 14);
    fields.writeUInt32LE(packed.unpackedBytes, 18);
    fields.writeUInt16LE(path.length, 22);
    const place = Buffer.alloc(14);
    place.writeUInt32LE(offset, 10);
    directory.push(Buffer.from([0x50, 0x4b, 1, 2, version, 0]), fields, place, path);
    const local = [Buffer.from([0x50, 0x4b, 3, 4]), fields, path, ...packed.bytes];
    written.push(...local);
    offset += lengthOf(local);
  }
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", "latin1");
  const count = directory.length / 4;
  end.writeUInt16LE(count, 8);
  end.writeUInt16LE(count, 10);
  end.writeUInt32LE(lengthOf(directory), 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...written, ...directory, end]);
}

const lengthOf = (buffers: readonly Buffer[]): number =>
  buffers.reduce((bytes, { length }) => bytes + length, 0);
