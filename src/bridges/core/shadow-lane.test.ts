import { expect, it } from "vitest";
import type { Overload } from "../../ports/host-load.ts";
import { ShadowLane } from "./shadow-lane.ts";

const options = { inFlightMax: 3, inFlightPerMethodMax: 2 };

function lane(overload: () => Overload | undefined = () => undefined): ShadowLane {
  return new ShadowLane(options, { overload });
}

it("lets in as many as it has room for, and says why not one more", () => {
  const shadows = lane();
  expect([shadows.enter(0), shadows.enter(1), shadows.enter(2)]).toEqual([undefined, undefined, "method_full"]);
  expect([shadows.enter(0), shadows.enter(0), shadows.inFlight, shadows.peak]).toEqual([undefined, "lane_full", 3, 3]);
  shadows.leave();
  expect([shadows.inFlight, shadows.enter(0), shadows.peak]).toEqual([2, undefined, 3]);
});

it("takes no place of who is not let in", () => {
  const shadows = lane();
  for (let call = 0; call < 10; call++) shadows.enter(2);
  expect(shadows.inFlight).toBe(0);
});

it("lets nobody in while the machine is short of something", () => {
  let overload: Overload | undefined = "event_loop_lag";
  const shadows = lane(() => overload);
  expect(shadows.enter(0)).toBe("event_loop_lag");
  overload = "heap_short";
  expect(shadows.enter(0)).toBe("heap_short");
  overload = undefined;
  expect([shadows.enter(0), shadows.inFlight]).toEqual([undefined, 1]);
});

it("lets nobody in once it is closed, and lets out who is in", () => {
  const shadows = lane();
  shadows.enter(0);
  shadows.close();
  expect([shadows.enter(0), shadows.inFlight]).toEqual(["closed", 1]);
  shadows.leave();
  expect(shadows.inFlight).toBe(0);
});

it("is idle at once where nobody is in, else when the last has left, and tells all who wait", async () => {
  const shadows = lane();
  await shadows.idle();
  shadows.enter(0);
  shadows.enter(0);
  const told: string[] = [];
  const waiting = [shadows.idle().then(() => told.push("one")), shadows.idle().then(() => told.push("other"))];
  shadows.leave();
  await Promise.resolve();
  expect(told).toEqual([]);
  shadows.leave();
  await Promise.all(waiting);
  expect(told).toEqual(["one", "other"]);
});
