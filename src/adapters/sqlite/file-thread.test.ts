import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { FileThread } from "./file-thread.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "file-thread-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

interface Api {
  readonly ping: (text: string) => string;
  readonly hang: (nothing: null) => null;
  readonly die: (nothing: null) => null;
  readonly close: (nothing: null) => null;
}

const start = (deadlineMs?: number): FileThread<Api> => {
  const program = `import { parentPort } from "node:worker_threads";
    parentPort.on("message", ({ id, method: ask, given }) => {
      if (!id) return;
      if (ask === "hang") for (;;);
      if (ask === "die") throw new Error("it dies");
      parentPort.postMessage({ id, value: given });
    });`;
  writeFileSync(join(folder, "thread.js"), program);
  const from = pathToFileURL(join(folder, "asker.js")).href;
  const timed = deadlineMs === undefined ? {} : { deadlineMs };
  return new FileThread<Api>({ name: "a store", from, module: "thread", data: null, ...timed });
};

/**
 * Repeats a call until it is answered: the start of the thread may take longer than the deadline of a call.
 */
async function untilAnswered<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    const answer = await call().then(
      (value) => ({ value }),
      () => undefined,
    );
    if (answer !== undefined) return answer.value;
  }
}

test("a call to a hung thread fails at its deadline, and the thread can be abandoned", async () => {
  const thread = start(200);
  expect(await untilAnswered(() => thread.call("ping", "here"))).toBe("here");
  const hung = [thread.call("hang", null), thread.call("ping", "behind it")];
  for (const call of hung) await expect(call).rejects.toMatchObject({ code: "SYSTEM_DOWN" });
  await thread.end();
  await expect(thread.call("ping", "after it")).rejects.toMatchObject({ code: "INTERNAL" });
});

test("a call that the thread has not begun by its deadline never runs", async () => {
  interface Counting {
    readonly block: (nothing: null) => null;
    readonly count: (nothing: null) => number;
    readonly close: (nothing: null) => null;
  }
  const answers = JSON.stringify(new URL("./thread-answers.ts", import.meta.url).href);
  const program = `import { serveFiles } from ${answers};
    let count = 0;
    serveFiles((isFree) => ({
      answers: {
        block: () => { Atomics.wait(isFree, 0, 0); return null; },
        count: () => ++count,
        close: () => null,
      },
      busyMsMax: 100, noun: "a file", whereOf: () => "", fix: "" }));`;
  writeFileSync(join(folder, "counting.js"), program);
  const from = pathToFileURL(join(folder, "asker.js")).href;
  const isFree = new Int32Array(new SharedArrayBuffer(4));
  const thread = new FileThread<Counting>({
    name: "a store",
    from,
    module: "counting",
    data: isFree,
    deadlineMs: 400,
  });
  const before = await untilAnswered(() => thread.call("count", null));
  const late = await Promise.allSettled([
    thread.call("block", null),
    thread.call("count", null),
    thread.call("count", null),
  ]);
  expect(late.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
  Atomics.store(isFree, 0, 1);
  Atomics.notify(isFree, 0);
  expect(await untilAnswered(() => thread.call("count", null))).toBe(before + 1);
  await thread.end();
});

test("a hung thread takes a limited number of calls, and the next one is refused at once", async () => {
  const thread = start(2_000);
  const calls = [thread.call("hang", null), ...Array.from({ length: 999 }, () => thread.call("ping", ""))];
  const settled = Promise.allSettled(calls);
  const refused = thread.call("ping", "").catch(({ message }: Error) => message);
  expect(await Promise.race([refused, settled])).toContain("1000 unanswered calls");
  await settled;
  await thread.end();
});

test("the calls in progress and all later calls fail when the thread dies", async () => {
  const thread = start();
  await expect(thread.call("die", null)).rejects.toMatchObject({ code: "INTERNAL" });
  await expect(thread.call("ping", "")).rejects.toMatchObject({ code: "INTERNAL" });
  await thread.end();
});

test("the thread of a closed file serves the next file, and two open files have two threads", async () => {
  const program = `import { parentPort, threadId } from "node:worker_threads";
    parentPort.on("message", ({ id }) => id > 0 && parentPort.postMessage({ id, value: threadId }));`;
  writeFileSync(join(folder, "thread.js"), program);
  const from = pathToFileURL(join(folder, "asker.js")).href;
  const threads = [0, 1, 2].map(
    () => new FileThread<Api>({ name: "a store", from, module: "thread", data: null }),
  );
  const ids = await Promise.all(threads.map((thread) => thread.call("ping", "")));
  expect(new Set(ids).size).toBe(3);
  await threads[1]?.end();
  const next = new FileThread<Api>({ name: "a store", from, module: "thread", data: null });
  expect(await next.call("ping", "")).toBe(ids[1]);
  for (const thread of threads) await thread.end();
  await next.end();
});
