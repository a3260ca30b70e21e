import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { isLongRun } from "../../../test/campaigns.ts";
import { BridgeError } from "../../base/errors.ts";
import { SystemFailure } from "../../domain/migration/system-failure.ts";
import { moduleReference } from "../../testing/reference-service.ts";
import { failureOf, systemContract } from "../../testing/system-contract.ts";
import { ModuleSystem, type ModuleSystemOptions, type ThreadOptions } from "./index.ts";

const patient = { deadlineMs: 20_000 };
const hasty = { deadlineMs: 50 };
const referenceModule = new URL("../../testing/reference-service.ts#threadReference", import.meta.url);
/** Numbers of a module's answers are floats, and have no other source text. */
const floats = { longNumber: "12345678901234567000" };

systemContract(
  "an object in this process",
  ({ answerBytesMax }) => ({
    system: new ModuleSystem({ name: "desk", service: moduleReference(), answerBytesMax }),
  }),
  {
    aBusyProcessorIsCutOff: "nothing can stop a function of this thread",
    vanished: "an object in this process vanishes only with the process",
  },
  floats,
);

systemContract(
  "a module in a thread",
  ({ answerBytesMax }) => {
    const thread = { graceMs: 200 };
    const options = { module: referenceModule, answerBytesMax, thread, log: () => {} };
    const system = new ModuleSystem({ name: "desk", isolation: "thread", ...options });
    return { system };
  },
  {},
  floats,
);

// --- modules of the tests, written as files so that a thread can load them ---

