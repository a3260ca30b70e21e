import { once } from "node:events";
import { Agent } from "node:http";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { PlanInput } from "../../src/domain/migration/plan.ts";
import { SystemFailure } from "../../src/domain/migration/system-failure.ts";
import type { GatewayOptions } from "../../src/surfaces/gateway/index.ts";
import { allFlags } from "../../src/testing/fleet.ts";
import { until } from "../../src/testing/until.ts";
import { ask, desk, listen, raw } from "./desk.ts";

describe("POST /api/v1/pnl/{method}", () => {
  it("answers with value, source and epoch, and routes by user and book", async () => {
    const plan: PlanInput = { phase: "dual_write", flags: allFlags, userWhitelist: ["Zoë"], epoch: 7 };
    const { url } = await desk({
      plan,
      legacy: () => ({ from: "legacy" }),
      modern: () => ({ from: "modern" }),
    });
    const of = async (headers: Readonly<Record<string, string>>) =>
      (await ask(`${url}/api/v1/pnl/totals`, "POST", {}, headers)).body;
    expect(await of({})).toEqual({ value: { from: "legacy" }, source: "legacy", epoch: 7, stale: false });
    // Programs write UTF-8 into a header in this way, one character for each byte.
    const user = Buffer.from("Zoë").toString("latin1");
    expect(await of({ "x-pnl-user": user })).toEqual({
      value: { from: "modern" },
      source: "modern",
      epoch: 7,
      stale: false,
    });
  });

  it("reads numbers from their source text, never through a float", async () => {
    const { url } = await desk({ legacy: (_, request) => request });
    const { body } = await ask(
      `${url}/api/v1/pnl/calculatePnl`,
      "POST",
      '{"asOf":"x","trades":[0.10,12345678901234567890.123456789,1e2,3]}',
    );
    expect(body.value).toEqual({
      asOf: "x",
      method: "fifo",
      trades: ["0.1", "12345678901234567890.123456789", "100", 3],
    });
  });

  it.each([
    ["a body that is not JSON", "{", 400],
    ["a repeated key", '{"a":1,"a":2}', 400],
    ["a list instead of an object", "[]", 400],
    ["null", "null", 400],
    ["an empty body", "", 400],
    ["NaN", '{"a":NaN}', 400],
    ["too deep nesting", "[".repeat(600), 400],
  ])("refuses %s, with a detail that names the body as the place", async (_, body, status) => {
    const { url } = await desk();
    const answered = await ask(`${url}/api/v1/pnl/totals`, "POST", body, {
      "content-type": "application/json",
    });
    expect(answered).toMatchObject({
      status,
      body: { code: "BAD_USAGE", status, detail: expect.stringMatching(/^body: /) },
    });
    expect(answered.headers.get("content-type")).toBe("application/problem+json");
  });

  it("suggests the nearest method for an unknown one", async () => {
    const { url } = await desk();
    const { status, body } = await ask(`${url}/api/v1/pnl/total`, "POST", {});
    expect([status, body.code, body.fix]).toEqual([
      400,
      "BAD_USAGE",
      expect.stringContaining("did you mean totals?"),
    ]);
  });

  it.each([
    ["REFUSED", 422, null],
    ["TIMEOUT", 504, null],
    ["DOWN", 503, "1"],
    ["BUSY", 503, "1"],
  ] as const)("answers a system's failure %s with the status %i", async (failure, status, retryAfter) => {
    const { url } = await desk({
      plan: { phase: "read_only" },
      legacy: () => {
        throw new SystemFailure(failure, "so it is");
      },
    });
    const { headers, ...answered } = await ask(`${url}/api/v1/pnl/totals`, "POST", {});
    expect(answered).toMatchObject({ status, body: { code: failure, detail: "so it is" } });
    expect(headers.get("retry-after")).toBe(retryAfter);
  });

  it("logs the details of a bug and does not send them", async () => {
    const { url, service, logged } = await desk();
    service.call = () => Promise.reject(new Error("password=hunter2 at /home/amy"));
    const { status, text } = await ask(`${url}/api/v1/pnl/totals`, "POST", {});
    expect([status, text.includes("hunter2"), text.includes("    at ")]).toEqual([500, false, false]);
    expect(logged).toMatchObject([{ message: "a request failed", facts: { route: "/api/v1/pnl/totals" } }]);
  });
});

