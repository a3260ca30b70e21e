import { spawn } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, describe, expect, it } from "vitest";
import { isLongRun } from "../../../test/campaigns.ts";
import { failureOf, systemContract } from "../../testing/system-contract.ts";
import { until } from "../../testing/until.ts";
import { asOneProcess, python, root, runs, untilGone, Workshop } from "../../testing/worker-programs.ts";
import { type CommandOptions, CommandSystem } from "./index.ts";

const shop = new Workshop();
const make = (command: readonly string[], options: Partial<CommandOptions> = {}): CommandSystem =>
  shop.keep(new CommandSystem({ name: "desk", command, log: shop.note, cwd: shop.folder, ...options }));
const patient = { deadlineMs: 20_000 };
const hasty = { deadlineMs: 100 };
const add = (system: CommandSystem, a = 1, b = 2) => system.invoke("add", { a, b }, patient);
/** Options that restart almost at once, so that a test does not wait. */
const eager: Partial<CommandOptions> = { pauseMs: 1, graceMs: 50 };
const plain = shop.shell();

/** A worker for tests that leave it intact: a start of Node is expensive. */
const shared = make(
  shop.node(`
methods.say = (id, { rest }) => line('{"jsonrpc":"2.0","id":' + id + "," + rest);
const waiting = [];
methods.reversed = (id, { a }) => {
  waiting.push(() => answer(id, a));
  if (waiting.length === 20) for (const say of waiting.reverse()) say();
};
methods.pieces = (id) => {
  const bytes = Buffer.from(JSON.stringify({ jsonrpc: "2.0", id, result: "Zürich 📈" }) + "\\n");
  let at = 0;
  const next = () => {
    if (at === bytes.length) return;
    process.stdout.write(bytes.subarray(at, ++at));
    setImmediate(next);
  };
  next();
};
const ids = [];
methods.together = (id, name) => {
  ids.push([id, name]);
  const said = ids.map(([id, result]) => JSON.stringify({ jsonrpc: "2.0", id, result }));
  if (ids.length === 3) line(said.join("\\r\\n\\n"));
};
methods.length = (id, { text }) => answer(id, text.length);`),
  { requestBytesMax: 1_000_000 },
);

const unhandled: unknown[] = [];
process.on("unhandledRejection", (reason) => unhandled.push(reason));
afterAll(() => expect(unhandled).toEqual([]));

// A short run tests the contract on a worker in Python (python-worker.test.ts).
if (isLongRun("systems") || python === undefined)
  systemContract("command", ({ answerBytesMax }) => {
    const referenceFile = shop.javascript(join(root, "src/testing/reference-service.ts"));
    const host = shop.script(`
import { referenceReply, referenceService } from ${JSON.stringify(referenceFile)};
const service = referenceService(() => process.kill(process.pid, "SIGKILL"));
const write = (text) => process.stdout.write(text + "\\n");
async function take(text) {
  const { id, method, params } = JSON.parse(text);
  const start = '{"jsonrpc":"2.0","id":' + id;
  if (method === "initialize") return write(start + ',"result":{"protocolVersion":1,"name":"reference"}}');
  const reply = await referenceReply(service, params.method, params.request);
  if (reply.ok) write(start + ',"result":' + reply.text + "}");
  else {
    const error = { code: -32000, message: reply.message, data: { code: reply.code } };
    write(start + ',"error":' + JSON.stringify(error) + "}");
  }
}
let held = "";
process.stdin.on("data", (chunk) => {
  const lines = (held + chunk).split("\\n");
  held = lines.pop();
  for (const line of lines) void take(line);
});
process.stdin.on("end", () => process.exit());
`);
    return asOneProcess(make(host, { answerBytesMax, graceMs: 300 }));
  });

