/**
 * A process that runs the program many times, each time as if it had just started. It receives the arguments,
 * the environment and the working folder of a run, and sends back what the run printed. `main.ts` is
 * evaluated anew for each run; the modules behind it stay loaded, which saves most of the cost of a start.
 */
import { syncBuiltinESMExports } from "node:module";
import { pathToFileURL } from "node:url";
import threads from "node:worker_threads";
import { bundled } from "../bundled.ts";

const program = pathToFileURL(bundled("src/surfaces/cli/main")).href;

export interface WarmRun {
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

// There is no thread for progress: it writes past the stream that is collected here, and its start costs more
// than most commands.
const noThread = { unref: () => {}, postMessage: () => {}, terminate: async () => 0 };
const isForProgress = (file: unknown): boolean => String(file).includes("/progress-thread.");
const construct = (real: typeof threads.Worker, [file, options]: [URL, object]): object =>
  isForProgress(file) ? noThread : new real(file, options);
Object.assign(threads, { Worker: new Proxy(threads.Worker, { construct }) });
syncBuiltinESMExports();

let runs = 0;
process.on("disconnect", () => process.exit());
process.on("message", async ({ args, cwd, env }: WarmRun) => {
  process.chdir(cwd);
  for (const name of Object.keys(process.env)) if (env[name] === undefined) delete process.env[name];
  Object.assign(process.env, env);
  process.argv.splice(2, Number.POSITIVE_INFINITY, ...args);
  process.exitCode = undefined;
  const [out, err] = [kept(process.stdout), kept(process.stderr)];
  runs += 1;
  await import(`${program}?run=${runs}`);
  process.send?.({ code: process.exitCode ?? 0, out: out(), err: err() });
});

/**
 * Collects what is written to a stream instead of writing it. The function it returns gives the collected
 * text.
 */
function kept(stream: NodeJS.WriteStream): () => string {
  let text = "";
  stream.removeAllListeners("error");
  stream.write = (piece: string | Uint8Array, ...more: unknown[]): boolean => {
    text += typeof piece === "string" ? piece : Buffer.from(piece).toString();
    const done = more.findLast((one) => typeof one === "function");
    if (done !== undefined) queueMicrotask(() => done());
    return true;
  };
  return () => text;
}
