/**
 * Hot reload. The folder's events only make it quicker: network drives send none, and editors put another file in the place of the
 * old one. What counts is the content, read again at least every `pollMs`.
 *
 * A content is believed when it has stayed for a while: whoever writes in place leaves it half-written in between, and half of a
 * configuration may well be one, with defaults for the rest. So what looks like the beginning of the last good one must stay longer,
 * and an empty file is none at all. A bad file changes nothing: the last good one stays, and `onBad` is called.
 */
import { type FSWatcher, watch } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { BridgeError } from "../base/errors.ts";
import { type Config, parseConfig, readConfigText, wholeFile } from "./config.ts";

export interface ConfigWatch {
  /** Called when what the file means has changed, and when a bad file has become good again. Must not throw. */
  readonly onChange: (config: Config) => void;
  /** Called once for each bad content, until a good one comes: BAD_CONFIG or UNREADABLE. Must not throw. */
  readonly onBad: (error: BridgeError) => void;
  /** What the caller goes by: a change since it was read is told. Omitted: what the file says when the watching begins. */
  readonly current?: Config;
  /** Default 1000. */
  readonly pollMs?: number;
}

/** For how long a content must have stayed. */
const settledMs = 100;
const beginningSettledMs = 1_000;
/** Events come in bursts: one look for all of them. */
const eventMs = 10;
const badKeptMax = 100;

/** Ends when the function it returns is called; nothing is called after that. Holds no process open. */
export function watchConfigFile(path: string, { onChange, onBad, current, pollMs = 1_000 }: ConfigWatch): () => void {
  const watching = new Watching(path, { onChange, onBad, pollMs }, current);
  return () => watching.stop();
}

/** What a look at the file has found. */
type Seen = { readonly text: string; readonly stamp: string } | { readonly failure: BridgeError; readonly stamp: string };

class Watching {
  readonly #path: string;
  readonly #given: Required<Omit<ConfigWatch, "current">>;
  readonly #watchers: FSWatcher[] = [];
  readonly #bad = new Set<string>();
  /** The meaning of the last good content, undefined before there is one. */
  #meaning: string | undefined;
  /** That content. */
  #good = "";
  /** What is there, whether or not it is believed yet. */
  #seen: Seen | undefined;
  #seenSinceMs = 0;
  #isJudged = false;
  #timer: NodeJS.Timeout | undefined;
  #isLooking = false;
  #isAskedAgain = false;
  #isSoon = false;
  #isStopped = false;

  constructor(path: string, given: Required<Omit<ConfigWatch, "current">>, current: Config | undefined) {
    this.#path = path;
    this.#given = given;
    if (current !== undefined) this.#meaning = meaningOf(current);
    void this.#listen();
    void this.#look();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    for (const watcher of this.#watchers) watcher.close();
  }

  /** Where it is, and where a link leads to. What cannot be watched is polled. */
  async #listen(): Promise<void> {
    const real = await realpath(this.#path).catch(() => this.#path);
    const folder = await realpath(dirname(this.#path)).catch(() => dirname(this.#path));
    // What a link goes through may be swapped under any name.
    const isLink = real !== join(folder, basename(this.#path));
    for (const watched of new Set([folder, dirname(real)])) {
      if (this.#isStopped) return;
      try {
        const watcher = watch(watched, { persistent: false }, (_, name) => {
          if (isLink || name === null || name === basename(this.#path)) this.#lookSoon();
        });
        watcher.on("error", () => watcher.close());
        this.#watchers.push(watcher);
      } catch {}
    }
  }

  #lookSoon(): void {
    // What a look under way has read may be what was there before.
    if (this.#isLooking) this.#isAskedAgain = true;
    else if (!this.#isSoon) {
      this.#isSoon = true;
      this.#lookAfter(eventMs);
    }
  }

  #lookAfter(waitMs: number): void {
    if (this.#isStopped) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#look(), waitMs).unref();
  }

  async #look(): Promise<void> {
    this.#isLooking = true;
    this.#isSoon = false;
    try {
      const seen = await this.#read();
      if (!this.#isStopped) this.#notice(seen);
    } finally {
      this.#isLooking = false;
      const isWaiting = this.#isAskedAgain || !this.#isJudged;
      this.#lookAfter(isWaiting ? Math.min(this.#given.pollMs, settledMs / 2) : this.#given.pollMs);
      this.#isAskedAgain = false;
    }
  }

  async #read(): Promise<Seen> {
    try {
      const before = await stampOf(this.#path);
      const text = await readConfigText(this.#path);
      // Another stamp than the one after it is not the same twice.
      return { text, stamp: `${before} ${await stampOf(this.#path)}` };
    } catch (cause) {
      const failure =
        cause instanceof BridgeError ? cause : new BridgeError("UNREADABLE", { what: String(cause), where: this.#path, cause });
      return { failure, stamp: "" };
    }
  }

  #notice(seen: Seen): void {
    const nowMs = performance.now();
    if (!isSame(seen, this.#seen)) {
      this.#seen = seen;
      this.#seenSinceMs = nowMs;
      // What it said when the watching began is known to be whole only by waiting, too.
      this.#isJudged = false;
    }
    if (this.#isJudged || nowMs - this.#seenSinceMs < this.#waitMs(seen)) return;
    this.#isJudged = true;
    this.#judge(seen);
  }

  #waitMs(seen: Seen): number {
    const isBeginning = "text" in seen && seen.text !== this.#good && this.#good.startsWith(seen.text);
    return isBeginning ? beginningSettledMs : settledMs;
  }

  #judge(seen: Seen): void {
    const judged = "text" in seen ? judgement(seen.text, this.#path) : seen.failure;
    if (judged instanceof BridgeError) {
      this.#refuse(judged, "text" in seen ? seen.text : "");
      return;
    }
    const meaning = meaningOf(judged);
    const isFirst = this.#meaning === undefined && this.#bad.size === 0;
    const isTold = !isFirst && (this.#bad.size > 0 || meaning !== this.#meaning);
    this.#meaning = meaning;
    this.#good = (seen as { readonly text: string }).text;
    this.#bad.clear();
    if (isTold) this.#given.onChange(judged);
  }

  #refuse(failure: BridgeError, text: string): void {
    const content = `${failure.line}\n${text}`;
    if (this.#bad.has(content)) return;
    if (this.#bad.size >= badKeptMax) this.#bad.clear();
    this.#bad.add(content);
    this.#given.onBad(failure);
  }
}

function judgement(text: string, path: string): Config | BridgeError {
  try {
    if (text.trim() !== "") return parseConfig(text, path);
    return new BridgeError("BAD_CONFIG", { what: "the file is empty", where: `${path}:1:1`, mend: "write {} for the defaults" });
  } catch (failure) {
    if (failure instanceof BridgeError) return failure;
    throw failure;
  }
}

const meaningOf = (config: Config): string => JSON.stringify([wholeFile(config), config.unused]);

async function stampOf(path: string): Promise<string> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  return found === undefined ? "" : `${found.ino} ${found.size} ${found.mtimeNs}`;
}

const isSame = (a: Seen, b: Seen | undefined): boolean =>
  "text" in a
    ? b !== undefined && "text" in b && a.text === b.text && a.stamp === b.stamp
    : b !== undefined && "failure" in b && a.failure.line === b.failure.line;
