import { describe, expect, it } from "vitest";
import { BridgeError } from "../../base/errors.ts";
import { Access, type AccessOptions, type Caller, type Role, roles } from "./access.ts";
import { HttpProblem } from "./problems.ts";

const local: AccessOptions = { host: "127.0.0.1", tokens: [], allowedHosts: [], localActor: "amy" };
const variables = roles.map((role) => ({ name: role, role, env: role.toUpperCase() }));
const env = { VIEWER: "viewer-0123456789", OPERATOR: "operator-0123456789", ADMIN: "admin-0123456789" };

const callerOf = (access: Access, authorization: string | undefined, needs: Role): Caller =>
  access.caller(
    {
      tokenHolder: access.holderOf(authorization),
      headers: authorization === undefined ? {} : { authorization },
    },
    needs,
  );

const statusOf = (work: () => unknown): number => {
  try {
    work();
    return 200;
  } catch (failure) {
    expect(failure).toBeInstanceOf(HttpProblem);
    return (failure as HttpProblem).problem.status;
  }
};

describe("a gateway without tokens, on this machine,", () => {
  const access = new Access({ ...local, allowedHosts: ["desk.example:8080", "pnl.example"] }, {});

  it.each([
    ["its address", { host: "127.0.0.1:8080" }, 200],
    ["its name", { host: "localhost:8080" }, 200],
    ["its name in capitals", { host: "LOCALHOST:8080" }, 200],
    ["IPv6", { host: "[::1]:8080" }, 200],
    ["its address without a port", { host: "127.0.0.1" }, 200],
    ["an allowed name with any port", { host: "pnl.example:1" }, 200],
    ["an allowed name with its port", { host: "desk.example:8080" }, 200],
    ["an allowed name with another port", { host: "desk.example:8081" }, 403],
    ["a foreign name that resolves to loopback (DNS rebinding)", { host: "evil.example:8080" }, 403],
    ["a name that only begins with the address", { host: "127.0.0.1.evil.example" }, 403],
    ["no host", {}, 403],
    ["an empty host", { host: "" }, 403],
    ["its own page", { host: "127.0.0.1:8080", origin: "http://127.0.0.1:8080" }, 200],
    ["a page of another port", { host: "127.0.0.1:8080", origin: "http://127.0.0.1:3000" }, 403],
    ["a page of another site", { host: "127.0.0.1:8080", origin: "https://evil.example" }, 403],
    ["a page in a sandbox or from a file", { host: "127.0.0.1:8080", origin: "null" }, 403],
    ["an allowed page", { host: "127.0.0.1:8080", origin: "https://pnl.example" }, 200],
    ["an invalid origin", { host: "127.0.0.1:8080", origin: "127.0.0.1:8080" }, 403],
  ])("(%s) answers the headers %j with the status %i", (_, headers, status) => {
    expect(statusOf(() => access.checkOrigin(headers))).toBe(status);
    // The second check meets the remembered last host.
    expect(statusOf(() => access.checkOrigin(headers))).toBe(status);
  });

  it("permits everything to everybody, under the name of the operating system's user", () => {
    expect(callerOf(access, undefined, "admin")).toEqual({ role: "admin", actor: "amy" });
  });
});

describe("a gateway with tokens", () => {
  const access = new Access({ ...local, host: "0.0.0.0", tokens: variables }, env);

  it.each([
    [undefined, "viewer", 401],
    ["Bearer nobody-0123456789", "viewer", 401],
    ["Basic dmlld2VyOjA=", "viewer", 401],
    ["Bearer", "viewer", 401],
    [`Bearer ${env.VIEWER}`, "viewer", 200],
    [`Bearer ${env.VIEWER}`, "operator", 403],
    [`bearer ${env.OPERATOR}`, "viewer", 200],
    [`Bearer ${env.OPERATOR}`, "operator", 200],
    [`Bearer ${env.OPERATOR}`, "admin", 403],
    [`Bearer ${env.ADMIN}`, "admin", 200],
  ] as const)("answers %s on a route for the role %s with the status %i", (authorization, needs, status) => {
    expect(statusOf(() => callerOf(access, authorization, needs))).toBe(status);
  });

  it("records the role or the person's name in the audit, never the token", () => {
    expect(callerOf(access, `Bearer ${env.OPERATOR}`, "viewer")).toEqual({
      role: "operator",
      actor: "operator",
    });
    const people = new Access(
      { ...local, tokens: [{ name: "amy", role: "operator", env: "OPERATOR" }] },
      env,
    );
    expect(callerOf(people, `Bearer ${env.OPERATOR}`, "operator")).toEqual({
      role: "operator",
      actor: "amy",
    });
  });

  it("refuses a page of another site, and accepts any host", () => {
    expect(statusOf(() => access.checkOrigin({ host: "desk:8080", origin: "https://evil.example" }))).toBe(
      403,
    );
    expect(statusOf(() => access.checkOrigin({ host: "desk:8080", origin: "http://desk:8080" }))).toBe(200);
    expect(statusOf(() => access.checkOrigin({ host: "desk:8080" }))).toBe(200);
  });
});

describe("the start fails, without a secret in the message, with", () => {
  it.each([
    ["no tokens for an address beyond this machine", { host: "0.0.0.0" }, {}],
    ["a token that is not set", { tokens: variables.slice(2) }, {}],
    ["a token that is too short", { tokens: variables.slice(2) }, { ADMIN: "hunter2" }],
    ["one token for two roles", { tokens: variables }, { ...env, ADMIN: env.VIEWER }],
  ])("%s", (_, options, given) => {
    const refused = () => new Access({ ...local, ...options }, given);
    expect(refused).toThrow(BridgeError);
    try {
      refused();
    } catch (failure) {
      expect((failure as BridgeError).code).toBe("BAD_CONFIG");
      for (const secret of Object.values(given)) expect((failure as BridgeError).line).not.toContain(secret);
    }
  });
});
