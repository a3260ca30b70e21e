/** Writes to stderr the latest text that it received, from two seconds after its start; see `progressOn`. */
import { writeSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { painter, progressAfterMs } from "./terminal.ts";

const { isTerminal, isColoured } = workerData;
const paint = painter(isColoured);
const startedMs = performance.now();
let [text, shownMs] = ["", Number.NEGATIVE_INFINITY];
parentPort?.on("message", (next: string) => {
  text = next;
});
setInterval(() => {
  const nowMs = performance.now();
  if (nowMs - startedMs < progressAfterMs || nowMs - shownMs < (isTerminal ? 0 : 5_000)) return;
  shownMs = nowMs;
  const seconds = Math.floor((nowMs - startedMs) / 1_000);
  try {
    writeSync(2, isTerminal ? `\r\x1b[K${paint("dim", `${text} (${seconds} s)`)}` : `${text}\n`);
  } catch {} // The reader of stderr has closed it.
}, 200);
