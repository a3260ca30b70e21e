/** The thread that scans and reads. On a slow network drive one look or read may take long. */
import fs from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../../base/errors.ts";
import { type FromThread, sharedMs, type ToThread } from "../../platform/thread-rpc.ts";
import type { FileSlice } from "../../ports/watched-files.ts";
import { FolderScan, type LookAnswer, type ScanOptions } from "./folder-scan.ts";

export type FinderCall =
  | { readonly look: "recent" | "all"; readonly received: number }
  | { readonly root: number; readonly path: string; readonly from: number; readonly length: number };

export type FinderAnswer = LookAnswer | FileSlice;

assert(parentPort !== null, "the file finder runs in a thread");
const port = parentPort;
const options: ScanOptions = workerData;
const say = (message: FromThread<FinderAnswer, never, "hint">, moved: readonly ArrayBuffer[] = []): void =>
  port.postMessage(message, moved);

const scan = new FolderScan(options, fs, () => say({ event: "hint" }));

port.on("message", (message: ToThread) => {
  if ("abandoned" in message || sharedMs() >= message.endsMs) return;
  const { id } = message;
  const call = message.given as FinderCall;
  if ("look" in call) say({ id, value: scan.look(call.look, call.received) });
  else {
    const value = scan.read(call);
    say({ id, value }, value.kind === "bytes" ? [value.bytes.buffer as ArrayBuffer] : []);
  }
});