describe("CommandSystem", () => {
  it("starts with the first call, introduces itself and learns the methods", async () => {
    const system = make(plain, { readOnly: true, client: "a test", answerBytesMax: 12345 });
    expect([system.pid, system.methods, system.counters.starts]).toEqual([undefined, undefined, 0]);
    expect(await system.invoke("whoami", {}, patient)).toEqual({
      pid: system.pid,
      said: { protocolVersion: 1, readOnly: true, client: "a test", answerBytesMax: 12345 },
    });
    expect(system.methods).toEqual(new Set(["add", "hang", "crash", "slow", "whoami"]));
    const refused = await failureOf(system.invoke("subtract", {}, patient), "REFUSED");
    expect([refused.code, refused.message]).toEqual(["UNKNOWN_METHOD", "desk has no method subtract"]);
  });

  it("can be started ahead of the first call, also by several callers at once", async () => {
    const system = make(plain);
    await Promise.all([system.start(), system.start()]);
    await system.start();
    expect([system.methods?.has("add"), system.counters.starts]).toEqual([true, 1]);
  });

  it("assigns answers to calls by id, in any order", async () => {
    const order: number[] = [];
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, a) =>
        shared.invoke("reversed", { a }, patient).then((answer) => {
          order.push(a);
          return answer;
        }),
      ),
    );
    expect(answers).toEqual(Array.from({ length: 20 }, (_, a) => a));
    expect(order).toEqual(Array.from({ length: 20 }, (_, index) => 19 - index));
  });

  it("reads an answer that arrives in pieces, and several answers in one piece", async () => {
    expect(await shared.invoke("pieces", null, patient)).toBe("Zürich 📈");
    const together = ["a", "b", "c"].map((name) => shared.invoke("together", name, patient));
    expect(await Promise.all(together)).toEqual(["a", "b", "c"]);
  });

  it("ignores lines that are not answers, and goes on", async () => {
    const system = make(
      shop.node(`
methods.noisy = (id, { a, b }) => {
  process.stdout.write(Buffer.from([0xff, 0xfe, 0x00, 0x0a]));
  line("calculating ...");
  line("\\u001b[31mred\\u0007");
  line("[1,2,3]");
  line("{");
  line(JSON.stringify({ id, result: "not the protocol" }));
  line(JSON.stringify({ jsonrpc: "2.0", id: String(id), result: "not our id" }));
  line(JSON.stringify({ jsonrpc: "2.0", id: null, error: { code: 1, message: "whose?" } }));
  line(JSON.stringify({ jsonrpc: "2.0", id, method: "call", params: {} }));
  line('progress: ' + JSON.stringify({ jsonrpc: "2.0", id, result: "not a line of its own" }));
  answer(id + 1000, "for nobody");
  answer(0, { protocolVersion: 1, name: "again", methods: [] });
  answer(id, { sum: a + b });
  answer(id, { sum: "twice" });
};`),
    );
    expect(await system.invoke("noisy", { a: 1, b: 2 }, patient)).toEqual({ sum: 3 });
    expect(await add(system, 5)).toEqual({ sum: 7 });
    expect(system.counters).toEqual({ starts: 1, kills: 0, late: 0, unknown: 3, garbage: 10, tooLong: 0 });
    expect(shop.log).toContain("calculating ...");
    expect(shop.log).toContain("\\u{1b}[31mred\\u{7}");
    expect(shop.log).toContain(
      "desk: a line on the worker's stdout is not a message: it is not a JSON object; " +
        "the worker must print to stderr",
    );
  });

  it.each([
    ["broken", '"result":{"sum":12,,}}', "GARBLED", "the answer of say cannot be read"],
    ["a number that cannot be held", '"result":[1e9999]}', "GARBLED", "a number with too many digits"],
    ["a key twice", '"result":{"a":1,"a":2}}', "GARBLED", "a key for the second time"],
    ["no result and no error", '"done":true}', "GARBLED", "neither a result nor an error"],
    [
      "a result and an error",
      '"result":1,"error":{"code":1,"message":"x"}}',
      "GARBLED",
      "a result and an error",
    ],
    ["an error that is a text", '"error":"oops"}', "REFUSED", "an error without a message"],
    [
      "an error with a class",
      '"error":{"code":-32000,"message":"no","data":{"class":"KeyError"}}}',
      "REFUSED",
      "no",
    ],
    ["too late to begin", '"error":{"code":-32001,"message":"too late"}}', "TIMEOUT", "too late"],
    ["larger than it may write", '"error":{"code":-32002,"message":"large"}}', "TOO_LARGE", "large"],
    ["busy", '"error":{"code":-32003,"message":"later"}}', "BUSY", "later"],
    ["read-only", '"error":{"code":-32004,"message":"reads"}}', "REFUSED", "reads"],
  ] as const)("an answer (%s) fails its call", async (_, rest, failure, words) => {
    expect((await failureOf(shared.invoke("say", { rest }, patient), failure)).message).toContain(words);
    expect(await add(shared)).toEqual({ sum: 3 });
    expect(shared.counters).toMatchObject({ starts: 1, kills: 0 });
  });

  it("reports errors under the system's own codes", async () => {
    const codeOf = async (error: string) =>
      (await failureOf(shared.invoke("say", { rest: `"error":${error}}` }, patient), "REFUSED")).code;
    expect(await codeOf('{"code":-32000,"message":"x","data":{"class":"KeyError","code":"NO_PRICE"}}')).toBe(
      "NO_PRICE",
    );
    expect(await codeOf('{"code":-32000,"message":"x","data":{"class":"KeyError"}}')).toBe("KeyError");
    expect(await codeOf('{"code":-32004,"message":"x"}')).toBe("READ_ONLY");
    expect(await codeOf('{"code":17,"message":"x"}')).toBe("17");
    expect(await codeOf('{"code":-32000,"message":"x"}')).toBe(undefined);
  });

  it("reads a response with both result and error if one of them is null", async () => {
    expect(await shared.invoke("say", { rest: '"result":5,"error":null}' }, patient)).toBe(5);
    expect(await shared.invoke("say", { rest: '"result":null}' }, patient)).toBe(null);
    await failureOf(
      shared.invoke("say", { rest: '"result":null,"error":{"code":1,"message":"x"}}' }, patient),
      "REFUSED",
    );
  });
});

