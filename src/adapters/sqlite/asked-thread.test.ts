import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { AskedThread } from "./asked-thread.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "asked-thread-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

interface Asked {
  readonly ping: (text: string) => string;
  readonly hang: (nothing: null) => null;
  readonly die: (nothing: null) => null;
  readonly close: (nothing: null) => null;
}

const start = (deadlineMs?: number): AskedThread<Asked> => {
  const program = `import { parentPort } from "node:worker_threads";
    parentPort.on("message", ({ id, method: ask, given }) => {
      if (id === undefined) return;
      if (ask === "hang") for (;;);
      if (ask === "die") throw new Error("it dies");
      parentPort.postMessage({ id, value: given });
      if (ask === "close") parentPort.close();
    });`;
  writeFileSync(join(folder, "thread.js"), program);
  const from = pathToFileURL(join(folder, "asker.js")).href;
  const timed = deadlineMs === undefined ? {} : { deadlineMs };
  return new AskedThread<Asked>({ name: "a store", from, module: "thread", data: null, ...timed });
};

/** Calls again where the thread takes longer to start than a call may. */
async function untilAnswered<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    const answer = await call().then(
      (value) => ({ value }),
      () => undefined,
    );
    if (answer !== undefined) return answer.value;
  }
}

test("a call fails at its deadline where the thread hangs, and the thread can be left", async () => {
  const thread = start(200);
  expect(await untilAnswered(() => thread.ask("ping", "here"))).toBe("here");
  const hung = [thread.ask("hang", null), thread.ask("ping", "behind it")];
  for (const call of hung) await expect(call).rejects.toMatchObject({ code: "SYSTEM_DOWN" });
  await thread.end();
  await expect(thread.ask("ping", "after it")).rejects.toMatchObject({ code: "INTERNAL" });
});

test("what a thread had not begun when its time was over is never done", async () => {
  interface Counting {
    readonly block: (nothing: null) => null;
    readonly count: (nothing: null) => number;
    readonly close: (nothing: null) => null;
  }
  const program = `import { answerQuestions } from ${JSON.stringify(new URL("./thread-answers.ts", import.meta.url).href)};
    import { workerData } from "node:worker_threads";
    let count = 0;
    answerQuestions(
      { block: () => { Atomics.wait(workerData, 0, 0); return null; }, count: () => ++count, close: () => null },
      { busyMsMax: 100, noun: "a file", whereOf: () => "", fix: "" });`;
  writeFileSync(join(folder, "counting.js"), program);
  const from = pathToFileURL(join(folder, "asker.js")).href;
  const isFree = new Int32Array(new SharedArrayBuffer(4));
  const thread = new AskedThread<Counting>({ name: "a store", from, module: "counting", data: isFree, deadlineMs: 400 });
  const before = await untilAnswered(() => thread.ask("count", null));
  const late = await Promise.allSettled([thread.ask("block", null), thread.ask("count", null), thread.ask("count", null)]);
  expect(late.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
  Atomics.store(isFree, 0, 1);
  Atomics.notify(isFree, 0);
  expect(await untilAnswered(() => thread.ask("count", null))).toBe(before + 1);
  await thread.end();
});

test("a thread that hangs is not asked without end: beyond a number of questions the next is refused at once", async () => {
  const thread = start(2_000);
  const calls = [thread.ask("hang", null), ...Array.from({ length: 999 }, () => thread.ask("ping", ""))];
  const settled = Promise.allSettled(calls);
  const refused = thread.ask("ping", "").catch(({ message }: Error) => message);
  expect(await Promise.race([refused, settled])).toContain("1000 questions before it");
  await settled;
  await thread.end();
});

test("a thread that dies fails what is asked of it, then and later", async () => {
  const thread = start();
  await expect(thread.ask("die", null)).rejects.toMatchObject({ code: "INTERNAL" });
  await expect(thread.ask("ping", "")).rejects.toMatchObject({ code: "INTERNAL" });
  await thread.end();
});
