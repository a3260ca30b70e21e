/** The inside of a module thread: loads the module, runs its methods by message, and says what it prints. */
import { serialize } from "node:v8";
import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../../base/errors.ts";
import { SystemFailure } from "../../domain/migration/system-failure.ts";
import { foreignError, noSuchMethod } from "./foreign-error.ts";
import { jsonAnswer } from "./json-values.ts";
import { type LoadedModule, loadModule } from "./loading.ts";
import { PrintedLines } from "./printed-lines.ts";
import { type FromThread, monotonicMs, type ThreadData, type ToThread } from "./thread-messages.ts";

assert(parentPort !== null, "runs in a thread");
const port = parentPort;
const data: ThreadData = workerData;
const say = (message: FromThread): void => port.postMessage(message);

const printed = new PrintedLines((line) => say({ kind: "log", line }), monotonicMs);
for (const stream of [process.stdout, process.stderr]) stream.write = printed.write as typeof stream.write;
// A stray promise of the module is no reason to lose the calls of the others.
process.on("unhandledRejection", (reason) => {
  const { name, message } = foreignError(reason);
  printed.line(`unhandled rejection: ${name}: ${message}`);
});

/** Calls under way, and those of them that nobody waits for. */
const running = new Set<number>();
const abandoned = new Set<number>();

let loaded: LoadedModule;
try {
  loaded = await loadModule(data.address);
  port.on("message", hear);
  say({ kind: "ready", methods: [...loaded.methods.keys()] });
} catch (failure) {
  say({ kind: "unfit", why: foreignError(failure).message });
}

function hear(message: ToThread): void {
  if (message.kind === "call") void run(message);
  else abandon(message.id);
}

function abandon(id: number): void {
  if (running.has(id)) abandoned.add(id);
  say({ kind: "abandoned", id, unended: abandoned.size });
}

async function run({ id, method, args, untilMs }: ToThread & { kind: "call" }): Promise<void> {
  if (monotonicMs() >= untilMs) return;
  running.add(id);
  const outcome = await outcomeOf(id, method, args);
  running.delete(id);
  if (abandoned.delete(id)) return;
  if (outcome.kind === "answer") port.postMessage(outcome, [outcome.bytes.buffer as ArrayBuffer]);
  else say(outcome);
}

async function outcomeOf(
  id: number,
  method: string,
  args: readonly unknown[],
): Promise<FromThread & { kind: "answer" | "failed" }> {
  const run = loaded.methods.get(method);
  if (run === undefined) return { kind: "failed", id, failure: "REFUSED", ...noSuchMethod };
  let answer: unknown;
  try {
    answer = await run(...args);
  } catch (thrown) {
    return { kind: "failed", id, failure: "REFUSED", ...foreignError(thrown) };
  }
  if (abandoned.has(id)) answer = undefined;
  try {
    const value = data.answers === "json" ? jsonAnswer(answer, data) : answer;
    const bytes = serialize(value);
    if (bytes.byteLength > data.answerBytesMax) return { ...notAnswered, id, failure: "TOO_LARGE" };
    return { kind: "answer", id, bytes };
  } catch (failure) {
    if (!(failure instanceof SystemFailure)) return { ...notAnswered, id, message: foreignError(failure).message };
    const { message } = failure;
    return { ...notAnswered, id, failure: failure.failure === "TOO_LARGE" ? "TOO_LARGE" : "GARBLED", message };
  }
}

const notAnswered = {
  kind: "failed",
  failure: "GARBLED",
  name: "Error",
  message: "the answer is larger than the limit",
  code: undefined,
} as const;