describe("a worker that dies", () => {
  it("fails its sent calls, and the next call starts it again", async () => {
    const system = make(plain, eager);
    await system.start();
    const { pid } = system;
    const calls = [
      failureOf(system.invoke("hang", {}, patient), "DOWN"),
      failureOf(system.invoke("slow", { ms: 10_000 }, patient), "DOWN"),
    ];
    process.kill(pid as number, "SIGKILL");
    for (const failure of await Promise.all(calls))
      expect(failure.message).toMatch(/^desk stopped during (hang|slow): it was ended by SIGKILL/);
    expect(await add(system)).toEqual({ sum: 3 });
    expect(system.pid).not.toBe(pid);
    expect(system.counters).toMatchObject({ starts: 2, kills: 0 });
  });

  it("still delivers the answers that it wrote before", async () => {
    const system = make(
      shop.node(
        `methods.last = (id) => {
  answer(id, "x".repeat(500_000));
  process.exitCode = 7;
  process.stdin.destroy();
};`,
      ),
    );
    expect(await system.invoke("last", {}, patient)).toHaveLength(500_000);
  });

  it("leaves the calls that were not sent yet to its successor", async () => {
    const system = make(shop.shell({}, ',"concurrency":1'), eager);
    await system.start();
    const crashed = failureOf(system.invoke("crash", {}, patient), "DOWN");
    const sums = [1, 2, 3].map((a) => add(system, a));
    expect((await crashed).message).toBe("desk stopped during crash: it ended with exit code 3");
    expect(await Promise.all(sums)).toEqual([{ sum: 3 }, { sum: 4 }, { sum: 5 }]);
    expect(system.counters.starts).toBe(2);
  });

  it("is started again after growing pauses, and calls fail BUSY meanwhile", async () => {
    const system = make(plain, { pauseMs: 500, steadyMs: 60_000 });
    const crash = () => system.invoke("crash", {}, patient).catch((failure) => failure.failure);
    await system.start();
    expect(await crash()).toBe("DOWN");
    // The first restart comes at once, the second one after twice the first pause.
    const crashedMs = performance.now();
    expect(await crash()).toBe("DOWN");
    const busy = await failureOf(add(system), "BUSY");
    expect(busy.message).toMatch(
      /^desk is started again in \d+ ms at the earliest: it ended with exit code 3$/,
    );
    await until(async () => (await add(system).catch(() => undefined)) !== undefined);
    expect(performance.now() - crashedMs).toBeGreaterThanOrEqual(1_000);
    expect(system.counters.starts).toBe(3);
  });

  it("is restarted without a pause if it was up for long enough", async () => {
    const system = make(plain, { pauseMs: 60_000, steadyMs: 30 });
    for (let round = 0; round < 3; round++) {
      expect(await add(system)).toEqual({ sum: 3 });
      await sleep(40);
      await failureOf(system.invoke("crash", {}, patient), "DOWN");
    }
  });

  it("takes with it the processes that it started", async () => {
    const system = make(shop.shell({ spawn: 'sleep 60 & answer "$!"' }), eager);
    const started = (await system.invoke("spawn", {}, patient)) as number;
    expect(runs(started)).toBe(true);
    await failureOf(system.invoke("crash", {}, patient), "DOWN");
    await untilGone(started);
  });

  it("is killed if it closes its stdout or stdin but does not end", async () => {
    const shut = make(shop.shell({ shut: "exec 1>&-" }), eager);
    expect((await failureOf(shut.invoke("shut", {}, patient), "DOWN")).message).toContain(
      "it closed its stdout",
    );
    const introduction = JSON.stringify({ jsonrpc: "2.0", id: 0, result: { protocolVersion: 1 } });
    const deaf = make(["sh", "-c", `read -r line; echo '${introduction}'; exec 0<&-; sleep 60`], eager);
    await deaf.start();
    await sleep(50);
    expect((await failureOf(deaf.invoke("hello", {}, patient), "DOWN")).message).toContain(
      "it closed its stdin",
    );
  });
});

