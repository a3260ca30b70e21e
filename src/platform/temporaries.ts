/**
 * Temporary files and folders that do not outlive the program. Each name identifies the owning process, so
 * that the next run can remove the leftovers of a killed one. A process removes its own when it exits or is
 * ended by a signal.
 */
import { createHash, randomUUID } from "node:crypto";
import { readlinkSync, rmSync } from "node:fs";
import { readdir, rm, stat } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { codeOf } from "../base/errors.ts";

const endSignals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
/**
 * Nobody can check a process of another machine or container; its files count as leftovers after this time
 * without a write.
 */
const foreignAgeMaxMs = 86_400_000;

const held = new Set<string>();

/**
 * A name for a temporary file or folder. It does not contain the target's name, which may have the maximum
 * length.
 */
export const temporaryName = (): string => `.pnl-bridge-${owner()}-${process.pid}-${randomUUID()}.tmp`;

/**
 * Registers a temporary file or folder for removal when this process exits or is ended by SIGINT, SIGTERM or
 * SIGHUP. Dispose of the result after removing or renaming the path. A program with its own handler for a
 * signal decides itself whether it ends.
 */
export function holdTemporary(path: string): Disposable {
  if (held.size === 0) listen("on");
  held.add(path);
  return {
    [Symbol.dispose]: () => {
      if (held.delete(path) && held.size === 0) listen("off");
    },
  };
}

/** Removes the leftovers of killed runs from a folder. Never fails: files that cannot be removed stay. */
export async function removeLeftovers(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names) {
    const [isOurs, by, pid] = /^\.pnl-bridge-(?:([0-9a-f]{8})-(\d+)-)?[0-9a-f-]{36}\.tmp$/.exec(name) ?? [];
    if (isOurs === undefined) continue;
    const path = join(folder, name);
    const isLeft = by === owner() ? !isAlive(Number(pid)) : await isOld(path);
    if (isLeft) await rm(path, { recursive: true, force: true }).catch(() => {});
  }
}

function listen(how: "on" | "off"): void {
  process[how]("exit", removeHeld);
  for (const signal of endSignals) process[how](signal, endBy);
}

function removeHeld(): void {
  for (const path of held) {
    try {
      rmSync(path, { recursive: true, force: true });
    } catch {
      // The next run tries again.
    }
  }
  held.clear();
}

function endBy(signal: NodeJS.Signals): void {
  if (process.listenerCount(signal) > 1) return;
  removeHeld();
  listen("off");
  process.kill(process.pid, signal);
}

let knownOwner: string | undefined;

/** Identifies the processes with comparable ids: those of this machine and container. */
function owner(): string {
  knownOwner ??= createHash("sha256").update(`${hostname()} ${pidNamespace()}`).digest("hex").slice(0, 8);
  return knownOwner;
}

function pidNamespace(): string {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return "";
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    // EPERM: the process belongs to another user.
    return codeOf(cause) !== "ESRCH";
  }
}

async function isOld(path: string): Promise<boolean> {
  const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }));
  return Date.now() - mtimeMs > foreignAgeMaxMs;
}