describe("the control plane", () => {
  it("moves phases, traffic and lists of users, rolls back, and audits actor and reason", async () => {
    const { url, place, logged, machine } = await desk();
    const at = (path: string): string => `${url}/api/v1${path}`;
    await place.open().heartbeat({ id: "1", name: "one", seenEpoch: 1_000, drainedEpoch: 1_000, report: {} });
    expect((await ask(at("/migration"))).body).toMatchObject({ phase: "read_only", epoch: 2 });

    const dry = await ask(at("/migration/phase"), "POST", { move: "advance", reason: "try", dryRun: true });
    expect(dry.body).toMatchObject({
      from: "read_only",
      target: "shadow_mode",
      moved: false,
      gates: { open: true },
    });
    expect((await ask(at("/migration/phase"), "POST", { move: "advance", reason: "go" })).body).toMatchObject(
      { moved: true },
    );
    expect((await ask(at("/migration"))).body).toMatchObject({ phase: "shadow_mode", epoch: 3 });
    expect((await ask(at("/gates"))).body).toMatchObject({ target: "dual_write" });
    expect((await ask(at("/gates?target=cleanup"))).body).toMatchObject({ target: "cleanup", open: false });
    for (const target of ["ramp", "window"])
      expect((await ask(at(`/gates?target=${target}`))).body).toMatchObject({ target, open: true });
    await ask(at("/migration/phase"), "POST", { move: "set", phase: "dual_write", reason: "go on" });

    const early = await ask(at("/migration/phase"), "POST", { move: "advance", reason: "go" });
    expect([early.status, early.body.code]).toEqual([409, "REFUSED"]);
    const closed = early.body.gates.gates.filter((gate: { open: boolean }) => !gate.open);
    expect(closed.length).toBeGreaterThan(0);
    expect(early.body.detail).toContain(closed[0].why);

    expect(
      (await ask(at("/migration/traffic"), "PUT", { percentage: 12.5, reason: "some" })).body,
    ).toMatchObject({
      newSystemPercentage: 12.5,
    });
    expect(
      (await ask(at("/migration/traffic"), "PUT", { steps: [20, 40], dwellMs: 60_000, reason: "ramp" })).body,
    ).toMatchObject({
      newSystemPercentage: 20,
      ramp: { steps: [40], endsIn: "stay" },
    });
    for (const [body, status, code] of [
      [{ percentage: 12.3456 }, 400, "BAD_USAGE"],
      [{ steps: [20, 33.3333, 40], dwellMs: 60_000 }, 400, "BAD_USAGE"],
      [{ steps: [20, 40], dwellMs: Number.MAX_SAFE_INTEGER }, 400, "BAD_USAGE"],
      [{ steps: [10, 33, 100], dwellMs: 60_000, endsIn: "rollback" }, 400, "BAD_USAGE"],
      [{ steps: [90, 50, 0], dwellMs: 60_000, endsIn: "rollback" }, 409, "REFUSED"],
    ] as const)
      expect(await ask(at("/migration/traffic"), "PUT", { ...body, reason: "ramp" })).toMatchObject({
        status,
        body: { code },
      });
    const meant = await ask(at("/migration/phase"), "POST", {
      move: "retreat",
      from: "shadow_mode",
      reason: "twice",
    });
    expect(meant).toMatchObject({ status: 409, body: { code: "CONFLICT" } });
    machine.isSwitchSet = true;
    for (const [method, path, body] of [
      ["POST", "/migration/phase", { move: "set", phase: "dual_write" }],
      ["POST", "/migration/phase", { move: "advance" }],
      ["PUT", "/migration/traffic", { percentage: 50 }],
    ] as const) {
      const refused = await ask(at(path), method, { ...body, reason: "too early" });
      expect(refused).toMatchObject({
        status: 409,
        body: { code: "REFUSED", detail: "the switch file is set" },
      });
    }
    machine.isSwitchSet = false;
    const user = encodeURIComponent("amy/desk 7");
    for (const list of ["whitelist", "denylist"] as const) {
      const path = at(`/migration/${list}/${user}`);
      const column = list === "whitelist" ? "userWhitelist" : "userDenylist";
      expect((await ask(path, "PUT", { reason: "hers" })).body).toMatchObject({ changed: true });
      expect(place.record.overrides[column]).toEqual(["amy/desk 7"]);
      expect((await ask(path, "PUT", { reason: "hers" })).body).toEqual({ changed: false });
      expect((await ask(path, "DELETE", { reason: "not hers" })).body).toMatchObject({ changed: true });
      expect(place.record.overrides[column]).toEqual([]);
    }
    expect(
      (await ask(at("/gates/approved/sign-off"), "POST", { note: "looked at it", phase: "primary_switch" }))
        .body,
    ).toEqual({
      gate: "approved",
      phase: "primary_switch",
      actor: "amy",
    });
    expect((await ask(at("/gates/fleet_acknowledged/sign-off"), "POST", { note: "it is fine" })).status).toBe(
      409,
    );

    const rolledBack = await ask(at("/migration/rollback"), "POST", { reason: "it burns" });
    expect(rolledBack.body).toMatchObject({
      via: "store",
      possible: true,
      waiting: [],
      acknowledged: ["one"],
    });
    expect(place.record.overrides).toMatchObject({ useNewPnlSystem: false, migrationMode: "old_only" });

    const { rows } = (await ask(at("/audit?after=1&limit=1000"))).body;
    expect(
      rows.map(({ actor, action, reason }: Record<string, string>) => `${actor} ${action} ${reason}`),
    ).toEqual([
      "amy phase go",
      "amy phase go on",
      "amy refused dual_write to primary_switch: go",
      "amy traffic some",
      "amy traffic ramp",
      "amy whitelist hers",
      "amy whitelist not hers",
      "amy denylist hers",
      "amy denylist not hers",
      "amy sign-off looked at it",
      "amy rollback it burns",
    ]);
    expect(logged.filter(({ message }) => message === "a command on the migration succeeded").length).toBe(
      12,
    );
  });

  it.each([
    ["POST", "/migration/rollback", {}, "body.reason"],
    ["POST", "/migration/rollback", { reason: "  " }, "body.reason"],
    ["POST", "/migration/rollback", { reason: "x", force: true }, "body"],
    ["POST", "/migration/phase", { move: "leap", reason: "x" }, "body.move"],
    ["POST", "/migration/phase", { move: "set", reason: "x" }, "body.phase"],
    ["POST", "/migration/phase", { move: "advance", phase: "cleanup", reason: "x" }, "body"],
    ["PUT", "/migration/traffic", { percentage: 101, reason: "x" }, "body.percentage"],
    ["PUT", "/migration/traffic", { percentage: "10", reason: "x" }, "body"],
    ["PUT", "/migration/traffic", { steps: [10], dwellMs: 1, reason: "x" }, "body.dwellMs"],
    ["GET", "/gates?target=heaven", undefined, "querystring.target"],
    ["GET", "/audit?limit=0", undefined, "querystring.limit"],
    ["GET", "/comparisons?verdict=fine", undefined, "querystring.verdict"],
    ["GET", "/events?comparisons=some", undefined, "querystring.comparisons"],
    ["GET", "/symbols/ZNU2025?asOf=tomorrow", undefined, "querystring.asOf"],
    ["GET", "/symbols/ZNU2025?from=klingon", undefined, "querystring.from"],
  ])("refuses %s %s %j and names the place %s", async (method, path, body, place) => {
    const { url } = await desk();
    const answered = await ask(`${url}/api/v1${path}`, method, body);
    expect(answered).toMatchObject({
      status: 400,
      body: { code: "BAD_USAGE", detail: expect.stringMatching(`^${place}:`) },
    });
  });

  it("answers a concurrent change with 409, an unreachable store with 503, and a missing store with 409", async () => {
    const { url, place, store, machine } = await desk();
    await store.heartbeat({ id: "1", name: "one", seenEpoch: 1_000, drainedEpoch: 1_000, report: {} });
    const change = store.change.bind(store);
    store.change = (asked) => {
      place.sql({ newSystemPercentage: 3 });
      return change(asked);
    };
    const advanced = await ask(`${url}/api/v1/migration/phase`, "POST", { move: "advance", reason: "go" });
    expect(advanced).toMatchObject({
      status: 409,
      body: { code: "CONFLICT", detail: expect.stringContaining("somebody else") },
    });
    place.away = true;
    expect(await ask(`${url}/api/v1/gates`)).toMatchObject({ status: 503, body: { code: "SYSTEM_DOWN" } });
    // A rollback takes effect even without the store.
    expect(await ask(`${url}/api/v1/migration/rollback`, "POST", { reason: "it burns" })).toMatchObject({
      status: 200,
      body: { via: "switch_file", path: "LEGACY_ONLY", why: "SYSTEM_DOWN: the control store is unreachable" },
    });
    expect(machine.isSwitchSet).toBe(true);
    place.away = false;
    const without = await desk({ withControl: false });
    expect(await ask(`${without.url}/api/v1/migration`)).toMatchObject({
      status: 409,
      body: { code: "REFUSED" },
    });
  });
});

