import { BridgeError } from "../base/errors.ts";
import { followSettledFile, stampOf } from "../platform/settled-file.ts";
import { type Config, parseConfig, readConfigText, wholeFile } from "./config.ts";

export interface ConfigWatch {
  /** Called when the meaning of the file changes, and when a bad file becomes good again. Must not throw. */
  readonly onChange: (config: Config) => void;
  /**
   * Called once for each distinct bad content, with BAD_CONFIG or UNREADABLE. After good content, the same
   * bad content is reported again. Must not throw.
   */
  readonly onBad: (error: BridgeError) => void;
  /** The configuration that the caller uses now; a difference from it is reported as a change. */
  readonly current: Config;
  /** Default 1000. */
  readonly pollMs?: number;
}

/**
 * Time for which a content must stay unchanged before it counts. The longer one is for content that may be
 * half-written.
 */
const settledMs = 100;
const beginningSettledMs = 1_000;
const badKeptMax = 100;

/** The content of the file, or the reason why it cannot be read. */
type Seen = { readonly text: string; readonly stamp: string } | { readonly failure: BridgeError };

/**
 * Watches a configuration file and reports each change of its meaning. Half of a configuration can be valid
 * by itself, with defaults for the rest; therefore a content that is the beginning of the last good one must
 * stay unchanged for longer, and an empty file is bad. After a bad file the last good configuration stays in
 * force.
 *
 * Returns a function that ends the watch; no callback is called after that. The watch does not keep the
 * process alive.
 */
export function watchConfigFile(
  path: string,
  { onChange, onBad, current, pollMs = 1_000 }: ConfigWatch,
): () => void {
  const bad = new Set<string>();
  /** The last good content. Before the first look only its meaning is known. */
  let good = { text: "", meaning: meaningOf(current) };

  function refuse(failure: BridgeError, text: string): void {
    const content = `${failure.line}\n${text}`;
    if (bad.has(content)) return;
    if (bad.size >= badKeptMax) bad.clear();
    bad.add(content);
    onBad(failure);
  }

  function onSettled(seen: Seen): void {
    const text = "text" in seen ? seen.text : "";
    const judged = "text" in seen ? judgement(text, path) : seen.failure;
    if (judged instanceof BridgeError) {
      refuse(judged, text);
      return;
    }
    const meaning = meaningOf(judged);
    const isReported = bad.size > 0 || meaning !== good.meaning;
    good = { text, meaning };
    bad.clear();
    if (isReported) onChange(judged);
  }

  const isBeginning = (seen: Seen): boolean =>
    "text" in seen && seen.text !== good.text && good.text.startsWith(seen.text);
  return followSettledFile<Seen>(path, {
    look: () => look(path),
    isSame,
    settleMs: (seen) => (isBeginning(seen) ? beginningSettledMs : settledMs),
    onSettled,
    pollMs,
  });
}

async function look(path: string): Promise<Seen> {
  try {
    const before = await stampOf(path);
    const text = await readConfigText(path);
    // A file that is written during the read has two different stamps, and that pair never repeats.
    return { text, stamp: `${before} ${await stampOf(path)}` };
  } catch (cause) {
    if (cause instanceof BridgeError) return { failure: cause };
    return { failure: new BridgeError("UNREADABLE", { what: String(cause), where: path, cause }) };
  }
}

const isSame = (one: Seen, other: Seen): boolean =>
  "text" in one
    ? "text" in other && one.text === other.text && one.stamp === other.stamp
    : "failure" in other && one.failure.line === other.failure.line;

function judgement(text: string, path: string): Config | BridgeError {
  try {
    if (text.trim() !== "") return parseConfig(text, path);
    return new BridgeError("BAD_CONFIG", {
      what: "the file is empty",
      where: `${path}:1:1`,
      fix: "write {} for the defaults",
    });
  } catch (failure) {
    if (failure instanceof BridgeError) return failure;
    throw failure;
  }
}

const meaningOf = (config: Config): string => JSON.stringify([wholeFile(config), config.unused]);
