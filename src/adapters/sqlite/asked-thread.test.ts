import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
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
    parentPort.on("message", ({ number, ask, given }) => {
      if (ask === "hang") for (;;);
      if (ask === "die") throw new Error("it dies");
      parentPort.postMessage({ number, value: given });
      if (ask === "close") parentPort.close();
    });`;
  writeFileSync(join(folder, "thread.js"), program);
  const from = pathToFileURL(join(folder, "asker.js")).href;
  const timed = deadlineMs === undefined ? {} : { deadlineMs };
  return new AskedThread<Asked>({ name: "a store", from, module: "thread", data: null, ...timed });
};

test("a thread that hangs delays nobody beyond the deadline, and can be left", async () => {
  const thread = start(200);
  expect(await thread.ask("ping", "here")).toBe("here");
  const hung = [thread.ask("hang", null), thread.ask("ping", "behind it")];
  for (const call of hung) await expect(call).rejects.toMatchObject({ code: "SYSTEM_DOWN" });
  await thread.end();
  await expect(thread.ask("ping", "after it")).rejects.toMatchObject({ code: "INTERNAL" });
});

test("what a thread had not begun when its time was over is never done", async () => {
  interface Counting {
    readonly block: (ms: number) => null;
    readonly count: (nothing: null) => number;
    readonly close: (nothing: null) => null;
  }
  const program = `import { answerQuestions } from ${JSON.stringify(new URL("./thread-answers.ts", import.meta.url).href)};
    let count = 0;
    const pause = new Int32Array(new SharedArrayBuffer(4));
    answerQuestions(
      { block: (ms) => { Atomics.wait(pause, 0, 0, ms); return null; }, count: () => ++count, close: () => null },
      { busyMsMax: 100, noun: "a file", whereOf: () => "", mend: "" });`;
  writeFileSync(join(folder, "counting.js"), program);
  const from = pathToFileURL(join(folder, "asker.js")).href;
  const thread = new AskedThread<Counting>({ name: "a store", from, module: "counting", data: null, deadlineMs: 400 });
  expect(await thread.ask("count", null)).toBe(1);
  const late = await Promise.allSettled([thread.ask("block", 800), thread.ask("count", null), thread.ask("count", null)]);
  expect(late.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
  await sleep(600);
  expect(await thread.ask("count", null)).toBe(2);
  await thread.end();
});

test("a thread that hangs is not asked without end", async () => {
  const thread = start(300);
  const calls = [thread.ask("hang", null), ...Array.from({ length: 1_500 }, () => thread.ask("ping", ""))];
  await expect(calls.at(-1)).rejects.toMatchObject({ code: "SYSTEM_DOWN" });
  await Promise.allSettled(calls);
  await thread.end();
});

test("a thread that dies fails what is asked of it, then and later", async () => {
  const thread = start();
  await expect(thread.ask("die", null)).rejects.toMatchObject({ code: "INTERNAL" });
  await expect(thread.ask("ping", "")).rejects.toMatchObject({ code: "INTERNAL" });
  await thread.end();
});
