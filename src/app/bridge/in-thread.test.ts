import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { systemClock } from "../../adapters/host/index.ts";
import { bridgeServices, type ServiceBridgeOptions } from "../../bridges/service/index.ts";
import { failureOf } from "../../testing/system-contract.ts";
import { type InThreadOptions, inThread } from "./in-thread.ts";

interface Desk {
  add(a: number, b: number): number | Promise<number>;
  echo(value: unknown): unknown;
  fail(how: string): unknown;
  burn(ms: number): unknown;
  hang(ms?: number): unknown;
}

const folder = mkdtempSync(join(tmpdir(), "pnl-bridge-in-thread-"));
const desk = join(folder, "desk.mjs");
writeFileSync(
  desk,
  `export class Desk {
     add(a, b) { return a + b; }
     echo(value) { return value; }
     fail(how) {
       if (how === "code") throw Object.assign(new RangeError("no such book"), { code: "NO_BOOK" });
       throw new RangeError("out of range");
     }
     burn(ms) { for (const until = performance.now() + ms; performance.now() < until; ); return "burnt"; }
     hang() { return new Promise(() => {}); }
     function() { return () => 1; }
   }
   export default { add: (a, b) => "default " + (a + b) };`,
);
const cleanUps: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Creates a bridge whose host reports no overload, so that no shadow is shed on a busy machine. */
const createServiceBridge = <T extends object>(options: ServiceBridgeOptions<T>) =>
  bridgeServices(options, {
    clock: systemClock,
    load: { overload: () => undefined },
    draw: Math.random,
  });

function deskInThread(options: InThreadOptions = {}, exportName: string | undefined = "Desk") {
  const thread = inThread<Desk>(desk, exportName, { log: () => {}, restartMinMs: 0, ...options });
  cleanUps.push(() => thread.close());
  return thread;
}

describe("a service in a thread", () => {
  it("is called like a local service, with any number of arguments, and returns promises", async () => {
    const { service } = deskInThread();
    expect(await service.add(2, 3)).toBe(5);
    const values = [
      new Date(5),
      new Map([["a", 1n]]),
      new Set([0.1]),
      undefined,
      Number.NaN,
      -0,
      new Uint8Array([1, 2]),
    ];
    for (const value of values) expect(await service.echo(value)).toEqual(value);
    const named = inThread<Desk>(`${desk}#Desk`);
    cleanUps.push(() => named.close());
    expect(await named.service.echo("x")).toBe("x");
    expect(await deskInThread({}, "default").service.add(1, 1)).toBe("default 2");
  });

  it("is not a promise itself, shows its methods after loading, and cannot be written to", async () => {
    const { service, start } = deskInThread();
    expect(await service).toBe(service);
    expect("add" in service).toBe(false);
    await start();
    expect(["add" in service, "subtract" in service]).toEqual([true, false]);
    expect(service.add).toBe(service.add);
    expect(() => {
      service.add = () => 0;
    }).toThrow(TypeError);
  });

  it("fails with the module's own error: its name, message and code", async () => {
    const { service } = deskInThread();
    await expect(service.fail("code")).rejects.toMatchObject({
      name: "RangeError",
      message: "no such book",
      code: "NO_BOOK",
    });
    const plain = (await Promise.resolve(service.fail("")).catch((failure: unknown) => failure)) as Error;
    expect([plain.name, plain.message, "code" in plain]).toEqual(["RangeError", "out of range", false]);
    await expect((service as unknown as { subtract(): unknown }).subtract()).rejects.toThrow(
      "no such method",
    );
  });

  it("fails with the class of the thread's failure", async () => {
    const { service, start } = deskInThread({
      timeoutMs: 300,
      graceMs: 50,
      answerBytesMax: 1_000,
      inFlightMax: 1,
    });
    await start();
    const method = service as unknown as { function(): Promise<unknown> };
    await failureOf(method.function(), "GARBLED");
    await failureOf(Promise.resolve(service.echo(() => 1)), "REFUSED");
    await failureOf(Promise.resolve(service.echo("x".repeat(2_000))), "TOO_LARGE");
    const burn = failureOf(Promise.resolve(service.burn(600_000)), "TIMEOUT");
    await failureOf(Promise.resolve(service.add(1, 1)), "BUSY");
    await burn;
  });

  it("reports a missing export of its module", async () => {
    const { service, start } = deskInThread({}, "Nothing");
    await expect(start()).rejects.toThrow("exports no Nothing");
    await failureOf(Promise.resolve(service.add(1, 1)), "DOWN");
  });

  it("fails DOWN after close", async () => {
    const { service, close } = deskInThread();
    const underWay = failureOf(Promise.resolve(service.hang()), "DOWN");
    await close();
    await underWay;
    await failureOf(Promise.resolve(service.add(1, 1)), "DOWN");
  });
});

