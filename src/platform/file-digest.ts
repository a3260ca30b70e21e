import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";

export interface FileDigest {
  readonly bytes: number;
  /** Hexadecimal. */
  readonly sha256: string;
  /** Resolves to true if the file has been written or replaced since. */
  readonly hasChanged: () => Promise<boolean>;
}

/**
 * Returns the size and SHA-256 of a file, or undefined if the path is not a readable regular file. Linear in
 * bytes; holds one chunk in memory.
 */
export async function digestOf(path: string): Promise<FileDigest | undefined> {
  try {
    const before = await stampOf(path);
    if (before === undefined) return undefined;
    const hash = createHash("sha256");
    let bytes = 0;
    for await (const chunk of createReadStream(path)) {
      hash.update(chunk);
      bytes += chunk.length;
    }
    const hasChanged = async (): Promise<boolean> => (await stampOf(path).catch(() => undefined)) !== before;
    return { bytes, sha256: hash.digest("hex"), hasChanged };
  } catch {
    return undefined;
  }
}

/** A text that changes whenever the file is written or replaced; undefined if it is not a regular file. */
async function stampOf(path: string): Promise<string | undefined> {
  const stats = await stat(path, { bigint: true });
  return stats.isFile()
    ? `${stats.dev} ${stats.ino} ${stats.size} ${stats.mtimeNs} ${stats.ctimeNs}`
    : undefined;
}
