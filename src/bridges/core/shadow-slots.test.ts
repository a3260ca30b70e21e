import { expect, it } from "vitest";
import type { Overload } from "../../ports/host-load.ts";
import { ShadowSlots } from "./shadow-slots.ts";

const options = { inFlightMax: 3, inFlightPerMethodMax: 2 };

function slotsWith(overload: () => Overload | undefined = () => undefined): ShadowSlots {
  return new ShadowSlots(options, { overload });
}

it("slots are taken up to the limits, and a further call gets the reason for its refusal", () => {
  const slots = slotsWith();
  expect([slots.enter(0), slots.enter(1), slots.enter(2)]).toEqual([undefined, undefined, "method_full"]);
  expect([slots.enter(0), slots.enter(0), slots.inFlight, slots.peak]).toEqual([
    undefined,
    "lane_full",
    3,
    3,
  ]);
  slots.leave();
  expect([slots.inFlight, slots.enter(0), slots.peak]).toEqual([2, undefined, 3]);
});

it("a refused call does not occupy a slot", () => {
  const slots = slotsWith();
  for (let call = 0; call < 10; call++) slots.enter(2);
  expect(slots.inFlight).toBe(0);
});

it("no slot is taken while the host is overloaded", () => {
  let overload: Overload | undefined = "event_loop_lag";
  const slots = slotsWith(() => overload);
  expect(slots.enter(0)).toBe("event_loop_lag");
  overload = "heap_short";
  expect(slots.enter(0)).toBe("heap_short");
  overload = undefined;
  expect([slots.enter(0), slots.inFlight]).toEqual([undefined, 1]);
});

it("no slot is taken after closing, and occupied slots are released as before", () => {
  const slots = slotsWith();
  slots.enter(0);
  slots.close();
  expect([slots.enter(0), slots.inFlight]).toEqual(["closed", 1]);
  slots.leave();
  expect(slots.inFlight).toBe(0);
});

it("idle resolves for all waiters when the last slot is released, and at once if none is taken", async () => {
  const slots = slotsWith();
  await slots.idle();
  slots.enter(0);
  slots.enter(0);
  const resolved: string[] = [];
  const waiting = [
    slots.idle().then(() => resolved.push("one")),
    slots.idle().then(() => resolved.push("other")),
  ];
  slots.leave();
  await Promise.resolve();
  expect(resolved).toEqual([]);
  slots.leave();
  await Promise.all(waiting);
  expect(resolved).toEqual(["one", "other"]);
});
