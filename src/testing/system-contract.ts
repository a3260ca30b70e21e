/**
 * The contract of `BridgedSystem`, as a test suite that every adapter runs over the reference service
 * (reference-service.ts):
 *
 *     systemContract("http", async ({ answerBytesMax }) => {
 *       const server = await serveReference();
 *       return { system: new HttpSystem({ …, answerBytesMax }), end: () => server.close() };
 *     }, { aBusyProcessorIsCutOff: "the server of this test runs in the test's own process" });
 *
 * `make` returns a new system over a new service. The tests that leave a service intact share one system;
 * each other test has its own. `skips` names the promises that a kind of system cannot keep, with a reason
 * that the report shows. No test depends on the clock except to wait; if a system breaks a promise "at the
 * deadline", the test ends by its own time limit. A call during a restart of the system may fail with BUSY or
 * DOWN; "works afterwards" means within `recoveryMs`.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type FailureClass, SystemFailure } from "../domain/migration/system-failure.ts";
import type { BridgedSystem, JsonValue } from "../ports/system.ts";

export interface MadeSystem {
  readonly system: BridgedSystem;
  /** Removes the surroundings of the system (a server, a folder) after it is closed. */
  readonly end?: () => Promise<void> | void;
  /**
   * Number of running parts of the system (processes, threads, connections), if the test can count them; 0
   * after `close()`.
   */
  readonly running?: () => Promise<number> | number;
}

export interface MakeOptions {
  /** The limit that the system must have: a larger answer is TOO_LARGE. */
  readonly answerBytesMax: number;
}

/** The promises by name. A skip uses one of these names. */
const systemPromises = {
  answers: "returns the answers of the service",
  textComesThrough: "transmits every text and every form of JSON unchanged in both directions",
  largeRequest: "transmits a request of a megabyte",
  requestIsNeverChanged: "never changes the caller's request, even if the service modifies its copy",
  answerIsTheCallers: "gives each caller an answer of its own, which later calls do not change",
  errorsAreRefused: "fails with REFUSED and the service's own code and message when the service fails",
  errorTextIsBounded: "keeps error texts short and on one line",
  unknownMethods: "fails with REFUSED for an unknown method with any name",
  deadline: "fails with TIMEOUT at the deadline, and works afterwards",
  aBusyProcessorIsCutOff:
    "fails with TIMEOUT at the deadline of a call that computes without a pause, and works afterwards",
  abort: "fails with TIMEOUT when the caller aborts before or during the call, and works afterwards",
  concurrentCalls: "runs calls concurrently, each with its own answer",
  outOfOrder: "returns answers as they arrive, not in the order of the calls",
  failuresBesideAnswers: "does not let a failed call affect others",
  tooLarge: "fails with TOO_LARGE beyond the limit, and works afterwards",
  garbled: "fails with GARBLED for an invalid answer, and works afterwards",
  vanished: "fails with DOWN when the service ends during a call, and works afterwards",
  exactNumbers: "returns small whole numbers as numbers, and all others as decimal text",
  closed: "fails with DOWN for calls in progress at close() and after it, and leaves nothing running",
  closedTwice: "may be closed twice, and before its first call",
  methodsAreNamed: "lists its methods, or reports that they are unknown",
} as const;
export type SystemPromise = keyof typeof systemPromises;

/**
 * The promises whose tests leave the service intact, and the last one, which closes it. They share one
 * system, because a start is expensive.
 */
const sharing: ReadonlySet<SystemPromise> = new Set([
  "answers",
  "textComesThrough",
  "largeRequest",
  "requestIsNeverChanged",
  "answerIsTheCallers",
  "errorsAreRefused",
  "errorTextIsBounded",
  "unknownMethods",
  "concurrentCalls",
  "outOfOrder",
  "failuresBesideAnswers",
  "tooLarge",
  "garbled",
  "exactNumbers",
  "methodsAreNamed",
  "closed",
]);

export interface ContractOptions {
  /** The time after an interrupted call within which a system must work again. Default 10 000. */
  readonly recoveryMs?: number;
  /**
   * The expected long number of `numbers`. Default: every digit of the text. A kind of system whose answers
   * pass through floats expects another number.
   */
  readonly longNumber?: string;
}

