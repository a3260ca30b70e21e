import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Breaker, breakerDefaults } from "./breaker.ts";

const options = { callsMin: 4, failureRatio: 0.5, windowMs: 1_000, openMs: 100 };

/** `+` a call that succeeds, `-` one that fails, each a millisecond after the one before. */
function afterCalls(outcomes: string, fromMs = 0): { breaker: Breaker; nowMs: number } {
  const breaker = new Breaker(options);
  let nowMs = fromMs;
  for (const outcome of outcomes) {
    nowMs += 1;
    if (!breaker.allows(nowMs)) break;
    if (outcome === "+") breaker.succeeded(nowMs);
    else breaker.failed(nowMs);
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

  it("opens at 20 calls within 10 s of which half failed, for 5 s, where nothing else is said", () => {
    expect(breakerDefaults).toEqual({ callsMin: 20, failureRatio: 0.5, windowMs: 10_000, openMs: 5_000 });
  });

  it("lets nothing through while it is open, then one call, and no other until that one has ended", () => {
    const { breaker, nowMs } = afterCalls("----");
    expect([breaker.allows(nowMs), breaker.allows(nowMs + 99)]).toEqual([false, false]);
    expect([breaker.allows(nowMs + 100), breaker.state]).toEqual([true, "half-open"]);
    expect([breaker.allows(nowMs + 100), breaker.allows(nowMs + 1_000)]).toEqual([false, false]);
  });

  it("closes when the call that tried succeeds, and has forgotten what was before", () => {
    const { breaker, nowMs } = afterCalls("----");
    const laterMs = nowMs + 100;
    breaker.allows(laterMs);
    breaker.succeeded(laterMs);
    expect([breaker.state, breaker.allows(laterMs)]).toEqual(["closed", true]);
    for (let failure = 1; failure <= 3; failure++) breaker.failed(laterMs + failure);
    expect(breaker.state).toBe("closed");
    breaker.failed(laterMs + 4);
    expect(breaker.state).toBe("open");
  });

  it("opens for as long again when it fails", () => {
    const { breaker, nowMs } = afterCalls("----");
    breaker.allows(nowMs + 100);
    breaker.failed(nowMs + 150);
    expect([breaker.state, breaker.allows(nowMs + 249), breaker.allows(nowMs + 250)]).toEqual(["open", false, true]);
  });

  it("begins to count anew when the window is over", () => {
    const breaker = new Breaker(options);
    for (const nowMs of [0, 1, 2]) breaker.failed(nowMs);
    breaker.failed(1_001);
    expect(breaker.state).toBe("closed");
    for (const nowMs of [1_002, 1_003, 1_004]) breaker.failed(nowMs);
    expect(breaker.state).toBe("open");
  });

  it("is not closed by calls that began before it opened and end only now", () => {
    const breaker = new Breaker({ ...options, windowMs: 50, openMs: 1_000 });
    for (const nowMs of [0, 1, 2, 3]) breaker.failed(nowMs);
    breaker.failed(500);
    breaker.succeeded(600);
    expect([breaker.state, breaker.allows(1_002), breaker.allows(1_003)]).toEqual(["open", false, true]);
  });

  it("never opens below its share of failures, and always at it, whatever the order", () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 4, maxLength: 60 }), (failed) => {
        const breaker = new Breaker(options);
        let [calls, failures] = [0, 0];
        for (const fails of failed) {
          if (!breaker.allows(calls)) break;
          calls += 1;
          failures += fails ? 1 : 0;
          if (fails) breaker.failed(calls);
          else breaker.succeeded(calls);
          expect(breaker.state).toBe(calls >= 4 && failures >= calls / 2 ? "open" : "closed");
        }
      }),
    );
  });
});