describe("the routes of comparisons and symbols", () => {
  it("list, filter and show comparisons", async () => {
    const { url, service, evidence } = await desk({ modern: () => ({ totals: { USD: { total: "1" } } }) });
    await ask(`${url}/api/v1/pnl/totals`, "POST", {});
    await service.idle();
    let found: readonly { readonly id: string }[] = [];
    for (let round = 0; round < 100 && found.length === 0; round++) {
      await sleep(20);
      found = await evidence.find({ limit: 1 });
    }
    const { body } = await ask(`${url}/api/v1/comparisons?method=totals&verdict=diverged&limit=5`);
    const why = "answers of totals have no figures by instrument";
    const listed = found.map((one) => ({ ...one, explainable: false, why, causes: null }));
    expect(body.comparisons).toEqual(listed);
    expect((await ask(`${url}/api/v1/comparisons?verdict=equal`)).body.comparisons).toEqual([]);
    expect((await ask(`${url}/api/v1/comparisons/${found[0]?.id}`)).body).toEqual(listed[0]);
    expect(await ask(`${url}/api/v1/comparisons/none`)).toMatchObject({
      status: 404,
      body: { code: "BAD_USAGE" },
    });
  });

  it("show a symbol in every dialect, also one with a slash, and answer an invalid one with 404", async () => {
    const { url } = await desk();
    const { body } = await ask(
      `${url}/api/v1/symbols/${encodeURIComponent("XCMEOPADPS20250721N0VY3/110.25")}`,
    );
    expect(body.variants.bloomberg).toEqual({ text: "VBYN25P3 110.250 Comdty" });
    expect(await ask(`${url}/api/v1/symbols/XCME.RX.H5`)).toMatchObject({
      status: 404,
      body: { symbolError: { code: "UNKNOWN_PRODUCT" } },
    });
  });
});

