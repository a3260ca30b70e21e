/**
 * The main program of a module thread: loads the module, runs its methods on request, and reports its output.
 */
import { serialize } from "node:v8";
import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../../base/errors.ts";
import { SystemFailure } from "../../domain/migration/system-failure.ts";
import { sharedMs, type ThreadCall, type ToThread } from "../../platform/thread-rpc.ts";
import { foreignError, noSuchMethod } from "./foreign-error.ts";
import { jsonAnswer } from "./json-values.ts";
import { type LoadedModule, loadModule } from "./loading.ts";
import { PrintedLines } from "./printed-lines.ts";
import type { CallFailure, FromModuleThread, ThreadData, ThreadEvent } from "./thread-messages.ts";

assert(parentPort !== null, "the module runs in a thread");
const port = parentPort;
const data: ThreadData = workerData;
const send = (event: ThreadEvent): void => port.postMessage({ event } satisfies FromModuleThread);

const printed = new PrintedLines((line) => send({ kind: "log", line }));
for (const stream of [process.stdout, process.stderr]) stream.write = printed.write as typeof stream.write;
// An unhandled rejection in the module must not end the thread with all its calls.
process.on("unhandledRejection", (reason) => {
  const { name, message } = foreignError(reason);
  printed.line(`unhandled rejection: ${name}: ${message}`);
});

/** Calls under way, and those among them that are abandoned. */
const running = new Set<number>();
const abandoned = new Set<number>();

let loaded: LoadedModule;
try {
  loaded = await loadModule(data.address);
  port.on("message", onMessage);
  send({ kind: "ready", found: loaded.found });
} catch (failure) {
  send({ kind: "unfit", why: foreignError(failure).message });
}

function onMessage(message: ToThread): void {
  if ("abandoned" in message) abandon(message.abandoned);
  else void run(message);
}

function abandon(id: number): void {
  if (running.has(id)) abandoned.add(id);
  send({ kind: "abandoned", id, unended: abandoned.size });
}

async function run({ id, method, given, endsMs }: ThreadCall): Promise<void> {
  if (sharedMs() >= endsMs) return;
  running.add(id);
  const outcome = await outcomeOf(id, method, Array.isArray(given) ? given : []);
  running.delete(id);
  if (abandoned.delete(id)) return;
  const transfer = "value" in outcome ? [outcome.value.buffer] : [];
  port.postMessage({ id, ...outcome } satisfies FromModuleThread, transfer);
}

type Outcome = { readonly value: Uint8Array<ArrayBuffer> } | { readonly failure: CallFailure };

async function outcomeOf(id: number, method: string, args: readonly unknown[]): Promise<Outcome> {
  const run = loaded.methods.get(method);
  if (run === undefined) return { failure: { failure: "REFUSED", ...noSuchMethod } };
  let answer: unknown;
  try {
    answer = await run(...args);
  } catch (thrown) {
    return { failure: { failure: "REFUSED", ...foreignError(thrown) } };
  }
  if (abandoned.has(id)) answer = undefined;
  try {
    const value = serialize(data.answers === "json" ? jsonAnswer(answer, data) : answer);
    if (value.byteLength > data.answerBytesMax)
      return notAnswered("TOO_LARGE", "the answer is larger than the limit");
    return { value };
  } catch (failure) {
    if (!(failure instanceof SystemFailure)) return notAnswered("GARBLED", foreignError(failure).message);
    return notAnswered(failure.failure === "TOO_LARGE" ? "TOO_LARGE" : "GARBLED", failure.message);
  }
}

const notAnswered = (failure: CallFailure["failure"], message: string): Outcome => ({
  failure: { failure, name: "Error", message, code: undefined },
});
