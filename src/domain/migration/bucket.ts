/** The number of buckets: a percentage has three decimals. */
export const bucketCount = 100_000;

/** The only bucket algorithm so far. A plan names its algorithm; an unknown one is never used. */
export const bucketAlgorithm = "v1";

/**
 * The bucket of a unit, 0 to 99 999: MurmurHash3 (x86, 32 bit, seed 0) over the UTF-8 bytes of
 * `v1|flag|salt|unit`, scaled. It is the same on every machine and in every release. A unit (a book or a
 * user) that is included at 10 % is also included at 20 %. Another flag or salt puts the units in an
 * independent order. docs/rollout.md has the test vectors.
 */
export const bucketOf = (flag: string, salt: string, unit: string): number =>
  Math.floor((murmur3(`${bucketAlgorithm}|${flag}|${salt}|${unit}`) * bucketCount) / 4_294_967_296);

/** Whether a bucket is within a percentage (0 to 100; more than three decimals are rounded). */
export const isWithin = (bucket: number, percentage: number): boolean =>
  bucket < Math.round(percentage * (bucketCount / 100));

/** MurmurHash3_x86_32 of a text's UTF-8 bytes with seed 0 (Austin Appleby, public domain). 0 to 2^32 - 1. */
export function murmur3(text: string): number {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > 127) return ofBytes(utf8.encode(text));
  return ofAscii(text);
}

const utf8 = new TextEncoder();
const [c1, c2] = [0xcc9e2d51, 0x1b873593];

/** The hash of a text with one byte per character. Allocates nothing, because every routed call needs it. */
function ofAscii(text: string): number {
  const blocks = text.length & ~3;
  let hash = 0;
  for (let at = 0; at < blocks; at += 4)
    hash = mixed(
      hash,
      text.charCodeAt(at) |
        (text.charCodeAt(at + 1) << 8) |
        (text.charCodeAt(at + 2) << 16) |
        (text.charCodeAt(at + 3) << 24),
    );
  let tail = 0;
  for (let at = text.length - 1; at >= blocks; at--) tail = (tail << 8) | text.charCodeAt(at);
  return finished(hash, tail, text.length);
}

function ofBytes(bytes: Uint8Array): number {
  const blocks = bytes.length & ~3;
  const byte = (at: number): number => bytes[at] as number;
  let hash = 0;
  for (let at = 0; at < blocks; at += 4)
    hash = mixed(hash, byte(at) | (byte(at + 1) << 8) | (byte(at + 2) << 16) | (byte(at + 3) << 24));
  let tail = 0;
  for (let at = bytes.length - 1; at >= blocks; at--) tail = (tail << 8) | byte(at);
  return finished(hash, tail, bytes.length);
}

function mixed(hash: number, block: number): number {
  const mixedIn = hash ^ scrambled(block);
  return (Math.imul((mixedIn << 13) | (mixedIn >>> 19), 5) + 0xe6546b64) | 0;
}

function scrambled(block: number): number {
  const times = Math.imul(block, c1);
  return Math.imul((times << 15) | (times >>> 17), c2);
}

function finished(hash: number, tail: number, length: number): number {
  let end = hash ^ scrambled(tail) ^ length;
  end = Math.imul(end ^ (end >>> 16), 0x85ebca6b);
  end = Math.imul(end ^ (end >>> 13), 0xc2b2ae35);
  return (end ^ (end >>> 16)) >>> 0;
}
