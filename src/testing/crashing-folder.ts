/**
 * The writes into one folder through `node:fs/promises`, and every state in which a power cut may leave that
 * folder: each write that was not synced is lost, kept, cut short or replaced by zeros, and each change of a
 * name that was not synced is lost or kept, in any order.
 */
import type fs from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";

/** Files by their names. */
export type Folder = ReadonlyMap<string, Buffer>;

type Step =
  | { readonly kind: "write" | "empty"; readonly file: number; readonly bytes: Buffer }
  | { readonly kind: "sync"; readonly file: number }
  /** `file` gets the name `to`, and loses the name `from`; `file` is undefined for a removal. */
  | { readonly kind: "name"; readonly file: number | undefined; readonly from?: string; readonly to?: string }
  | { readonly kind: "syncFolder" };

export class CrashingFolder {
  readonly #path: string;
  readonly #before: Folder;
  readonly #steps: Step[] = [];
  readonly #files = new Map<string, number>();

  /** `before` is the synced content of the folder. */
  constructor(path: string, before: Folder) {
    this.#path = path;
    this.#before = before;
    for (const name of before.keys()) this.#files.set(name, this.#files.size);
  }

  /** The number of steps so far. A power cut may come after each of them. */
  get steps(): number {
    return this.#steps.length;
  }

  /** Returns functions that change a folder like those of `real`, and also record each step. */
  functions(real: typeof fs): Pick<typeof fs, "open" | "rename" | "rm"> {
    const isHere = (path: unknown): boolean => dirname(resolve(String(path))) === this.#path;
    const rename: typeof fs.rename = async (from, to) => {
      await real.rename(from, to);
      if (!isHere(from)) return;
      const [source, target] = [basename(String(from)), basename(String(to))];
      this.#name(this.#files.get(source), source, target);
    };
    const rm: typeof fs.rm = async (path, options) => {
      await real.rm(path, options);
      const name = basename(String(path));
      if (isHere(path) && this.#files.has(name)) this.#name(undefined, name);
    };
    const open: typeof fs.open = async (path, flags, mode) => {
      const handle = await real.open(path, flags, mode);
      if (resolve(String(path)) === this.#path)
        return noting(handle, { sync: () => void this.#steps.push({ kind: "syncFolder" }) });
      return isHere(path) && flags !== undefined && flags !== "r"
        ? this.#noted(handle, basename(String(path)))
        : handle;
    };
    return { open, rename, rm };
  }

  #noted(handle: FileHandle, name: string): FileHandle {
    const known = this.#files.get(name);
    const file = known ?? this.#before.size + this.#steps.length;
    if (known === undefined) this.#name(file, undefined, name);
    else this.#steps.push({ kind: "empty", file, bytes: Buffer.alloc(0) });
    const write = (bytes: unknown) =>
      void this.#steps.push({ kind: "write", file, bytes: Buffer.from(bytes as string) });
    return noting(handle, {
      appendFile: write,
      writeFile: write,
      sync: () => void this.#steps.push({ kind: "sync", file }),
    });
  }

  #name(file: number | undefined, from?: string, to?: string): void {
    if (from !== undefined) this.#files.delete(from);
    if (to !== undefined && file !== undefined) this.#files.set(to, file);
    this.#steps.push({ kind: "name", file, ...(from && { from }), ...(to && { to }) });
  }

  /** Every state in which a power cut after the first `count` steps may leave the folder. */
  *after(count: number): Generator<Folder> {
    const steps = this.#steps.slice(0, count);
    const names: Step[] = [];
    /** The steps of each file, and how many of them are synced. */
    const contents = new Map<number, { readonly steps: Step[]; synced: number }>();
    let synced = 0;
    for (const step of steps) {
      if (step.kind === "name") names.push(step);
      else if (step.kind === "syncFolder") synced = names.length;
      else {
        const of = contents.get(step.file) ?? { steps: [], synced: 0 };
        contents.set(step.file, of);
        if (step.kind === "sync") of.synced = of.steps.length;
        else of.steps.push(step);
      }
    }
    const initial = [...this.#before.values()];
    for (const kept of subsets(names, synced)) {
      const folder = new Map([...this.#before.keys()].map((name, file) => [name, file]));
      for (const step of kept) {
        if (step.kind !== "name") continue;
        if (step.from !== undefined) folder.delete(step.from);
        if (step.to !== undefined && step.file !== undefined) folder.set(step.to, step.file);
      }
      let states: Map<string, Buffer>[] = [new Map()];
      for (const [name, file] of folder) {
        const { steps: writes, synced: isSynced } = contents.get(file) ?? { steps: [], synced: 0 };
        const possible = contentsAfter(initial[file] ?? Buffer.alloc(0), writes, isSynced);
        states = states.flatMap((state) => possible.map((bytes) => new Map([...state, [name, bytes]])));
      }
      yield* states;
    }
  }
}

/** Returns a handle that calls the function of `notes`, if there is one, after each function of its own. */
function noting(
  handle: FileHandle,
  notes: Partial<Record<keyof FileHandle, (given: unknown) => void>>,
): FileHandle {
  return new Proxy(handle, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      const note = notes[name as keyof FileHandle];
      return async (...given: unknown[]) => {
        const answer: unknown = await Reflect.apply(value, target, given);
        note?.(given[0]);
        return answer;
      };
    },
  });
}

/** The first `certain` elements with each subset of the others. */
function subsets<T>(all: readonly T[], certain: number): readonly (readonly T[])[] {
  let found: T[][] = [all.slice(0, certain)];
  for (const one of all.slice(certain)) found = found.flatMap((some) => [some, [...some, one]]);
  return found;
}

function contentsAfter(initial: Buffer, steps: readonly Step[], synced: number): readonly Buffer[] {
  let possible: readonly Buffer[] = [initial];
  for (const [at, step] of steps.entries()) {
    if (step.kind !== "write" && step.kind !== "empty") continue;
    const { kind, bytes } = step;
    const fates =
      kind === "empty" ? [bytes] : [bytes, bytes.subarray(0, bytes.length / 2), Buffer.alloc(bytes.length)];
    possible = possible.flatMap((before) => {
      const after = fates.map((fate) => (kind === "empty" ? fate : Buffer.concat([before, fate])));
      return at < synced ? after.slice(0, 1) : [before, ...after];
    });
  }
  return possible;
}
