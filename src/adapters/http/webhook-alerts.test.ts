import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Alert } from "../../ports/alerts.ts";
import { WebhookAlerts, type WebhookOptions } from "./webhook-alerts.ts";

const secret = "T0K3N-that-nobody-may-see";
/** A chat server whose answers the tests define. */
let server: Server;
let url: string;
let answers: ((response: ServerResponse) => void)[];
let got: {
  readonly body: Record<string, unknown>;
  readonly atMs: number;
  readonly request: IncomingMessage;
}[];
let opened: WebhookAlerts[];
let givenUp: string[];

beforeEach(async () => {
  [answers, got, opened, givenUp] = [[], [], [], []];
  server = createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request) text += chunk;
    got.push({ body: JSON.parse(text), atMs: performance.now(), request });
    const answer = answers.shift() ?? ((one: ServerResponse) => void one.end("ok"));
    answer(response);
  });
  await new Promise<void>((listens) => server.listen(0, "127.0.0.1", listens));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hooks/${secret}?key=${secret}`;
});
afterEach(async () => {
  for (const alerts of opened) alerts.close();
  server.closeAllConnections();
  await new Promise((closed) => server.close(closed));
});

const open = (options: Partial<WebhookOptions> = {}, to = url): WebhookAlerts => {
  const onGivenUp = (alert: Alert, why: string): void => void givenUp.push(`${alert.title}: ${why}`);
  const alerts = new WebhookAlerts(to, "desk-1", {
    pausesMs: [5, 10],
    timeoutMs: 60_000,
    onGivenUp,
    ...options,
  });
  opened.push(alerts);
  return alerts;
};
const alert = (title: string): Alert => ({ kind: "rollback", title, details: { epoch: 7 } });
const status =
  (code: number, headers = {}) =>
  (response: ServerResponse): void =>
    void response.writeHead(code, headers).end("no");
const never = (): void => {};
const titles = (): readonly unknown[] => got.map(({ body }) => body.title);

describe("alerts by webhook", () => {
  it("are JSON for programs with a text for people, one after the other, in order", async () => {
    const alerts = open();
    answers = [(response) => void setTimeout(() => response.end(), 50)];
    for (const title of ["one", "two", "three"]) alerts.send(alert(title));
    expect(await alerts.settled(60_000)).toBe(0);
    expect(titles()).toEqual(["one", "two", "three"]);
    expect(got[0]?.body).toEqual({
      text: "pnl-bridge on desk-1: one",
      kind: "rollback",
      title: "one",
      details: { epoch: 7 },
      at: expect.stringMatching(/^2\d{3}-.*Z$/),
      from: "desk-1",
    });
    expect(got[0]?.request).toMatchObject({
      method: "POST",
      headers: { "content-type": "application/json" },
    });
    expect((got[1]?.atMs ?? 0) - (got[0]?.atMs ?? 0)).toBeGreaterThan(40);
  });

  it("are retried after each pause, and later alerts wait their turn", async () => {
    const alerts = open({ pausesMs: [30, 60] });
    answers = [status(500), status(429)];
    alerts.send(alert("one"));
    alerts.send(alert("two"));
    expect(await alerts.settled(60_000)).toBe(0);
    expect(titles()).toEqual(["one", "one", "one", "two"]);
    const [first, second, third] = got.map(({ atMs }) => atMs) as [number, number, number];
    expect(second - first).toBeGreaterThan(25);
    expect(third - second).toBeGreaterThan(55);
  });

  it("are given up after the last retry, and the next one is still sent", async () => {
    const alerts = open();
    answers = [status(500), status(503), status(404)];
    alerts.send(alert("one"));
    alerts.send(alert("two"));
    expect(await alerts.settled(60_000)).toBe(1);
    expect(titles()).toEqual(["one", "one", "one", "two"]);
    expect(givenUp).toEqual(["one: the webhook answered 404"]);
    expect(alerts.givenUp).toBe(1);
  });

  it("do not follow a redirect of the webhook", async () => {
    const alerts = open({ pausesMs: [] });
    answers = [status(302, { location: "/elsewhere" })];
    alerts.send(alert("one"));
    expect(await alerts.settled(60_000)).toBe(1);
    expect(got.map(({ request }) => request.url?.startsWith("/hooks/"))).toEqual([true]);
  });

  it("time out while they wait for an answer, and do not wait for the rest of one", async () => {
    const alerts = open({ pausesMs: [5], timeoutMs: 100 });
    answers = [never, never];
    alerts.send(alert("one"));
    expect(await alerts.settled(60_000)).toBe(1);
    expect(givenUp).toEqual(["one: the webhook did not answer"]);
    // An endless body is not read.
    answers = [(response) => void response.writeHead(200).write("x".repeat(1_000))];
    alerts.send(alert("two"));
    expect(await alerts.settled(60_000)).toBe(1);
  });

  it("are given up, the oldest first, when too many wait", async () => {
    const alerts = open({ waitingMax: 3, timeoutMs: 10_000 });
    let release = (): void => {};
    answers = [
      (response) => {
        release = () => void response.end();
      },
    ];
    for (let number = 1; number <= 6; number++) alerts.send(alert(`${number}`));
    while (got.length === 0) await sleep(5);
    expect(await alerts.settled(20)).toBe(6);
    release();
    expect(await alerts.settled(60_000)).toBe(3);
    expect(titles()).toEqual(["1", "4", "5", "6"]);
    expect(givenUp.map((line) => line.slice(0, 1))).toEqual(["1", "2", "3"]);
  });

  it("do not delay their sender, and delay a waiting caller only within its limit", async () => {
    const alerts = open({ timeoutMs: 600_000 });
    answers = [never];
    for (let number = 0; number < 100; number++) alerts.send(alert(`${number}`));
    expect(await alerts.settled(50)).toBe(100);
    alerts.close();
    await sleep(20);
    expect(await alerts.settled(60_000)).toBeGreaterThan(0);
    expect(got.length).toBe(1);
  });

  it("are given up at once when the program ends, also during a pause", async () => {
    const alerts = open({ pausesMs: [600_000] });
    answers = [status(500)];
    alerts.send(alert("one"));
    while (got.length === 0) await sleep(5);
    await sleep(20);
    alerts.close();
    expect(await alerts.settled(60_000)).toBe(1);
  });

  it.each([
    ["a refused connection", async () => url.replace(/:\d+/, ":1")],
    ["an unknown host name", async () => `http://nowhere.invalid/${secret}`],
    ["a server without TLS", async () => `https://127.0.0.1:${new URL(url).port}/${secret}`],
    ["another protocol", async () => `ftp://127.0.0.1/${secret}`],
    ["an invalid URL", async () => `not a url ${secret}`],
    ["a password that fetch refuses", async () => url.replace("http://", `http://amy:${secret}@`)],
    [
      "a connection that breaks",
      async () => {
        answers = [(response) => void response.socket?.destroy()];
        return url;
      },
    ],
  ])(
    "that cannot be delivered (%s) report the reason, and never the URL, which may contain a secret",
    async (_, to) => {
      const alerts = open({ pausesMs: [] }, await to());
      const warnings: unknown[] = [];
      const keep = (warning: unknown): void => void warnings.push(warning);
      process.on("warning", keep);
      alerts.send(alert("one"));
      expect(await alerts.settled(5_000)).toBe(1);
      process.off("warning", keep);
      expect(givenUp).toEqual([expect.stringMatching(/^one: the webhook cannot be reached: \w+$/)]);
      expect(JSON.stringify([givenUp, warnings, got.map(({ body }) => body)])).not.toContain(secret);
    },
  );
});
