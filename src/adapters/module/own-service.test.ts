import { expect, it } from "vitest";
import { ModuleSystem } from "./index.ts";

class Desk {
  calls = 0;
  async totals(request: object): Promise<object> {
    this.calls += 1;
    return { request };
  }
  refuses(): never {
    throw Object.assign(new Error("not on a Sunday"), { code: "CLOSED" });
  }
  _hidden(): void {}
}
const service = new Desk();
const open = () => new ModuleSystem({ name: "desk", kind: "builtin", service, isOurs: true });
const call = { deadlineMs: 1_000 };

it("a service of this program gets the original request, and its caller the original answer", async () => {
  const system = open();
  expect([system.kind, [...(system.methods ?? [])]]).toEqual(["builtin", ["totals", "refuses"]]);
  const request = { book: "UST" };
  const answer = (await system.invoke("totals", request, call)) as { readonly request: object };
  expect(answer.request).toBe(request);
});

it("an error of a service of this program names its method and has its code", async () => {
  const system = open();
  await expect(system.invoke("refuses", {}, call)).rejects.toMatchObject({
    failure: "REFUSED",
    code: "CLOSED",
    message: "desk.refuses: not on a Sunday",
  });
  await expect(system.invoke("_hidden", {}, call)).rejects.toMatchObject({ failure: "REFUSED" });
});

it("a closed service of this program answers no further calls", async () => {
  const system = open();
  await system.close();
  await system.close();
  await expect(system.invoke("totals", {}, call)).rejects.toMatchObject({ failure: "DOWN" });
});
