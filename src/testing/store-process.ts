/**
 * Another process that works on a store and prints one line for each step; for the contract suites of stores.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";

export class StoreProcess {
  readonly #child: ChildProcess;
  readonly #closed: Promise<number | null>;
  readonly #lines: string[] = [];
  readonly #onLine = new Set<() => void>();

  /**
   * Starts a program, which is a JavaScript module. It prints with `say(text)`, which is written before the
   * next statement runs.
   */
  constructor(program: string) {
    const said = `import { writeSync } from "node:fs"; const say = (text) => writeSync(1, text + "\\n");`;
    const how = ["--disable-warning=ExperimentalWarning", "--input-type=module", "--eval"];
    this.#child = spawn(process.execPath, [...how, `${said}\n${program}`], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#closed = new Promise((resolve) => this.#child.on("close", resolve));
    const { stdout, stdin } = this.#child;
    if (stdout === null || stdin === null) throw new Error("the process has no input or output");
    stdin.on("error", () => {});
    createInterface({ input: stdout }).on("line", (line) => {
      this.#lines.push(line);
      for (const look of this.#onLine) look();
    });
  }

  get lines(): readonly string[] {
    return this.#lines;
  }

  /** Resolves when the process has printed `count` lines; rejects if it ends before. */
  async says(count: number): Promise<void> {
    const enough = Promise.withResolvers<void>();
    const look = (): void => {
      if (this.#lines.length >= count) enough.resolve();
    };
    this.#onLine.add(look);
    look();
    const ended = this.#closed.then((code) => {
      if (this.#lines.length < count) throw new Error(`the process ended with exit code ${code}`);
    });
    await Promise.race([enough.promise, ended]).finally(() => this.#onLine.delete(look));
  }

  /** Ends the standard input. A program may wait for that before it ends itself. */
  finish(): void {
    this.#child.stdin?.end();
  }

  async kill(): Promise<readonly string[]> {
    this.#child.kill("SIGKILL");
    await this.#closed;
    return this.#lines;
  }

  /** Resolves with the exit code. */
  ended(): Promise<number | null> {
    return this.#closed;
  }
}