describe("a worker that cannot start", () => {
  it.concurrent.each([
    ["a program that does not exist", ["/nowhere/to/be/found"], "there is no program /nowhere/to/be/found"],
    ["a file that is not executable", [join(root, "package.json")], "may not be run"],
    [
      "exits at once",
      shell("read -r line; echo 'no such desk' >&2; exit 2"),
      "exit code 2; its last line on stderr: no such desk",
    ],
    ["exits without an error", shell("read -r line; exit 0"), "exit code 0"],
    [
      "another version",
      introducing({ protocolVersion: 2 }),
      "it uses version 2 of the worker protocol, and this bridge uses version 1",
    ],
    ["no version", introducing({}), "version (none)"],
    ["no introduction", introducing(null), "is not an object"],
    ["no methods", introducing({ protocolVersion: 1, methods: "add" }), "not a list of names"],
    ["no concurrency", introducing({ protocolVersion: 1, concurrency: 0 }), "concurrency"],
    [
      "a refusal",
      introducing(undefined, { code: -32000, message: "no database" }),
      "it refused to start: no database",
    ],
  ])("(%s) fails each call with the reason", async (_, command, words) => {
    const system = make(command as readonly string[], { pauseMs: 60_000, pauseMaxMs: 60_000 });
    const [call, start] = await Promise.all([
      failureOf(add(system), "DOWN"),
      failureOf(system.start(), "DOWN"),
    ]);
    expect(call.message).toContain(words);
    expect(start.message).toBe(call.message);
    expect((await failureOf(add(system), "BUSY")).message).toContain(words);
    await system.close();
  });

  it("is killed if it does not introduce itself in time", async () => {
    const system = make(["sleep", "60"], { startMs: 150 });
    const call = failureOf(add(system), "DOWN");
    await sleep(50);
    const { pid } = system;
    expect((await call).message).toContain("it did not answer initialize within 150 ms");
    await untilGone(pid as number);
  });

  it("is refused as BAD_CONFIG if its command is empty", () => {
    expect(() => make([])).toThrow("the command of system desk is empty");
  });

  // A shell starts in a fraction of the time of Node or Python.
  function shell(script: string): readonly string[] {
    return ["sh", "-c", script];
  }

  function introducing(result: unknown, error?: unknown): readonly string[] {
    const said = JSON.stringify({ jsonrpc: "2.0", id: 0, result, error });
    return shell(`read -r line; echo '${said}'; exec cat >/dev/null`);
  }
});

