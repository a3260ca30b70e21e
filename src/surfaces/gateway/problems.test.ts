import { describe, expect, it } from "vitest";
import { BridgeError, type ErrorCode } from "../../base/errors.ts";
import { type FailureClass, SystemFailure } from "../../domain/migration/system-failure.ts";
import { problemFor } from "./problems.ts";

describe("the problem document of a failure", () => {
  it.each<[ErrorCode, number]>([
    ["BAD_USAGE", 400],
    ["REFUSED", 409],
    ["CONFLICT", 409],
    ["SYSTEM_DOWN", 503],
    ["DATABASE_BUSY", 503],
    ["BAD_CONFIG", 500],
  ])("for the code %s has the status %i", (code, status) => {
    expect(
      problemFor(new BridgeError(code, { what: "so it is", fix: "do it", where: "/secret/path" })),
    ).toEqual({
      type: `urn:pnl-bridge:problem:${code}`,
      title: expect.any(String),
      status,
      detail: "so it is",
      code,
      fix: "do it",
    });
  });

  it.each<[FailureClass, number]>([
    ["REFUSED", 422],
    ["TIMEOUT", 504],
    ["DOWN", 503],
    ["BUSY", 503],
    ["GARBLED", 502],
    ["TOO_LARGE", 502],
  ])("for a system's failure %s has the status %i", (failure, status) => {
    expect(
      problemFor(new SystemFailure(failure, "no\u0007", { code: "E17", cause: new Error("secret") })),
    ).toMatchObject({
      status,
      code: failure,
      systemCode: "E17",
      detail: "no\\u{7}",
    });
  });

  it.each(["DRAINING", "FENCED"])("has %s as the bridge's own code, and not as the system's", (code) => {
    const problem = problemFor(new SystemFailure("BUSY", "writes are owed", { code }));
    expect(problem).toMatchObject({ status: 503, code });
    expect(problem.systemCode).toBeUndefined();
  });

  it.each([
    ["an error", new Error("password=hunter2")],
    ["an internal BridgeError", new BridgeError("INTERNAL", { what: "password=hunter2" })],
    ["a text", "password=hunter2"],
    ["nothing", undefined],
  ])("contains no details of an unexpected failure: %s", (_, failure) => {
    const problem = problemFor(failure);
    expect(problem).toMatchObject({ status: 500, code: "INTERNAL" });
    expect(JSON.stringify(problem)).not.toContain("hunter2");
  });
});
