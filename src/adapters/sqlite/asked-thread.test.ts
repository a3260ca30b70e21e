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
  const from = performance.now();
  const hung = [thread.ask("hang", null), thread.ask("ping", "behind it")];
  for (const call of hung) await expect(call).rejects.toMatchObject({ code: "SYSTEM_DOWN" });
  await thread.end();
  await expect(thread.ask("ping", "after it")).rejects.toMatchObject({ code: "INTERNAL" });
  expect(performance.now() - from).toBeLessThan(2_000);
});

test("a thread that dies fails what is asked of it, then and later", async () => {
  const thread = start();
  await expect(thread.ask("die", null)).rejects.toMatchObject({ code: "INTERNAL" });
  await expect(thread.ask("ping", "")).rejects.toMatchObject({ code: "INTERNAL" });
  await thread.end();
});
