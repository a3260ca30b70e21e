/** Copies of files that other programs may change meanwhile. */
import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  fstatSync,
  openSync,
  readSync,
  writeFileSync,
} from "node:fs";

const [chunkBytes, onlyOwner] = [1 << 20, 0o600];

/**
 * Copies a file up to the size that it has at the beginning, or to its end if that comes first. Makes a
 * clone, which takes no time and no space, where the file system can. Only the owner may read the copy.
 * Throws the errors of the system. Node's `copyFileSync` never returns if the file is cut short while it
 * copies.
 */
export function copyFile(from: string, to: string): void {
  if (isCloned(from, to)) {
    chmodSync(to, onlyOwner);
    return;
  }
  const source = openSync(from, "r");
  try {
    const target = openSync(to, "w", onlyOwner);
    try {
      copyBytes(source, target);
    } finally {
      closeSync(target);
    }
  } finally {
    closeSync(source);
  }
}

function isCloned(from: string, to: string): boolean {
  try {
    copyFileSync(from, to, constants.COPYFILE_FICLONE_FORCE);
    return true;
  } catch {
    return false;
  }
}

function copyBytes(source: number, target: number): void {
  const chunk = Buffer.allocUnsafe(chunkBytes);
  for (let left = fstatSync(source).size; left > 0; ) {
    const count = readSync(source, chunk, 0, Math.min(chunkBytes, left), null);
    if (count === 0) return;
    writeFileSync(target, chunk.subarray(0, count));
    left -= count;
  }
}