describe("a worker that hangs", () => {
  it.concurrent("fails its call at the deadline, is killed after it and started again", async () => {
    const system = make(plain, { graceMs: 100 });
    await system.start();
    const { pid } = system;
    const beside = failureOf(system.invoke("slow", { ms: 10_000 }, patient), "DOWN");
    await failureOf(system.invoke("hang", {}, hasty), "TIMEOUT");
    expect(runs(pid as number)).toBe(true);
    expect((await beside).message).toMatch(
      /^desk stopped during slow: it hung: hang was not answered within 100 \+ \d+ ms$/,
    );
    await untilGone(pid as number);
    expect(await add(system)).toEqual({ sum: 3 });
    expect(system.counters).toMatchObject({ starts: 2, kills: 1 });
  });

  it.concurrent("that continues to answer other calls is killed after a call is overdue by overdueMaxMs", async () => {
    const system = make(plain, { graceMs: 1_000, overdueMaxMs: 1_500 });
    await system.start();
    const from = performance.now();
    await failureOf(system.invoke("hang", {}, { deadlineMs: 50 }), "TIMEOUT");
    while (system.counters.kills === 0) {
      await add(system).catch(() => {});
      await sleep(10);
    }
    expect(performance.now() - from).toBeGreaterThan(1_400);
  });

  it("is not confused with a worker whose answer a blocked event loop has not read yet", async () => {
    const system = make(plain, { graceMs: 50 });
    await system.start();
    const call = system.invoke("slow", { ms: 20 }, { deadlineMs: 50 }).catch(({ failure }) => failure);
    await sleep(5);
    for (const until = performance.now() + 300; performance.now() < until; );
    // The event loop may handle either of the two first.
    expect([{ ms: 20 }, "TIMEOUT"]).toContainEqual(await call);
    expect(await add(system)).toEqual({ sum: 3 });
    expect(system.counters).toMatchObject({ starts: 1, kills: 0 });
  });

  it.concurrent("is not confused with a worker that is only slow", async () => {
    const system = make(plain, { graceMs: 400 });
    await system.start();
    await failureOf(system.invoke("slow", { ms: 200 }, hasty), "TIMEOUT");
    await sleep(500);
    expect(await add(system)).toEqual({ sum: 3 });
    expect(system.counters).toMatchObject({ starts: 1, kills: 0, late: 1 });
  });

  it.concurrent("is not confused with a worker to which the call was never sent", async () => {
    const system = make(shop.shell({}, ',"concurrency":1'), { graceMs: 100 });
    await system.start();
    const first = system.invoke("slow", { ms: 500 }, patient);
    const waited = await failureOf(system.invoke("add", { a: 1, b: 1 }, hasty), "TIMEOUT");
    expect(waited.message).toBe("add did not answer within 100 ms, waiting behind others");
    expect(await first).toEqual({ ms: 500 });
    expect(await add(system)).toEqual({ sum: 3 });
    expect(system.counters.kills).toBe(0);
  });

  it.concurrent("is killed even if the caller has aborted the call", async () => {
    const system = make(plain, eager);
    await system.start();
    const controller = new AbortController();
    const call = failureOf(
      system.invoke("hang", {}, { deadlineMs: 200, signal: controller.signal }),
      "TIMEOUT",
    );
    controller.abort(new Error("gone home"));
    expect((await call).cause).toMatchObject({ message: "gone home" });
    await sleep(400);
    expect(system.counters.kills).toBe(1);
  });
});