describe("a web page that an operator has open", () => {
  it("cannot change anything: not with a form, from another origin, or under another host name", async () => {
    const { url, place } = await desk();
    const epoch = place.record.epoch;
    const rollback = `${url}/api/v1/migration/rollback`;
    const body = JSON.stringify({ reason: "evil" });
    const host = new URL(url).host;
    const json = "application/json";
    const tries: readonly [Readonly<Record<string, string>>, number][] = [
      [{ "content-type": "text/plain" }, 415],
      [{ "content-type": "application/x-www-form-urlencoded" }, 415],
      [{ "content-type": "text/plain; application/json" }, 415],
      [{}, 415],
      [{ "content-type": json, origin: "https://evil.example" }, 403],
      [{ "content-type": json, origin: "null" }, 403],
      [{ "content-type": json, host: "evil.example" }, 403],
      [
        {
          "content-type": json,
          host: `evil.example:${new URL(url).port}`,
          origin: `http://evil.example:${new URL(url).port}`,
        },
        403,
      ],
    ];
    for (const [headers, status] of tries)
      expect([headers, (await raw(rollback, headers, { method: "POST", body })).status]).toEqual([
        headers,
        status,
      ]);
    expect((await raw(`${url}/api/v1/migration/whitelist/evil`, {}, { method: "DELETE" })).status).toBe(415);
    expect((await raw(`${url}/api/v1/migration`, { host: "evil.example" })).status).toBe(403);
    expect(place.record.epoch).toBe(epoch);
    const fine = await raw(
      rollback,
      { "content-type": json, host, origin: `http://${host}` },
      { method: "POST", body },
    );
    expect(fine.status).toBe(200);
  });

  it("gets no CORS header, not even for a preflight request", async () => {
    const { url } = await desk();
    const preflight = await fetch(`${url}/api/v1/migration/rollback`, {
      method: "OPTIONS",
      headers: { origin: url, "access-control-request-method": "POST" },
    });
    const read = await fetch(`${url}/api/v1/migration`, { headers: { origin: url } });
    expect([preflight.status, read.status]).toEqual([404, 200]);
    for (const { headers } of [preflight, read])
      expect([...headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([]);
    expect(read.headers.get("content-security-policy")).toContain("default-src 'none'");
    expect(read.headers.get("x-content-type-options")).toBe("nosniff");
  });
});

describe("two operators at once", () => {
  it("a change that expects an older epoch is a conflict, and a rollback never is", async () => {
    const { url, place } = await desk();
    const at = (path: string): string => `${url}/api/v1${path}`;
    const { epoch } = await place.open().read();
    await ask(at("/migration/whitelist/amy"), "PUT", { reason: "first", epoch });
    const newest = (await place.open().read()).epoch;
    for (const [path, method, body] of [
      ["/migration/traffic", "PUT", { percentage: 5, reason: "x" }],
      ["/migration/traffic", "PUT", { percentage: 0, reason: "x" }],
      ["/migration/whitelist/bob", "PUT", { reason: "x" }],
      ["/migration/denylist/bob", "PUT", { reason: "x" }],
      ["/gates/approved/sign-off", "POST", { note: "x" }],
      ["/migration/phase", "POST", { move: "advance", reason: "x" }],
    ] as const) {
      const answered = await ask(at(path), method, { ...body, epoch });
      expect([path, answered.status, answered.body.code]).toEqual([path, 409, "CONFLICT"]);
      expect(answered.body.detail).toContain(`epoch ${newest}`);
    }
    expect((await place.open().read()).epoch).toBe(newest);
    const traffic = await ask(at("/migration/traffic"), "PUT", { percentage: 5, reason: "x", epoch: newest });
    expect([traffic.status, traffic.body.newSystemPercentage]).toEqual([200, 5]);
    expect((await ask(at("/migration/rollback"), "POST", { reason: "x" })).status).toBe(200);
  });

  it("a rollback that is sent again under its key happens once, and the answer is that of the first", async () => {
    const { url, place } = await desk();
    const rollback = (key: string) =>
      ask(`${url}/api/v1/migration/rollback`, "POST", { reason: "x" }, { "idempotency-key": key });
    const [first, second] = await Promise.all([rollback("one"), rollback("one")]);
    const third = await rollback("one");
    expect([first.status, second.body, third.body]).toEqual([200, first.body, first.body]);
    expect(place.rows.filter(({ action }) => action === "rollback").length).toBe(1);
    await rollback("two");
    expect(place.rows.filter(({ action }) => action === "rollback").length).toBe(2);
  });
});

describe("roles", () => {
  const env = { V: "viewer-0123456789", O: "operator-0123456789" };
  const tokens: GatewayOptions["tokens"] = [
    { name: "viewer", role: "viewer", env: "V" },
    { name: "amy", role: "operator", env: "O" },
  ];

  it("a viewer may read and call, an operator may also change; the audit shows the role, or the person's name", async () => {
    const { url, place } = await desk({ tokens, env });
    const as = (token: string) => ({ authorization: `Bearer ${token}` });
    const rollback = (headers: Readonly<Record<string, string>>) =>
      ask(`${url}/api/v1/migration/rollback`, "POST", { reason: "x" }, headers);
    const nobody = await ask(`${url}/api/v1/migration`);
    expect([nobody.status, nobody.headers.get("www-authenticate")]).toEqual([401, "Bearer"]);
    expect((await ask(`${url}/api/v1/pnl/totals`, "POST", {})).status).toBe(401);
    expect((await ask(`${url}/metrics`)).status).toBe(401);
    expect((await ask(`${url}/api/v1/events`)).status).toBe(401);
    expect((await ask(`${url}/healthz`)).status).toBe(200);
    expect((await ask(`${url}/readyz`)).status).toBe(200);
    expect((await ask(`${url}/api/v1/migration`, "GET", undefined, as(env.V))).status).toBe(200);
    expect((await ask(`${url}/api/v1/pnl/totals`, "POST", {}, as(env.V))).status).toBe(200);
    expect((await rollback(as(env.V))).status).toBe(403);
    expect((await rollback(as("operator-012345678X"))).status).toBe(401);
    expect((await rollback(as(env.O))).status).toBe(200);
    expect(place.rows.at(-1)).toMatchObject({ actor: "amy", action: "rollback" });
  });
});

describe("limits", () => {
  it("hold for the body, the headers and the rate, and bytes that are not HTTP are refused", async () => {
    const { url } = await desk({ rateLimitPerS: 5, limits: { bodyBytesMax: 1_000, rateWindowMs: 600_000 } });
    const large = await ask(`${url}/api/v1/pnl/totals`, "POST", { text: "x".repeat(1_000) });
    expect([large.status, large.body.code]).toEqual([413, "TOO_LARGE"]);
    expect((await raw(`${url}/healthz`, { "x-long": "x".repeat(20_000) })).status).toBe(431);
    const bytes = connect(Number(new URL(url).port), "127.0.0.1");
    bytes.end("\u0016\u0003\u0001hello\r\n\r\n");
    let said = "";
    for await (const piece of bytes) said += piece;
    expect(said).toMatch(/^HTTP\/1\.1 400 [\s\S]*application\/problem\+json/);
    const many = await Promise.all(Array.from({ length: 12 }, () => ask(`${url}/api/v1/migration`)));
    const refused = many.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(5);
    expect(refused[0]?.body).toMatchObject({
      code: "BUSY",
      detail: "the caller sent more than 5 requests in a second",
    });
    expect(refused[0]?.headers.get("retry-after")).toBe("1");
  });

  it("hold for connections: one too many is refused and counted", async () => {
    const { url } = await desk({ limits: { connectionsMax: 2 } });
    const port = Number(new URL(url).port);
    const held = [connect(port, "127.0.0.1"), connect(port, "127.0.0.1")];
    await Promise.all(held.map((socket) => once(socket, "connect")));
    await sleep(20);
    const third = connect(port, "127.0.0.1");
    third.on("error", () => {});
    await once(third, "close");
    held[0]?.destroy();
    await sleep(20);
    expect((await ask(`${url}/metrics`)).text).toMatch(/^pnl_bridge_http_connections_refused_total [1-9]/m);
    held[1]?.destroy();
  });

  it("hold for a request that never arrives completely", async () => {
    const { url } = await desk({ limits: { requestMsMax: 300 } });
    const slow = connect(Number(new URL(url).port), "127.0.0.1");
    slow.write(
      "POST /api/v1/pnl/totals HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{",
    );
    let said = "";
    for await (const piece of slow) said += piece;
    expect(said).toMatch(/^HTTP\/1\.1 408 /);
  });

  it("an unknown route and a route without its service answer with a problem document", async () => {
    const { url } = await desk();
    for (const path of [
      "/api/v1/dashboards",
      "/api/v1/quarantines",
      "/api/v1/reports/2025-07-24",
      "/pages",
      "/api/v1/%zz",
      "/%2e%2e/etc/passwd",
    ]) {
      const { status, headers } = await ask(`${url}${path}`);
      expect([path, Math.floor(status / 100), headers.get("content-type")]).toEqual([
        path,
        4,
        "application/problem+json",
      ]);
    }
  });
});

describe("health", () => {
  it("reports alive and ready, the freshness of the plan, and the reason when it is not ready", async () => {
    let why: string | undefined;
    const { url } = await desk({ refuses: () => why });
    expect(await ask(`${url}/healthz`)).toMatchObject({ status: 200, body: { alive: true } });
    expect(await ask(`${url}/readyz`)).toMatchObject({
      status: 200,
      body: { ready: true, why: null, epoch: 1, phase: "shadow_mode", freshness: "fresh" },
    });
    why = "legacy is closed";
    expect(await ask(`${url}/readyz`)).toMatchObject({ status: 503, body: { ready: false, why } });
    expect((await ask(`${url}/healthz`)).status).toBe(200);
  });
});

describe("start and close", () => {
  it("close answers all 200 calls in progress, reports 503 for readiness, and accepts no more connections", async () => {
    const released = Promise.withResolvers<void>();
    let begun = 0;
    const { url, gateway } = await desk({
      plan: { phase: "read_only" },
      legacy: async () => {
        begun += 1;
        await released.promise;
        return { totals: {} };
      },
      limits: { leaveMs: 2_000 },
    });
    const agent = new Agent({ keepAlive: true, maxSockets: 200 });
    const headers = { "content-type": "application/json" };
    const calls = Array.from({ length: 200 }, () =>
      raw(`${url}/api/v1/pnl/totals`, headers, { method: "POST", body: "{}", agent }),
    );
    await until(() => begun === 200);
    const stream = await listen(`${url}/api/v1/events`);
    const inFlight = /^pnl_bridge_http_requests_in_flight (\d+)$/m.exec(
      (await ask(`${url}/metrics`)).text,
    )?.[1];
    expect(Number(inFlight)).toBeGreaterThanOrEqual(200);
    const closing = gateway.close();
    const ready = await fetch(`${url}/readyz`);
    expect([ready.status, ready.headers.get("connection")]).toEqual([503, "close"]);
    expect(await ready.json()).toMatchObject({ ready: false, why: "the gateway is closing" });
    released.resolve();
    const answers = await Promise.all(calls);
    expect(
      answers.filter(({ status, body }) => status === 200 && JSON.parse(body).source === "legacy").length,
    ).toBe(200);
    await Promise.all([closing, stream.ended]);
    await expect(fetch(`${url}/healthz`)).rejects.toThrow();
    agent.destroy();
  });

  it("close loses no call of callers that reconnect after `connection: close`, under steady load", async () => {
    const { url, gateway } = await desk({ limits: { leaveMs: 300 } });
    const headers = { "content-type": "application/json" };
    let answered = 0;
    const failures: unknown[] = [];
    const caller = async (): Promise<void> => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      for (let isTold = false; !isTold; ) {
        try {
          const { status, connection } = await raw(`${url}/api/v1/pnl/totals`, headers, {
            method: "POST",
            body: "{}",
            agent,
          });
          if (status === 200) answered += 1;
          else failures.push(status);
          isTold = connection === "close";
        } catch (failure) {
          failures.push(failure);
          break;
        }
      }
      agent.destroy();
    };
    const callers = Promise.all(Array.from({ length: 20 }, caller));
    await until(() => answered > 100);
    await gateway.close();
    await callers;
    expect(failures).toEqual([]);
  });

  it("close answers a request that arrives on an open connection while the gateway closes", async () => {
    const { url, gateway } = await desk({ limits: { leaveMs: 300 } });
    const socket = connect(Number(new URL(url).port), "127.0.0.1");
    await once(socket, "connect");
    const closing = gateway.close();
    await sleep(450);
    socket.write(
      "POST /api/v1/pnl/totals HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}",
    );
    let said = "";
    for await (const piece of socket) said += piece;
    expect(said).toMatch(/^HTTP\/1\.1 200 OK\r\nconnection: close\r\n/i);
    await closing;
  });

  it("close does not wait for ever for a call that never ends", async () => {
    const { url, gateway, logged } = await desk({
      plan: { phase: "read_only" },
      legacy: () => sleep(600_000, { totals: {} }, { ref: false }),
      limits: { closeMsMax: 200 },
    });
    const call = ask(`${url}/api/v1/pnl/totals`, "POST", {}).catch(() => "cut off");
    await sleep(100);
    await gateway.close();
    expect(await call).toBe("cut off");
    expect(logged.at(-1)).toMatchObject({ message: "requests that took too long were cut off" });
  });

  it("start reports a port in use with one line", async () => {
    const { url } = await desk();
    await expect(desk({ port: Number(new URL(url).port) })).rejects.toMatchObject({
      code: "BAD_USAGE",
      message: "another program listens there",
      where: new URL(url).host,
    });
  });
});
