/** Another process that works on a store and says what it has done, line by line; for contract suites of stores. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";

export class StoreProcess {
  readonly #child: ChildProcess;
  readonly #closed: Promise<number | null>;
  readonly #lines: string[] = [];
  readonly #onLine = new Set<() => void>();

  /** A program is a JavaScript module. It says something with `say(text)`, which is out before the next statement runs. */
  constructor(program: string) {
    const said = `import { writeSync } from "node:fs"; const say = (text) => writeSync(1, text + "\\n");`;
    const how = ["--disable-warning=ExperimentalWarning", "--input-type=module", "--eval"];
    this.#child = spawn(process.execPath, [...how, `${said}\n${program}`], { stdio: ["pipe", "pipe", "inherit"] });
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

  /** Resolves when it has said so many lines; rejects where it ends before. */
  async says(count: number): Promise<void> {
    const enough = Promise.withResolvers<void>();
    const look = (): void => {
      if (this.#lines.length >= count) enough.resolve();
    };
    this.#onLine.add(look);
    look();
    const ended = this.#closed.then((code) => {
      if (this.#lines.length < count) throw new Error(`the process has ended with ${code}`);
    });
    await Promise.race([enough.promise, ended]).finally(() => this.#onLine.delete(look));
  }

  /** The program's standard input ends: what it waits for, where it was told to go on until then. */
  finish(): void {
    this.#child.stdin?.end();
  }

  async kill(): Promise<readonly string[]> {
    this.#child.kill("SIGKILL");
    await this.#closed;
    return this.#lines;
  }

  /** Its exit code. */
  ended(): Promise<number | null> {
    return this.#closed;
  }
}
