/**
 * Puts the temporary files of the tests in memory if the system has a file system for that, because the tests
 * write thousands of small databases and would wait for the disk at each commit. The tests about lost power
 * do not depend on it: they simulate which writes a disk has kept.
 */
import { chmodSync, existsSync, mkdtempSync, rmSync, statfsSync } from "node:fs";

const memory = "/dev/shm";
const freeBytesMin = 4 * 2 ** 30;

/** Sets TMPDIR for all tests and the programs that they start. Returns a function that removes the folder. */
export default function memoryFolder(): (() => void) | undefined {
  if (!existsSync(memory)) return undefined;
  const { bavail, bsize } = statfsSync(memory);
  if (bavail * bsize < freeBytesMin) return undefined;
  const folder = mkdtempSync(`${memory}/pnl-bridge-`);
  // PostgreSQL, and some programs that tests start, run as another user.
  chmodSync(folder, 0o1777);
  process.env.TMPDIR = folder;
  return () => rmSync(folder, { recursive: true, force: true });
}
