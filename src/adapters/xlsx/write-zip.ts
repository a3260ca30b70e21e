import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { crc32, createDeflateRaw } from "node:zlib";

/** A part of a zip file that is to be written. Its text is packed piece by piece. */
export interface WrittenPart {
  readonly name: string;
  readonly pieces: Iterable<string> | AsyncIterable<string>;
}

/** 1980-01-01 in the format of zip files, the earliest day that it can hold. */
const noDay = 0x21;
const version = 20;
const deflated = 8;

/** Returns the bytes of a zip file. Equal parts give equal bytes. Holds the packed parts twice at the end. */
export async function zipOf(parts: Iterable<WrittenPart>): Promise<Uint8Array> {
  const written: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, pieces } of parts) {
    const { packed, crc, unpackedBytes } = await packedPart(pieces);
    const path = Buffer.from(name);
    // Both headers of a part have these fields.
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(version, 0);
    fields.writeUInt16LE(deflated, 4);
    fields.writeUInt16LE(noDay, 8);
    fields.writeUInt32LE(crc, 10);
    fields.writeUInt32LE(packed.length, 14);
    fields.writeUInt32LE(unpackedBytes, 18);
    fields.writeUInt16LE(path.length, 22);
    const place = Buffer.alloc(14);
    place.writeUInt32LE(offset, 10);
    directory.push(Buffer.from([0x50, 0x4b, 1, 2, version, 0]), fields, place, path);
    const local = [Buffer.from([0x50, 0x4b, 3, 4]), fields, path, packed];
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

async function packedPart(pieces: WrittenPart["pieces"]) {
  let crc = 0;
  let unpackedBytes = 0;
  async function* counted() {
    for await (const piece of pieces) {
      const bytes = Buffer.from(piece);
      crc = crc32(bytes, crc);
      unpackedBytes += bytes.length;
      yield bytes;
    }
  }
  const packed = await pipeline(counted, createDeflateRaw(), buffer);
  return { packed, crc, unpackedBytes };
}

const lengthOf = (buffers: readonly Buffer[]): number =>
  buffers.reduce((bytes, { length }) => bytes + length, 0);
