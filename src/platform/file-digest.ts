import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { mustNotBeDatabase } from "./open-files.ts";

/** Size and SHA-256 of what was read of a file, in the order of reading. */
export class FileDigest {
  readonly #path: string;
  readonly #stamp: string;
  readonly #hash = createHash("sha256");
  #bytes = 0;

  private constructor(path: string, stamp: string) {
    this.#path = path;
    this.#stamp = stamp;
  }

  /**
   * Starts a digest; call it before reading the file. Resolves to undefined for anything but a regular file.
   */
  static async begin(path: string): Promise<FileDigest | undefined> {
    const stamp = await stampOf(path);
    return stamp === undefined ? undefined : new FileDigest(path, stamp);
  }

  take(bytes: Uint8Array): void {
    this.#hash.update(bytes);
    this.#bytes += bytes.length;
  }

  /** Reads the file itself. Linear in bytes; holds one chunk in memory. Rejects if it cannot be read. */
  async takeFile(): Promise<void> {
    mustNotBeDatabase(this.#path);
    for await (const chunk of createReadStream(this.#path)) this.take(chunk);
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Hexadecimal. */
  get sha256(): string {
    return this.#hash.copy().digest("hex");
  }

  /** Resolves to true if the file has been written or replaced since `begin`. */
  async hasChanged(): Promise<boolean> {
    return (await stampOf(this.#path)) !== this.#stamp;
  }
}

/** A text that changes whenever the file is written or replaced; undefined if it is not a regular file. */
async function stampOf(path: string): Promise<string | undefined> {
  const stats = await stat(path, { bigint: true }).catch(() => undefined);
  return stats?.isFile()
    ? `${stats.dev} ${stats.ino} ${stats.size} ${stats.mtimeNs} ${stats.ctimeNs}`
    : undefined;
}
