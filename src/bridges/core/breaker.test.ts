import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Breaker, breakerDefaults } from "./breaker.ts";

const options = { callsMin: 4, failureRatio: 0.5, windowMs: 1_000, openMs: 100 };

const allows = (breaker: Breaker, nowMs: number): boolean => breaker.begin(nowMs) !== undefined;

/** Begins a call that the breaker must let through, and returns its era (see `Breaker`). */
function begun(breaker: Breaker, nowMs: number): number {
  const era = breaker.begin(nowMs);
  if (era === undefined) throw new Error("the breaker lets nothing through");
  return era;
}

/** Makes one call a millisecond: `+` succeeds, `-` fails. */
function afterCalls(outcomes: string, fromMs = 0): { breaker: Breaker; nowMs: number } {
  const breaker = new Breaker(options);
  let nowMs = fromMs;
  for (const outcome of outcomes) {
    nowMs += 1;
    const era = breaker.begin(nowMs);
    if (era === undefined) break;
    if (outcome === "+") breaker.succeeded(era, nowMs);
    else breaker.failed(era, nowMs);
  }
  return { breaker, nowMs };
}

describe("a breaker", () => {
  it.each([
    ["", "closed"],
    ["---", "closed"],
    ["----", "open"],
    ["++--", "open"],
    ["+++-", "closed"],
    ["--++", "open"],
    ["+++++---", "closed"],
    ["+++++-----", "open"],
  ])("after %o is %s", (outcomes, state) => {
    expect(afterCalls(outcomes).breaker.state).toBe(state);
  });

  it("opens by default for 5 s when half of at least 20 calls within 10 s have failed", () => {
    expect(breakerDefaults).toEqual({ callsMin: 20, failureRatio: 0.5, windowMs: 10_000, openMs: 5_000 });
  });

  it("lets no call through while it is open, then one trial call at a time", () => {
    const { breaker, nowMs } = afterCalls("----");
    expect([allows(breaker, nowMs), allows(breaker, nowMs + 99)]).toEqual([false, false]);
    expect([allows(breaker, nowMs + 100), breaker.state]).toEqual([true, "half-open"]);
    expect([allows(breaker, nowMs + 100), allows(breaker, nowMs + 1_000)]).toEqual([false, false]);
  });

  it("closes when the trial call succeeds, and forgets the earlier counts", () => {
    const { breaker, nowMs } = afterCalls("----");
    const laterMs = nowMs + 100;
    breaker.succeeded(begun(breaker, laterMs), laterMs);
    expect([breaker.state, allows(breaker, laterMs)]).toEqual(["closed", true]);
    const era = begun(breaker, laterMs);
    for (let failure = 1; failure <= 3; failure++) breaker.failed(era, laterMs + failure);
    expect(breaker.state).toBe("closed");
    breaker.failed(era, laterMs + 4);
    expect(breaker.state).toBe("open");
  });

  it("opens for the same time again when the trial call fails", () => {
    const { breaker, nowMs } = afterCalls("----");
    breaker.failed(begun(breaker, nowMs + 100), nowMs + 150);
    expect([breaker.state, allows(breaker, nowMs + 249), allows(breaker, nowMs + 250)]).toEqual([
      "open",
      false,
      true,
    ]);
  });

  it("restarts its counts when the window has elapsed", () => {
    const breaker = new Breaker(options);
    const era = begun(breaker, 0);
    for (const nowMs of [0, 1, 2]) breaker.failed(era, nowMs);
    breaker.failed(era, 1_001);
    expect(breaker.state).toBe("closed");
    for (const nowMs of [1_002, 1_003, 1_004]) breaker.failed(era, nowMs);
    expect(breaker.state).toBe("open");
  });

  it("ignores calls that began before it opened, even during a trial call", () => {
    const { breaker, nowMs } = afterCalls("---");
    const early = begun(breaker, nowMs);
    breaker.failed(begun(breaker, nowMs), nowMs);
    breaker.succeeded(early, nowMs + 50);
    breaker.failed(early, nowMs + 99);
    expect([breaker.state, allows(breaker, nowMs + 99)]).toEqual(["open", false]);
    const trial = begun(breaker, nowMs + 100);
    breaker.succeeded(early, nowMs + 101);
    breaker.failed(early, nowMs + 102);
    expect(breaker.state).toBe("half-open");
    breaker.succeeded(trial, nowMs + 103);
    breaker.failed(early, nowMs + 104);
    expect(breaker.state).toBe("closed");
  });

  it("makes the next call the trial if the trial call proved nothing", () => {
    const { breaker, nowMs } = afterCalls("----");
    const first = begun(breaker, nowMs + 100);
    breaker.released(first);
    const second = begun(breaker, nowMs + 100);
    breaker.failed(first, nowMs + 101);
    expect(breaker.state).toBe("half-open");
    breaker.released(second);
    breaker.failed(second, nowMs + 102);
    expect([breaker.state, allows(breaker, nowMs + 201), allows(breaker, nowMs + 202)]).toEqual([
      "open",
      false,
      true,
    ]);
  });

  it("opens exactly when the share of failures reaches the ratio, whatever the order of calls", () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 4, maxLength: 60 }), (failed) => {
        const breaker = new Breaker(options);
        let [calls, failures] = [0, 0];
        for (const fails of failed) {
          const era = breaker.begin(calls);
          if (era === undefined) break;
          calls += 1;
          failures += fails ? 1 : 0;
          if (fails) breaker.failed(era, calls);
          else breaker.succeeded(era, calls);
          expect(breaker.state).toBe(calls >= 4 && failures >= calls / 2 ? "open" : "closed");
        }
      }),
    );
  });
});