const answerBytesMax = 1_200_000;
const errorTextMax = 2_000;
/** A deadline for calls that must be answered, long enough for a slow machine. */
const patient = { deadlineMs: 20_000 };
/** A short deadline for calls that must time out. */
const hasty = { deadlineMs: 100 };

export function systemContract(
  name: string,
  make: (options: MakeOptions) => Promise<MadeSystem> | MadeSystem,
  skips: { readonly [P in SystemPromise]?: string } = {},
  { recoveryMs = 10_000, longNumber = "12345678901234567890.123" }: ContractOptions = {},
): void {
  describe(`${name} keeps the contract of a bridged system: it`, () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown) => unhandled.push(reason);
    let shared: Promise<MadeSystem> | undefined;
    beforeAll(() => {
      process.on("unhandledRejection", note);
    });
    afterAll(async () => {
      if (shared !== undefined) await close(await shared);
      await sleep(20);
      process.off("unhandledRejection", note);
      expect(unhandled, "unhandled rejections").toEqual([]);
    });

    const close = async ({ system, end }: MadeSystem): Promise<void> => {
      await system.close();
      await end?.();
    };
    const makeWarm = async (): Promise<MadeSystem> => {
      const made = await make({ answerBytesMax });
      expect(await made.system.invoke("echo", "warm", patient)).toBe("warm");
      return made;
    };

    /**
     * Runs a test over a system, and closes the system if it is not shared. With `warm`, the system has
     * started and answered once before.
     */
    function promise(
      which: SystemPromise,
      test: (system: BridgedSystem, made: MadeSystem) => Promise<void>,
      warm = true,
    ): void {
      const reason = skips[which];
      if (reason !== undefined) {
        it.skip(`${systemPromises[which]} (${reason})`, () => {});
        return;
      }
      it(systemPromises[which], { timeout: 30_000 }, async () => {
        if (sharing.has(which)) {
          shared ??= makeWarm();
          const made = await shared;
          await test(made.system, made);
          return;
        }
        const made = warm ? await makeWarm() : await make({ answerBytesMax });
        try {
          await test(made.system, made);
        } finally {
          await close(made);
        }
      });
    }

    const worksAfterwards = async (system: BridgedSystem): Promise<void> => {
      const untilMs = performance.now() + recoveryMs;
      for (;;) {
        try {
          expect(await system.invoke("add", { a: "2", b: "3" }, patient)).toEqual({ sum: "5" });
          return;
        } catch (failure) {
          const starting =
            failure instanceof SystemFailure && (failure.failure === "BUSY" || failure.failure === "DOWN");
          if (!starting || performance.now() > untilMs) throw failure;
          await sleep(20);
        }
      }
    };

    promise("answers", async (system) => {
      expect(await system.invoke("add", { a: "12345678901234567890", b: "1" }, patient)).toEqual({
        sum: "12345678901234567891",
      });
      expect(await system.invoke("add", { a: "-1", b: "1" }, patient)).toEqual({ sum: "0" });
    });

    promise("textComesThrough", async (system) => {
      for (const value of awkwardValues) expect(await system.invoke("echo", value, patient)).toEqual(value);
      const named = JSON.parse('{"__proto__":{"polluted":"yes"},"constructor":"c"}');
      const answer = (await system.invoke("echo", named, patient)) as { readonly polluted?: unknown };
      expect(answer.polluted).toBeUndefined();
      expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    });

    promise("largeRequest", async (system) => {
      const rows = Array.from({ length: 10_000 }, (_, id) => ({ id: String(id), text: "x".repeat(80) }));
      expect(isDeepStrictEqual(await system.invoke("echo", rows, patient), rows)).toBe(true);
    });

    promise("requestIsNeverChanged", async (system) => {
      const request = { items: ["a", "b"] };
      expect(textOf(await system.invoke("scribble", request, patient), "items")).toBe("2");
      expect(request).toEqual({ items: ["a", "b"] });
      const frozen = Object.freeze({ items: Object.freeze(["a"]) });
      expect(textOf(await system.invoke("scribble", frozen, patient), "items")).toBe("1");
    });

    promise("answerIsTheCallers", async (system) => {
      const first = await system.invoke("remember", "one", patient);
      const second = await system.invoke("remember", "two", patient);
      expect(first).toEqual({ seen: ["one"] });
      expect(second).toEqual({ seen: ["one", "two"] });
      const sent = { items: ["a"] };
      await system.invoke("remember", sent, patient);
      sent.items.push("b");
      expect(await system.invoke("remember", "four", patient)).toEqual({
        seen: ["one", "two", { items: ["a"] }, "four"],
      });
    });

    promise("errorsAreRefused", async (system) => {
      const coded = await failureOf(
        system.invoke("fail", { message: "no such book: UST", code: "NO_BOOK" }, patient),
        "REFUSED",
      );
      expect(coded.code).toBe("NO_BOOK");
      expect(coded.message).toContain("no such book: UST");
      await failureOf(system.invoke("fail", { message: "without a code" }, patient), "REFUSED");
      await worksAfterwards(system);
    });

    promise("errorTextIsBounded", async (system) => {
      const message = `first\n\u001b[31msecond ${"x".repeat(100_000)}`;
      const failure = await failureOf(
        system.invoke("fail", { message, code: "C".repeat(10_000) }, patient),
        "REFUSED",
      );
      expect(failure.message.length).toBeLessThanOrEqual(errorTextMax);
      expect(failure.message).not.toMatch(/\p{Cc}/u);
      expect(failure.code?.length ?? 0).toBeLessThanOrEqual(errorTextMax);
    });

    promise("unknownMethods", async (system) => {
      for (const method of [
        "nothing",
        "constructor",
        "__proto__",
        "toString",
        "hasOwnProperty",
        "",
        "..",
        "../echo",
        "echo/",
        "a b",
      ])
        await failureOf(system.invoke(method, null, patient), "REFUSED");
      await worksAfterwards(system);
    });

    promise("deadline", async (system) => {
      await failureOf(system.invoke("hang", null, hasty), "TIMEOUT");
      await worksAfterwards(system);
      await failureOf(system.invoke("slow", { ms: 300, tag: "late" }, hasty), "TIMEOUT");
      // Its late answer must not be given to another call.
      await worksAfterwards(system);
      await sleep(300);
      await worksAfterwards(system);
    });

    promise("aBusyProcessorIsCutOff", async (system) => {
      await failureOf(system.invoke("burn", { ms: 600_000 }, hasty), "TIMEOUT");
      await worksAfterwards(system);
    });

    promise("abort", async (system) => {
      await failureOf(system.invoke("hang", null, { ...patient, signal: AbortSignal.abort() }), "TIMEOUT");
      const controller = new AbortController();
      const call = failureOf(
        system.invoke("hang", null, { ...patient, signal: controller.signal }),
        "TIMEOUT",
      );
      setTimeout(() => controller.abort(), 20);
      await call;
      await worksAfterwards(system);
      // An abort after the answer has no effect.
      const late = new AbortController();
      await system.invoke("echo", "x", { ...patient, signal: late.signal });
      late.abort();
      await worksAfterwards(system);
    });

    promise("concurrentCalls", async (system) => {
      const sums = await Promise.all(
        Array.from({ length: 50 }, (_, index) =>
          system.invoke("add", { a: String(index), b: "1000" }, patient),
        ),
      );
      expect(sums).toEqual(Array.from({ length: 50 }, (_, index) => ({ sum: String(1000 + index) })));
    });

    promise("outOfOrder", async (system) => {
      const order: JsonValue[] = [];
      const call = (ms: number, tag: string) =>
        system.invoke("slow", { ms, tag }, patient).then((answer) => order.push(answer));
      await Promise.all([call(400, "last"), call(200, "middle"), call(0, "first")]);
      expect(order).toEqual([{ tag: "first" }, { tag: "middle" }, { tag: "last" }]);
    });

    promise("failuresBesideAnswers", async (system) => {
      const [slow, failed, sum] = await Promise.allSettled([
        system.invoke("slow", { ms: 100, tag: "t" }, patient),
        system.invoke("fail", { message: "no", code: "NO" }, patient),
        system.invoke("add", { a: "1", b: "1" }, patient),
      ]);
      expect(slow).toEqual({ status: "fulfilled", value: { tag: "t" } });
      expect(failed).toMatchObject({ status: "rejected", reason: { failure: "REFUSED", code: "NO" } });
      expect(sum).toEqual({ status: "fulfilled", value: { sum: "2" } });
    });

    promise("tooLarge", async (system) => {
      const fits = (await system.invoke("huge", { bytes: answerBytesMax - 1_000 }, patient)) as {
        readonly text: string;
      };
      expect(fits.text.length).toBe(answerBytesMax - 1_000);
      await failureOf(system.invoke("huge", { bytes: answerBytesMax + 1_000 }, patient), "TOO_LARGE");
      await worksAfterwards(system);
      await failureOf(system.invoke("huge", { bytes: 10 * answerBytesMax }, patient), "TOO_LARGE");
      await worksAfterwards(system);
    });

    promise("garbled", async (system) => {
      await failureOf(system.invoke("garbled", null, patient), "GARBLED");
      await worksAfterwards(system);
    });

    promise("vanished", async (system) => {
      const other = system.invoke("hang", null, patient).catch(() => {});
      await failureOf(system.invoke("vanish", null, patient), "DOWN");
      await worksAfterwards(system);
      await system.close();
      await other;
    });

    promise("exactNumbers", async (system) => {
      const { whole, ...rest } = (await system.invoke("numbers", null, patient)) as {
        readonly [name: string]: JsonValue;
      };
      expect(rest).toEqual({ tenth: "0.1", long: longNumber, tiny: "0.0000001" });
      expect(String(whole)).toBe("42");
    });

    promise(
      "closedTwice",
      async (system) => {
        await Promise.all([system.close(), system.close()]);
        await system.close();
        await failureOf(system.invoke("echo", "x", patient), "DOWN");
      },
      false,
    );

    promise("methodsAreNamed", async ({ methods, name: own, kind }) => {
      expect(own).not.toBe("");
      expect(["builtin", "module", "command", "http"]).toContain(kind);
      if (methods === undefined) return;
      expect(methods.has("echo")).toBe(true);
      expect(methods.has("constructor")).toBe(false);
    });

    promise("closed", async (system, { running }) => {
      const underWay = failureOf(system.invoke("hang", null, patient), "DOWN");
      await sleep(20);
      await system.close();
      await underWay;
      await failureOf(system.invoke("echo", "x", patient), "DOWN");
      if (running === undefined) return;
      await expect.poll(running, { timeout: 5_000, message: "running parts after close" }).toBe(0);
    });
  });
}