const folder = mkdtempSync(join(tmpdir(), "pnl-bridge-module-"));
let files = 0;
const systems: ModuleSystem[] = [];
afterEach(async () => {
  await Promise.all(systems.splice(0).map((system) => system.close()));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Writes a module and returns its path relative to the folder. */
function moduleFile(source: string): string {
  const name = `./module ${++files}.mjs`;
  writeFileSync(join(folder, name), source);
  return name;
}

function systemOf(options: Omit<ModuleSystemOptions, "name">): ModuleSystem {
  const system = new ModuleSystem({ name: "desk", baseFolder: folder, ...options });
  systems.push(system);
  return system;
}

function threadOf(
  source: string,
  thread: Partial<ThreadOptions> = {},
  log = (_line: string): void => {},
): ModuleSystem {
  return systemOf({ module: moduleFile(source), isolation: "thread", thread, log });
}

async function untilAnswers(system: ModuleSystem, method = "echo"): Promise<void> {
  await expect.poll(() => system.invoke(method, "x", patient).catch(String)).toBe("x");
}

const forms = moduleFile(`
  class Base { inherited() { return this.own; } _helper() {} }
  export class Desk extends Base {
    own = "own";
    arrow = () => this.own;
    static other() {}
    get danger() { throw new Error("a getter must not be asked"); }
    echo(request) { return request; }
  }
  export const ready = new Desk();
  export const factory = () => new Desk();
  export const later = async () => new Desk();
  export function Compiled() { this.own = "own"; this.arrow = () => "own"; }
  Compiled.prototype.inherited = function () { return this.own; };
  Compiled.prototype.echo = (request) => request;
  export const nothing = null;
  export const number = () => 7;
  export const bad = () => { throw new Error("no licence"); };
  export default ready;
`);
const plainModule = moduleFile(`
  export const own = "own", echo = (request) => request, arrow = () => own;
  export async function inherited() { return own; }
`);

describe.each(["none", "thread"] as const)("a module's export (isolation: %s)", (isolation) => {
  // The same code loads a module with and without a thread. Each case in a thread starts a thread, so a short
  // run tries only the first case there.
  const some = <T>(cases: readonly T[]): readonly T[] =>
    isolation === "none" || isLongRun("systems") ? cases : cases.slice(0, 1);

  it.each(
    some<string | URL>([
      `${forms}#ready`,
      `${forms}#Desk`,
      `${forms}#factory`,
      `${forms}#later`,
      `${forms}#Compiled`,
      forms,
      plainModule,
      new URL(`${pathToFileURL(join(folder, forms)).href}#Desk`),
    ]),
  )("%s offers its public methods, bound to the service", async (module) => {
    const system = systemOf({ module, isolation });
    await system.start();
    expect([...(system.methods ?? [])].sort()).toEqual(["arrow", "echo", "inherited"]);
    for (const method of ["arrow", "inherited"])
      expect(await system.invoke(method, null, patient)).toBe("own");
    for (const method of ["own", "_helper", "danger", "other"])
      await failureOf(system.invoke(method, null, patient), "REFUSED");
  });

  it.each(
    some([
      [`${forms}#missing`, "exports no missing, only: "],
      [`${forms}#nothing`, "not an object with methods"],
      [`${forms}#number`, "not an object with methods"],
      [`${forms}#bad`, "no licence"],
      ["./absent.mjs", "absent.mjs"],
    ] as const),
  )("%s cannot be loaded, and each call fails with the reason", async (module, why) => {
    const system = systemOf({ module, isolation, thread: { restartMinMs: 0 }, log: () => {} });
    expect((await failureOf(system.invoke("echo", null, patient), "DOWN")).message).toContain(why);
    expect((await failureOf(system.start(), "DOWN")).message).toContain(why);
    expect((await failureOf(system.invoke("echo", null, patient), "DOWN")).message).toContain(why);
  });

  it("a method that throws anything, or promises to, is REFUSED", async () => {
    const cases: readonly (readonly [string, string | undefined, string])[] = [
      ["throw 0", undefined, "0"],
      ["throw null", undefined, "null"],
      ["throw undefined", undefined, "undefined"],
      ["throw 'text'", undefined, "text"],
      ["throw Symbol('s')", undefined, "Symbol(s)"],
      ["throw new TypeError('bad type')", "TypeError", "bad type"],
      ["throw Object.assign(new TypeError('x'), { code: 'NO_BOOK' })", "NO_BOOK", "x"],
      ["throw Object.assign(new Error('x'), { code: 42 })", undefined, "x"],
      ["throw { code: 'C' }", "C", "an error without a message"],
      ["throw { get message() { throw 1; } }", undefined, "cannot be read"],
      ["throw Object.create(null)", undefined, "an error without a message"],
      ["return Promise.reject(new RangeError('later'))", "RangeError", "later"],
      ["return { then(_, reject) { reject(new Error('thenable')); } }", undefined, "thenable"],
    ];
    const methods = cases.map(([body], at) => `export const method${at} = () => { ${body}; };`);
    const system = systemOf({ module: moduleFile(methods.join("\n")), isolation });
    for (const [at, [body, code, words]] of cases.entries()) {
      const failure = await failureOf(system.invoke(`method${at}`, null, patient), "REFUSED");
      expect([body, failure.code, failure.message]).toEqual([body, code, expect.stringContaining(words)]);
    }
  });

  it("a call beyond the limit of calls under way fails BUSY", async () => {
    const system = systemOf({
      module: moduleFile("export const hang = () => new Promise(() => {});"),
      isolation,
      inFlightMax: 2,
    });
    const calls = [system.invoke("hang", null, hasty), system.invoke("hang", null, hasty)];
    await failureOf(system.invoke("hang", null, hasty), "BUSY");
    for (const call of calls) await failureOf(call, "TIMEOUT");
    await failureOf(system.invoke("hang", null, hasty), "TIMEOUT");
  });

  it("floats stay floats with exactNumbers: false", async () => {
    const system = systemOf({
      module: moduleFile("export const half = () => 0.5;"),
      isolation,
      exactNumbers: false,
    });
    expect(await system.invoke("half", null, patient)).toBe(0.5);
  });
});

describe("a module in this process", () => {
  it("the methods of an object, sync or async, are known before any call, and a method runs on after its deadline", async () => {
    let ended = false;
    const service = {
      echo: (request: unknown) => request,
      async slow() {
        await sleep(80);
        ended = true;
      },
    };
    const system = systemOf({ service, kind: "builtin" });
    expect([system.kind, [...(system.methods ?? [])]]).toEqual(["builtin", ["echo", "slow"]]);
    await failureOf(system.invoke("slow", null, hasty), "TIMEOUT");
    await expect.poll(() => ended).toBe(true);
  });

  it("a service created here is disposed of, and one passed in is not", async () => {
    let disposed = 0;
    const service = { echo: (request: unknown) => request, [Symbol.dispose]: () => disposed++ };
    await systemOf({ service }).close();
    expect(disposed).toBe(0);
    const log = globalThis as { disposedOf?: string };
    const made = systemOf({
      module: moduleFile(
        `export class Desk {
           echo(r) { return r; }
           async [Symbol.asyncDispose]() { globalThis.disposedOf = 'desk'; }
         }`,
      ).concat("#Desk"),
    });
    expect(await made.invoke("echo", "x", patient)).toBe("x");
    await made.close();
    await made.close();
    expect(log.disposedOf).toBe("desk");
    delete log.disposedOf;
  });

  it.each<[string, Partial<ModuleSystemOptions>]>([
    ["an object in a thread", { service: {}, isolation: "thread" }],
    ["neither object nor module", {}],
    ["both", { service: {}, module: forms }],
    ["a URL that is not a file", { module: "https://example.com/desk.js" }],
    ["no path", { module: "#desk" }],
  ])("%s is refused", (_, options) => {
    const make = (): unknown => new ModuleSystem({ name: "desk", ...options });
    expect(make).toThrow(BridgeError);
    expect(make).toThrow(expect.objectContaining({ code: "BAD_CONFIG" }));
  });
});

const burning = `
  export const echo = (request) => request;
  export const burn = ({ ms }) => {
    for (const until = performance.now() + ms; performance.now() < until; );
    return "burnt";
  };
  let begun = 0;
  export const count = () => ++begun;
  export const hang = () => new Promise(() => {});
`;

describe("a module in a thread", () => {
  // The first tests leave their thread intact and share it: the start of a thread is expensive.
  const lines: string[] = [];
  const burner = new ModuleSystem({
    name: "desk",
    module: moduleFile(burning),
    baseFolder: folder,
    isolation: "thread",
    thread: { graceMs: 30_000 },
    log: (line) => lines.push(line),
  });
  afterAll(() => burner.close());

  it("a call copies its request at once, also while the thread starts", async () => {
    const request = { items: ["a"] };
    const answer = burner.invoke("echo", request, patient);
    request.items.push("b");
    expect(await answer).toEqual({ items: ["a"] });
  });

  it("a thread that computes does not block the caller: the caller's timers run in between", async () => {
    const order: string[] = [];
    await burner.start();
    const call = burner.invoke("burn", { ms: 400 }, patient).then(() => order.push("burnt"));
    for (let turn = 0; turn < 10; turn++) {
      await sleep(1);
      order.push("turn");
    }
    await call;
    expect(order).toEqual([...Array(10).fill("turn"), "burnt"]);
  });

  it("a thread that computes within the grace stays, and skips calls past their deadline", async () => {
    const burn = failureOf(burner.invoke("burn", { ms: 300 }, hasty), "TIMEOUT");
    const behind = Array.from({ length: 5 }, () => failureOf(burner.invoke("count", null, hasty), "TIMEOUT"));
    await Promise.all([burn, ...behind]);
    expect(await burner.invoke("count", null, patient)).toBe(1);
    expect(lines).toEqual([]);
  });

  it("a thread that computes beyond deadline and grace is replaced and fails its open calls", async () => {
    const lines: string[] = [];
    const system = threadOf(burning, { graceMs: 500, restartMinMs: 0 }, (line) => lines.push(line));
    await untilAnswers(system);
    const order: string[] = [];
    const beside = failureOf(system.invoke("hang", null, patient), "DOWN").then(() => order.push("beside"));
    await failureOf(system.invoke("burn", { ms: 600_000 }, hasty), "TIMEOUT");
    order.push("burn");
    const after = failureOf(system.invoke("echo", "waits behind it", patient), "DOWN");
    await Promise.all([beside, after]);
    expect(order).toEqual(["burn", "beside"]);
    expect(await system.invoke("echo", "x", patient)).toBe("x");
    expect(lines).toEqual([
      "the thread ended: it computed without a pause for 500 ms after a call's deadline",
    ]);
  });

  it("a thread with too many calls that never end is replaced", async () => {
    const lines: string[] = [];
    const system = threadOf(burning, { unendedMax: 3, restartMinMs: 0 }, (line) => lines.push(line));
    await untilAnswers(system);
    // A call that a slow machine has not begun by its deadline does not count.
    for (let call = 0; call < 100 && lines.length === 0; call++)
      await system
        .invoke("hang", null, { deadlineMs: 20 })
        .catch((failure: unknown) => expect(failure).toBeInstanceOf(SystemFailure));
    expect(lines).toEqual(["the thread ended: it has 3 calls that never end"]);
    await untilAnswers(system);
  });

  const deaths: readonly [string, string, Partial<ThreadOptions>][] = [
    ["leaves", "process.exit(3)", {}],
    [
      "throws where nobody catches",
      "setTimeout(() => { throw new Error('stray'); }); return new Promise(() => {})",
      {},
    ],
    [
      "needs more memory than it may",
      "const all = []; for (;;) all.push(new Array(1e5).fill(all.length))",
      { resourceLimits: { maxOldGenerationSizeMb: 32 } },
    ],
  ];
  it.each(isLongRun("systems") ? deaths : deaths.slice(0, 1))(
    "that %s in the middle of a call fails all calls under way, and works again after a pause",
    async (_, body, thread) => {
      const system = threadOf(`${burning} export const die = () => { ${body}; };`, {
        restartMinMs: 300,
        ...thread,
      });
      await untilAnswers(system);
      const beside = Array.from({ length: 20 }, () =>
        failureOf(system.invoke("hang", null, patient), "DOWN"),
      );
      await Promise.all([failureOf(system.invoke("die", null, patient), "DOWN"), ...beside]);
      await failureOf(system.invoke("echo", "x", patient), "BUSY");
      await untilAnswers(system);
    },
  );

  it("a module that cannot be loaded is tried again after pauses that double", async () => {
    const system = threadOf("throw new Error('no licence')", { restartMinMs: 40, restartMaxMs: 100_000 });
    const outcomes = new Map<string, number>();
    const startedMs = performance.now();
    const count = (failure: string): number => outcomes.get(failure) ?? 0;
    while (count("DOWN") < 3 || count("BUSY") < 5) {
      const failure = (await system
        .invoke("echo", null, patient)
        .catch((failure: unknown) => failure)) as SystemFailure;
      outcomes.set(failure.failure, (outcomes.get(failure.failure) ?? 0) + 1);
      await sleep(5);
    }
    expect([...outcomes.keys()].sort()).toEqual(["BUSY", "DOWN"]);
    // Pauses of 40, 80, 160 ms … precede the n-th try: together 40 × (2^(n-1) - 1) ms, within a timer's
    // precision.
    expect(performance.now() - startedMs).toBeGreaterThan(0.9 * 40 * (2 ** (count("DOWN") - 1) - 1));
  });

  it("a module that loads too slowly is given up, and calls meanwhile fail at their deadline", async () => {
    const system = threadOf("await new Promise((resolve) => setTimeout(resolve, 600_000));", {
      startMs: 200,
    });
    await failureOf(system.invoke("echo", null, hasty), "TIMEOUT");
    const failure = await failureOf(system.invoke("echo", null, patient), "DOWN");
    expect(failure.message).toContain("did not load within 200 ms");
  });

  it("a thread prints into the log line by line, and survives an unhandled rejection", async () => {
    const lines: string[] = [];
    const system = threadOf(
      `export const echo = (request) => request;
       export const print = () => {
         console.log("out\\u001b[31m"); console.error("err %d", 7);
         process.stdout.write("half "); process.stdout.write(Buffer.from("line\\n"), () => {});
         void Promise.reject(new TypeError("stray"));
       };
       export const flood = () => {
         for (let line = 0; line < 10_000; line++) console.log("x".repeat(5_000));
       };`,
      {},
      (line) => lines.push(line),
    );
    await system.invoke("print", null, patient);
    await expect
      .poll(() => lines)
      .toEqual(["out\\u{1b}[31m", "err 7", "half line", "unhandled rejection: TypeError: stray"]);
    await untilAnswers(system);
    await system.invoke("flood", null, patient);
    await sleep(1_100);
    await system.invoke("print", null, patient);
    await expect.poll(() => lines.some((line) => line.includes("were left out"))).toBe(true);
    expect(lines.length).toBeLessThan(5_000);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(2_100);
  });

  it("a thread survives a log that throws", async () => {
    const system = threadOf("console.log('x'); export const echo = (request) => request;", {}, () => {
      throw new Error("full");
    });
    await untilAnswers(system);
  });

  it("a thread no longer runs after close() has resolved", async () => {
    const beats = new BroadcastChannel("pnl-bridge beats");
    let count = 0;
    beats.onmessage = () => count++;
    const system = threadOf(`
      const beats = new BroadcastChannel("pnl-bridge beats");
      setInterval(() => beats.postMessage("beat"), 1);
    `);
    await system.start();
    await expect.poll(() => count).toBeGreaterThan(3);
    await system.close();
    await sleep(20);
    const closed = count;
    await sleep(50);
    expect(count).toBe(closed);
    beats.close();
  });

  it("a thread keeps the process alive only while a call is under way", async () => {
    const desk = moduleFile(
      `export const slow = () => new Promise((resolve) => setTimeout(resolve, 300, 'done'));
       setInterval(() => {}, 10);`,
    );
    const program = join(folder, "program.mjs");
    const adapter = new URL("./index.ts", import.meta.url).href;
    writeFileSync(
      program,
      `import { ModuleSystem } from ${JSON.stringify(adapter)};
       const module = ${JSON.stringify(join(folder, desk))};
       const system = new ModuleSystem({ name: "desk", module, isolation: "thread" });
       await system.start();
       console.log(await system.invoke("slow", null, { deadlineMs: Infinity }));
       // The system is not closed, and the program ends nevertheless.`,
    );
    const { stdout } = await promisify(execFile)(process.execPath, [program], { timeout: 20_000 });
    expect(stdout).toBe("done\n");
  });
});