const legacy: Desk = {
  add: (a, b) => a + b,
  echo: (value) => value,
  fail: (how) => {
    throw Object.assign(new RangeError("words of legacy's own"), how === "code" ? { code: "NO_BOOK" } : {});
  },
  burn: () => "burnt",
  hang: () => "answered",
};

describe("the modern side of a bridge, in a thread", () => {
  it("is compared as in one process: answers by value, errors by code or name", async () => {
    const { service: modern, start } = deskInThread();
    await start();
    const verdicts: string[] = [];
    const service = createServiceBridge<Desk>({
      legacy,
      modern,
      plan: { phase: "shadow_mode" },
      shadow: { timeoutMs: 20_000 },
      onComparison: ({ method, verdict }) => verdicts.push(`${method} ${verdict}`),
    });
    expect(service.add(1, 2)).toBe(3);
    await service.$bridge.idle();
    service.echo({ price: 0.1, at: new Date(5) });
    await service.$bridge.idle();
    for (const how of ["code", ""]) expect(() => service.fail(how)).toThrow("words of legacy's own");
    await service.$bridge.idle();
    expect(verdicts).toEqual(["add equal", "echo equal", "fail equal", "fail equal"]);
    await service.$bridge.close();
  });

  it("does not block the caller, and a shadow past its deadline costs only the thread", async () => {
    const lines: string[] = [];
    const { service: modern, start } = deskInThread({ graceMs: 30, log: (line) => lines.push(line) });
    await start();
    const service = createServiceBridge<Desk>({
      legacy,
      modern,
      plan: { phase: "shadow_mode" },
      shadow: { timeoutMs: 1_000 },
    });
    expect(service.burn(600_000)).toBe("burnt");
    expect(service.$bridge.counters.burn).toMatchObject({ timeouts: 0 });
    await service.$bridge.idle();
    expect(service.$bridge.counters.burn).toMatchObject({ timeouts: 1 });
    await expect
      .poll(() => lines)
      .toEqual(["the thread ended: it computed without a pause for 30 ms after a call's deadline"]);
    await expect.poll(() => Promise.resolve(modern.add(1, 1)).catch(String)).toBe(2);
    await service.$bridge.close();
  });

  it.each([
    ["hang", "answered", 60_000],
    ["burn", "burnt", 50],
  ] as const)(
    "falls back to legacy at the bridge's deadline while modern's method %ss",
    async (method, answer, graceMs) => {
      const { service: modern, start } = deskInThread({ graceMs });
      await start();
      const service = createServiceBridge<Desk>({
        legacy,
        modern,
        plan: { phase: "primary_switch", flags: { calculator: true, storage: true } },
        answering: { timeoutMs: 80 },
      });
      expect(await service[method](600_000)).toBe(answer);
      expect(service.$bridge.counters[method]).toMatchObject({ fellBack: { TIMEOUT: 1 } });
      await service.$bridge.close();
    },
  );
});
