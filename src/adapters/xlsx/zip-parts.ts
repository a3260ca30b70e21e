import { readFile, stat } from "node:fs/promises";
import { crc32, createInflateRaw } from "node:zlib";
import { BridgeError, codeOf, messageOf } from "../../base/errors.ts";
import { refusedWorkbook } from "./refused.ts";

/** The largest sizes in bytes: of a workbook file, of one unpacked part, and of all unpacked parts. */
const fileBytesMax = 512 * 2 ** 20;
const partBytesMax = 256 * 2 ** 20;
const unpackedBytesMax = 1_024 * 2 ** 20;
const partsMax = 10_000;

/** The parts of a zip file. Part names are compared without regard to case, as the format demands. */
export interface ZipParts {
  /** The names as the file has them, in its order. */
  readonly names: readonly string[];
  readonly has: (name: string) => boolean;
  /** Unpacks a part piece by piece, and checks its length and checksum. Throws BAD_WORKBOOK. */
  readonly text: (name: string) => AsyncGenerator<string>;
}

interface Entry {
  readonly name: string;
  readonly method: number;
  readonly crc: number;
  readonly packed: number;
  readonly unpacked: number;
  readonly offset: number;
}

/**
 * Reads the directory of a zip file. Throws UNREADABLE, and BAD_WORKBOOK for anything but a sound zip file.
 */
export async function openZip(path: string, content?: Uint8Array): Promise<ZipParts> {
  const bytes = content === undefined ? await workbookFile(path) : bufferOf(content);
  const entries = directoryOf(bytes, path);
  const entryOf = (name: string): Entry | undefined => entries.get(name.toLowerCase());
  return {
    names: [...entries.values()].map(({ name }) => name),
    has: (name) => entryOf(name) !== undefined,
    text: (name) => {
      const entry = entryOf(name);
      if (entry === undefined) throw refusedWorkbook(path, `the workbook lacks its part ${name}`);
      return unpackedText(bytes, entry, `${path}, part ${name}`);
    },
  };
}

/** The same bytes, without a copy. */
const bufferOf = ({ buffer, byteOffset, byteLength }: Uint8Array): Buffer =>
  Buffer.from(buffer, byteOffset, byteLength);

/** Reads the bytes of a workbook file. Throws UNREADABLE, and BAD_WORKBOOK for a file that is too large. */
export async function workbookFile(path: string): Promise<Buffer> {
  try {
    const stats = await stat(path);
    const { size } = stats;
    // A device or a pipe may have no end.
    if (!stats.isFile()) throw new Error("it is not a regular file");
    if (size > fileBytesMax)
      throw refusedWorkbook(
        path,
        `the file has ${size} bytes, more than ${fileBytesMax}`,
        "split the workbook",
      );
    return await readFile(path);
  } catch (cause) {
    if (cause instanceof BridgeError) throw cause;
    throw new BridgeError("UNREADABLE", {
      what: `the workbook cannot be read: ${codeOf(cause) || messageOf(cause)}`,
      where: path,
      fix: "check the path and its permissions",
      cause,
    });
  }
}

const oleSignature = 0xe011cfd0;
const localSignature = 0x04034b50;
const directorySignature = 0x02014b50;
const endSignature = 0x06054b50;
const endBytes = 22;

function directoryOf(bytes: Buffer, path: string): ReadonlyMap<string, Entry> {
  const broken = (what: string, fix?: string): BridgeError => refusedWorkbook(path, what, fix);
  if (bytes.length >= 4 && bytes.readUInt32LE(0) === oleSignature)
    throw broken("this is an .xls workbook or one with a password", "save it as .xlsx without a password");
  let end = bytes.length - endBytes;
  const endMin = Math.max(0, end - 0xffff);
  while (end >= endMin && bytes.readUInt32LE(end) !== endSignature) end -= 1;
  if (end < endMin || end < 0) throw broken("this is not a whole zip file, so it is no .xlsx workbook");
  const count = bytes.readUInt16LE(end + 10);
  if (count > partsMax) throw broken(`the workbook has ${count} parts, more than ${partsMax}`);
  const entries = new Map<string, Entry>();
  let unpacked = 0;
  let at = bytes.readUInt32LE(end + 16);
  for (let index = 0; index < count; index++) {
    if (at + 46 > end || bytes.readUInt32LE(at) !== directorySignature)
      throw broken("the directory of the zip file is broken");
    const nameEnd = at + 46 + bytes.readUInt16LE(at + 28);
    const name = bytes.toString("utf8", at + 46, nameEnd);
    if ((bytes.readUInt16LE(at + 8) & 1) !== 0) throw broken("the parts of the zip file are encrypted");
    const key = name.toLowerCase();
    if (entries.has(key)) throw broken(`the zip file has the part ${name} twice`);
    unpacked += bytes.readUInt32LE(at + 24);
    if (unpacked > unpackedBytesMax)
      throw broken(`the parts unpack to more than ${unpackedBytesMax} bytes`, "split the workbook");
    entries.set(key, {
      name,
      method: bytes.readUInt16LE(at + 10),
      crc: bytes.readUInt32LE(at + 16),
      packed: bytes.readUInt32LE(at + 20),
      unpacked: bytes.readUInt32LE(at + 24),
      offset: bytes.readUInt32LE(at + 42),
    });
    at = nameEnd + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32);
  }
  return entries;
}

async function* unpackedText(bytes: Buffer, entry: Entry, where: string): AsyncGenerator<string> {
  const { offset, packed, unpacked, method } = entry;
  const tooLarge = () =>
    refusedWorkbook(where, `the part unpacks to more than ${partBytesMax} bytes`, "split the workbook");
  if (unpacked > partBytesMax) throw tooLarge();
  if (offset + 30 > bytes.length || bytes.readUInt32LE(offset) !== localSignature)
    throw refusedWorkbook(where, "the zip file is broken here");
  const start = offset + 30 + bytes.readUInt16LE(offset + 26) + bytes.readUInt16LE(offset + 28);
  const data = bytes.subarray(start, start + packed);
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let length = 0;
  let sum = 0;
  try {
    for await (const piece of method === 0 ? [data] : inflated(data, method)) {
      length += piece.length;
      if (length > partBytesMax) throw tooLarge();
      sum = crc32(piece, sum);
      yield decoder.decode(piece, { stream: true });
    }
    yield decoder.decode();
  } catch (cause) {
    if (cause instanceof BridgeError) throw cause;
    throw refusedWorkbook(where, `the part cannot be unpacked: ${messageOf(cause)}`, undefined, cause);
  }
  if (length !== unpacked || sum !== entry.crc)
    throw refusedWorkbook(where, "the part is damaged: its length or checksum is not the stored one");
}

function inflated(data: Buffer, method: number): AsyncIterable<Buffer> {
  if (method !== 8) throw new Error(`the packing method ${method} is not known`);
  const inflate = createInflateRaw({ chunkSize: 2 ** 18 });
  inflate.end(data);
  return inflate;
}