describe("limits", () => {
  const [hugeMb, answerBytesMax] = isLongRun("systems") ? [200, 2 ** 25] : [120, 2 ** 22];
  it(`discard an answer of ${hugeMb} MB while it arrives`, async () => {
    const system = make(
      shop.node(`
methods.huge = (id, { bytes, last }) => {
  const text = '"result":"' + "x".repeat(bytes) + '"';
  line('{"jsonrpc":"2.0",' + (last ? text + ',"id":' + id : '"id":' + id + "," + text) + "}");
};`),
      { graceMs: 20_000, answerBytesMax },
    );
    await system.start();
    globalThis.gc?.();
    const before = process.memoryUsage.rss();
    // V8 collects the discarded pieces late: some 50 MB of them count as used, however large the answer is.
    let most = before;
    const watch = setInterval(() => {
      most = Math.max(most, process.memoryUsage.rss());
    }, 5);
    // One answer has its id at the beginning, the other one at its end.
    for (const last of [false, true]) {
      const bytes = last && !isLongRun("systems") ? 2 * answerBytesMax : hugeMb * 2 ** 20;
      const huge = failureOf(system.invoke("huge", { bytes, last }, { deadlineMs: 90_000 }), "TOO_LARGE");
      expect((await huge).message).toBe(`the answer of huge has more than ${answerBytesMax} bytes`);
      expect(await add(system)).toEqual({ sum: 3 });
    }
    clearInterval(watch);
    expect((most - before) / 2 ** 20).toBeLessThan(hugeMb);
    expect(system.counters).toMatchObject({ starts: 1, kills: 0, tooLong: 2 });
  });

  it("kill a worker that writes one line without end", async () => {
    const system = make(
      shop.node(`
methods.endless = (id) => {
  process.stdout.write('{"jsonrpc":"2.0","id":' + id + ',"result":"');
  const next = () => { while (process.stdout.write("x".repeat(65536))); process.stdout.once("drain", next); };
  next();
};`),
      { ...eager, answerBytesMax: 100_000 },
    );
    await system.start();
    await failureOf(system.invoke("endless", {}, { deadlineMs: 300 }), "TOO_LARGE");
    await expect.poll(() => system.counters.kills, { timeout: 5_000 }).toBe(1);
    expect(await add(system)).toEqual({ sum: 3 });
  });

  it("allow large requests and refuse larger ones", async () => {
    const text = "ü".repeat(400_000);
    expect(await shared.invoke("length", { text }, patient)).toBe(400_000);
    const refused = await failureOf(shared.invoke("length", { text: text + text }, patient), "TOO_LARGE");
    expect(refused.message).toBe("the request of length has 1600011 bytes, and 1000000 are the limit");
    await failureOf(shared.invoke("length", undefined as never, patient), "REFUSED");
    await failureOf(shared.invoke("length", { text: 1n } as never, patient), "REFUSED");
  });

  it("make calls BUSY beyond the maximum of calls and of bytes that the worker has not read", async () => {
    const system = make(shop.shell({ sleep: "sleep 60" }), {
      inFlightMax: 5,
      waitingBytesMax: 1_000_000,
      sentMax: 4,
    });
    await system.start();
    const calls = Array.from({ length: 5 }, () =>
      system.invoke("sleep", {}, hasty).catch(({ failure }) => failure),
    );
    expect((await failureOf(add(system), "BUSY")).message).toBe(
      "5 calls of desk are under way, which is its limit",
    );
    expect(await Promise.all(calls)).toEqual(Array(5).fill("TIMEOUT"));
    const other = make(shop.node(""), { waitingBytesMax: 1_000_000 });
    const large = { a: "x".repeat(600_000), b: "" };
    const first = other.invoke("add", large, patient);
    expect((await failureOf(other.invoke("add", large, patient), "BUSY")).message).toContain(
      "desk has too many requests to read",
    );
    expect(await first).toEqual({ sum: large.a });
    expect(await other.invoke("add", large, patient)).toEqual({ sum: large.a });
  });

  it("let only a part of a flood on stderr reach the log", async () => {
    const log: string[] = [];
    const system = make(
      shop.node(`
methods.flood = (id) => {
  const lines = "a line of no interest\\n".repeat(5000);
  let left = 60;
  const next = () => {
    while (left-- > 0) if (!process.stderr.write(lines)) return process.stderr.once("drain", next);
    answer(id, "done");
  };
  next();
};
methods.long = (id) => {
  process.stderr.write("\\u001b]0;evil\\u0007" + "y".repeat(3_000_000) + "\\nlast\\n");
  answer(id, "done");
};
methods.word = (id) => {
  process.stderr.write("a word\\n");
  answer(id, "done");
};`),
      { log: (line, from) => void log.push(`${from} ${line}`), logLinesPerSecondMax: 20 },
    );
    expect(await system.invoke("long", {}, patient)).toBe("done");
    await expect.poll(() => log).toContain("stderr last");
    expect(log.find((line) => line.includes("evil"))).toMatch(/^stderr \\u\{1b\}\]0;evil\\u\{7\}y+…$/);
    expect(await system.invoke("flood", {}, patient)).toBe("done");
    // The report comes with the first line of a later second, and a fast machine ends the flood within one.
    await expect
      .poll(async () => {
        await system.invoke("word", {}, patient);
        return log.find((line) => line.includes("were left out")) ?? "";
      })
      .toMatch(/^bridge \d+ lines and \d+ bytes more were left out$/);
    expect(log.length).toBeLessThan(200);
    for (const line of log) expect(line.length).toBeLessThan(2_200);
  });

  it("keep working if the log throws", async () => {
    const system = make(plain, {
      log: () => {
        throw new Error("disk full");
      },
    });
    expect(await add(system)).toEqual({ sum: 3 });
  });

  it("reduce an unlimited deadline to the maximum", async () => {
    const system = make(plain);
    expect(await system.invoke("add", { a: 1, b: 1 }, { deadlineMs: Number.POSITIVE_INFINITY })).toEqual({
      sum: 2,
    });
    for (const deadlineMs of [0, -1, Number.NaN])
      await failureOf(system.invoke("add", {}, { deadlineMs }), "TIMEOUT");
  });
});