/** Returns the failure of a call, which must fail with the given class. */
export async function failureOf(call: Promise<unknown>, failure: FailureClass): Promise<SystemFailure> {
  const outcome = await call.then(
    (answer) => ({ answer }),
    (reason: unknown) => ({ reason }),
  );
  if (!("reason" in outcome))
    throw new Error(
      `the call must fail with ${failure}, but answered ${JSON.stringify(outcome.answer).slice(0, 200)}`,
    );
  const { reason } = outcome;
  expect(reason).toBeInstanceOf(SystemFailure);
  expect((reason as SystemFailure).failure, (reason as SystemFailure).message).toBe(failure);
  return reason as SystemFailure;
}

/** Returns a whole number of an answer as text; it may arrive as a number or as text. */
const textOf = (answer: JsonValue, key: string): string =>
  String((answer as { readonly [key: string]: JsonValue })[key]);

const awkwardValues: readonly JsonValue[] = [
  null,
  true,
  false,
  "",
  "text",
  [],
  {},
  [[], {}, [null]],
  { "": "empty key", "a.b": { c: [null, false, ""] } },
  'line\nbreak, \r\n, tab\t, quote", backslash\\, nul\u0000',
  "separators \u2028 \u2029, a mark \ufeff, beyond the plane \u{1f4c8}, combining e\u0301",
  "0.10",
  "-0",
  "1e400",
];
