/**
 * Programs that implement the worker protocol (src/adapters/worker/protocol.ts), correctly or not. They are
 * created in a temporary folder, for tests that run them as real processes.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll } from "vitest";
import { until } from "./until.ts";

export const root = fileURLToPath(new URL("../..", import.meta.url));
export const pythonWorker = join(root, "python/pnl_bridge_worker.py");

/**
 * A worker in JavaScript. `body` adds methods, which write output with `answer(id, value)`, `fail(id, error)`
 * and `line(text)`.
 */
const nodeWorker = (body: string, introduction = "") => `
const line = (text) => process.stdout.write(text + "\\n");
const answer = (id, result) => line(JSON.stringify({ jsonrpc: "2.0", id, result }));
const fail = (id, error) => line(JSON.stringify({ jsonrpc: "2.0", id, error }));
let said = {};
const methods = {
  add: (id, { a, b }) => answer(id, { sum: a + b }),
  hang: () => {},
  crash: () => process.exit(3),
  slow: (id, { ms }) => setTimeout(answer, ms, id, { ms }),
  whoami: (id) => answer(id, { pid: process.pid, said }),
};
${body}
const introduce = (id) => answer(id, { protocolVersion: 1, name: "test", methods: Object.keys(methods), ${introduction} });
let held = "";
process.stdin.setEncoding("utf8");
process.stdin.on("data", (chunk) => {
  const lines = (held + chunk).split("\\n");
  held = lines.pop();
  for (const text of lines) {
    const { id, method, params } = JSON.parse(text);
    if (method === "initialize") { said = params; introduce(id); }
    else if (methods[params.method]) methods[params.method](id, params.request, params.deadlineMs);
    else fail(id, { code: -32601, message: "unknown" });
  }
});
process.stdin.on("end", () => process.exit(0));
`;

const commonMethods = ["add", "hang", "crash", "slow", "whoami"];

/**
 * A worker in the language of the shell, which starts in a tenth of the time of Node. `bodies` adds methods.
 * A method writes output with `answer VALUE`. It finds the request in `$request`, and a number of the request
 * with `number KEY`.
 */
const shellWorker = (bodies: Readonly<Record<string, string>>, introduction: string) => `
answer() { printf '{"jsonrpc":"2.0","id":%s,"result":%s}\\n' "$id" "$1"; }
end='[,}]*'
number() { value=\${line#*"\\"$1\\":"}; printf %s "\${value%%$end}"; }
while read -r line; do
  id=\${line#*'"id":'}; id=\${id%%,*}
  case $line in *'"method":"initialize"'*)
    said=\${line#*'"params":'}
    said=\${said%?}
    answer '{"protocolVersion":1,"name":"test","methods":${JSON.stringify([...commonMethods, ...Object.keys(bodies)])}${introduction}}'
    continue
  esac
  request=\${line#*'"request":'}
  request=\${request%??}
  method=\${line#*'"params":{"method":"'}
  case \${method%%'"'*} in
    add) answer "{\\"sum\\":$(($(number a) + $(number b)))}" ;;
    hang) ;;
    crash) exit 3 ;;
    slow) ms=$(number ms); (sleep "$((ms / 1000)).$(printf %03d $((ms % 1000)))"; answer "{\\"ms\\":$ms}") & ;;
    whoami) answer "{\\"pid\\":$$,\\"said\\":$said}" ;;
${Object.entries(bodies)
  .map(([method, body]) => `    ${method}) ${body} ;;`)
  .join("\n")}
  esac
done
`;

/** Creates the files and systems of one test file, and removes them after it. */
export class Workshop {
  readonly folder = realpathSync(mkdtempSync(join(tmpdir(), "pnl-bridge-worker-")));
  readonly log: string[] = [];
  readonly note = (line: string): void => void this.log.push(line);
  readonly #kept: { close(): Promise<void> }[] = [];
  #files = 0;

  constructor() {
    afterAll(async () => {
      await Promise.all(this.#kept.map((system) => system.close()));
      rmSync(this.folder, { recursive: true, force: true });
    });
  }

  file(name: string, content: string): string {
    const path = join(this.folder, name);
    writeFileSync(path, content);
    return path;
  }

  /** The command of a worker in JavaScript with these methods over the common ones. */
  node(body: string, introduction = ""): readonly string[] {
    return this.script(nodeWorker(body, introduction));
  }

  /** The command of a worker in shell with these methods besides the common ones. */
  shell(bodies: Readonly<Record<string, string>> = {}, introduction = ""): readonly string[] {
    this.#files += 1;
    return ["sh", this.file(`worker-${this.#files}.sh`, shellWorker(bodies, introduction))];
  }

  /** The path of a copy of a TypeScript source in JavaScript, which starts in a third of the time. */
  javascript(source: string): string {
    return this.file(`${basename(source, ".ts")}.mjs`, stripTypeScriptTypes(readFileSync(source, "utf8")));
  }

  /** The command of a program in JavaScript. */
  script(source: string): readonly string[] {
    this.#files += 1;
    return [process.execPath, this.file(`worker-${this.#files}.mjs`, source)];
  }

  /** Registers a system to be closed after the tests of the file. */
  keep<T extends { close(): Promise<void> }>(system: T): T {
    this.#kept.push(system);
    return system;
  }
}

/** Whether a process runs. A zombie, whose parent has not yet noticed its end, does not. */
export function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  return !stateOf(pid).startsWith("Z");
}

function stateOf(pid: number): string {
  try {
    if (process.platform === "linux") return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1] ?? "Z";
    return execFileSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" }).trim();
  } catch {
    return "Z";
  }
}

export const untilGone = (pid: number): Promise<void> => until(() => !runs(pid), `process ${pid} ends`);

/** Returns a system that runs as one process, for the contract of systems. `end` waits for its end. */
export function asOneProcess<System extends { readonly pid: number | undefined }>(system: System) {
  let pid: number | undefined;
  return {
    system,
    running: (): number => {
      pid = system.pid ?? pid;
      return system.pid === undefined ? 0 : 1;
    },
    end: async (): Promise<void> => {
      if (pid !== undefined) await untilGone(pid);
    },
  };
}

/**
 * The path of the Python interpreter itself, since the one on PATH may be a wrapper script; undefined without
 * a suitable one.
 */
export const python: string | undefined = (() => {
  try {
    const which = "import sys; assert sys.version_info >= (3, 9); print(sys.executable)";
    return execFileSync("python3", ["-c", which], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    return undefined;
  }
})();
export const pythonMissing =
  python === undefined ? "this machine has no python3 of version 3.9 or newer" : undefined;