describe("the environment of a worker", () => {
  const teller = shop.shell({
    env: `answer "[\\"\${PNL_TEST_A-unset}\\",\\"\${PNL_TEST_B-unset}\\",\\"$(pwd -P)\\"]"`,
  });
  it.each([
    ["has only PATH, HOME, LANG, TZ and the like by default", {}, ["unset", "unset"]],
    [
      "has the named variables of this process",
      { inheritEnv: ["PNL_TEST_B", "PNL_TEST_MISSING"] },
      ["unset", "also ours"],
    ],
    ["has the variables of the option env", { env: { PNL_TEST_A: "more" } }, ["more", "unset"]],
  ] as const)("%s", async (_, options, expected) => {
    process.env.PNL_TEST_A = "ours";
    process.env.PNL_TEST_B = "also ours";
    const system = make(teller, options);
    expect(await system.invoke("env", {}, patient)).toEqual([...expected, shop.folder]);
  });
});

describe("nothing is left behind", () => {
  const stubborn = shop.shell({
    child: `trap "" TERM
      sleep 60 >/dev/null 2>&1 &
      answer "[$$,$!]"
      while :; do sleep 1; done`,
  });

  it("by close(), even of a worker that ignores signals and the end of its stdin", async () => {
    const system = make(stubborn, { closeMs: 50 });
    const pids = (await system.invoke("child", {}, patient)) as number[];
    const call = failureOf(system.invoke("hang", {}, patient), "DOWN");
    await system.close();
    expect((await call).message).toBe("desk has been closed");
    for (const pid of pids) await untilGone(pid);
    await failureOf(add(system), "DOWN");
    await failureOf(system.start(), "DOWN");
  });

  it("by close() while it starts", async () => {
    const system = make(["sleep", "60"], { closeMs: 50 });
    const call = failureOf(add(system), "DOWN");
    const { pid } = system;
    await system.close();
    await call;
    await untilGone(pid as number);
  });

  it("by a worker that ends when its stdin does, without a signal", async () => {
    const system = make(shop.shell({ trapped: "trap 'echo SIGTERM came >&2' TERM; answer true" }), {
      closeMs: 60_000,
    });
    expect(await system.invoke("trapped", {}, patient)).toBe(true);
    await system.close();
    expect(shop.log).not.toContain("SIGTERM came");
  });

  const endings: readonly (readonly [name: string, statement: string])[] = [
    ["is killed", 'process.kill(process.pid, "SIGKILL");'],
    ["ends by itself", ""],
    ["exits in the middle", "process.exit(0);"],
  ];
  it.concurrent.each(isLongRun("systems") ? endings : endings.slice(0, 1))(
    "by a program that %s without closing the system",
    async (_, ending) => {
      const [, ours = ""] = shop.script(`
import { CommandSystem } from ${JSON.stringify(join(root, "src/adapters/worker/index.ts"))};
const system = new CommandSystem({ name: "desk", command: ${JSON.stringify(stubborn)} });
const pids = await system.invoke("child", {}, { deadlineMs: 20_000 });
console.log(JSON.stringify(pids));
${ending}
`);
      const program = spawn(process.execPath, [ours], { stdio: ["ignore", "pipe", "inherit"] });
      let out = "";
      program.stdout.on("data", (chunk) => {
        out += chunk;
      });
      await new Promise((resolve) => program.on("close", resolve));
      const pids: number[] = JSON.parse(out);
      expect(pids).toHaveLength(2);
      for (const pid of pids) await untilGone(pid);
    },
  );
});
