import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import {
  type AddressInfo,
  createServer as createSocketServer,
  type Socket,
  type Server as SocketServer,
} from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { inspect } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { BridgeError } from "../../base/errors.ts";
import { blameOf, type FailureClass } from "../../domain/migration/system-failure.ts";
import type { JsonValue } from "../../ports/system.ts";
import { referenceReply, referenceService } from "../../testing/reference-service.ts";
import { failureOf, systemContract } from "../../testing/system-contract.ts";
import { HttpSystem, type HttpSystemOptions } from "./index.ts";

const patient = { deadlineMs: 20_000 };
const hasty = { deadlineMs: 100 };

systemContract(
  "a service over HTTP",
  async ({ answerBytesMax }) => {
    const server = await listening(createServer(referenceListener()));
    const system = new HttpSystem({ name: "desk", url: urlOf(server), answerBytesMax, connectionsMax: 64 });
    return { system, end: () => ended(server), running: () => connectionsOf(server) };
  },
  { aBusyProcessorIsCutOff: "the server of this test runs in the test's own process" },
);

describe("a call over HTTP", () => {
  it("posts JSON with its deadline and the authorization to the method's path below the URL", async () => {
    const seen: unknown[] = [];
    const { system } = await serve(
      async (request, response) => {
        const { method, url, headers } = request;
        seen.push([
          method,
          url,
          headers["content-type"],
          headers["x-pnl-deadline-ms"],
          headers.authorization,
          await bodyOf(request),
        ]);
        response.end('{"price":110.50}');
      },
      { path: "/api/v2/", authorizationEnv: "DESK_TOKEN", environment: { DESK_TOKEN: "Bearer abcdef\n" } },
    );
    expect(await system.invoke("totals", { book: "UST" }, { deadlineMs: 250.7 })).toEqual({ price: "110.5" });
    expect(await system.invoke("desk.totals", null, { deadlineMs: Number.POSITIVE_INFINITY })).toEqual({
      price: "110.5",
    });
    expect(seen).toEqual([
      ["POST", "/api/v2/totals", "application/json", "250", "Bearer abcdef", '{"book":"UST"}'],
      ["POST", "/api/v2/desk.totals", "application/json", undefined, "Bearer abcdef", "null"],
    ]);
  });

  it("reuses its connections up to the limit, and waits for a free one beyond it", async () => {
    let open = 0;
    let openMax = 0;
    const ports = new Set<number | undefined>();
    const { system } = await serve(
      async (request, response) => {
        ports.add(request.socket.remotePort);
        openMax = Math.max(openMax, ++open);
        await sleep(5);
        open -= 1;
        response.end("1");
      },
      { connectionsMax: 3 },
    );
    for (let round = 0; round < 4; round++)
      await Promise.all(Array.from({ length: 10 }, () => system.invoke("echo", null, patient)));
    expect([openMax, ports.size]).toEqual([3, 3]);
  });

  it("is BUSY beyond the limit of calls, and times out also while it waits for a connection", async () => {
    const { system } = await serve(() => {}, { connectionsMax: 1, inFlightMax: 2 });
    const calls = [system.invoke("hang", null, hasty), system.invoke("hang", null, hasty)];
    await failureOf(system.invoke("hang", null, patient), "BUSY");
    for (const call of calls) await failureOf(call, "TIMEOUT");
    await failureOf(system.invoke("hang", null, hasty), "TIMEOUT");
  });

  it("succeeds after the server dropped idle connections, and if it takes longer than the idle timeout", async () => {
    const { system, server } = await serve(
      async (_, response) => {
        await sleep(150);
        response.end("1");
      },
      { idleMs: 40 },
    );
    expect(await system.invoke("echo", null, patient)).toBe(1);
    server.closeIdleConnections();
    await sleep(20);
    expect(await system.invoke("echo", null, patient)).toBe(1);
    await expect.poll(() => connectionsOf(server)).toBe(0);
  });

  it("is not repeated when its reused connection breaks", async () => {
    let calls = 0;
    const { system } = await serve((request, response) => {
      calls += 1;
      if (calls === 1) response.end("1");
      else request.socket.destroy();
    });
    expect(await system.invoke("write", null, patient)).toBe(1);
    await failureOf(system.invoke("write", null, patient), "DOWN");
    expect(calls).toBe(2);
  });
});

describe("an answer that comes too late", () => {
  it.each<[string, (socket: Socket) => void]>([
    ["no headers at all", () => {}],
    ["headers that never end", (socket) => dripping(socket, "HTTP/1.1 200 OK\r\n", "x-more: yes\r\n")],
    [
      "informational answers without end",
      (socket) => dripping(socket, "", "HTTP/1.1 103 Early Hints\r\n\r\n"),
    ],
    [
      "a body that never ends",
      (socket) => dripping(socket, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", "1\r\n \r\n"),
    ],
    [
      "a refusal whose body never ends",
      (socket) => dripping(socket, "HTTP/1.1 500 No\r\ncontent-length: 999\r\n\r\n", " "),
    ],
  ])("with %s fails TIMEOUT, and its connection is closed", async (_, answer) => {
    const { system, sockets } = await serveSockets(answer);
    await failureOf(system.invoke("echo", null, hasty), "TIMEOUT");
    await expect.poll(() => sockets.size).toBe(0);
  });
});

describe("the outcome of a call", () => {
  const json = "content-type: application/json\r\n";
  it.each<[string, "DOWN" | "GARBLED" | "TOO_LARGE" | "REFUSED", string]>([
    ["an ended connection without an answer", "DOWN", ""],
    ["half of the headers", "DOWN", "HTTP/1.1 200 OK\r\nconte"],
    ["half of the body", "DOWN", `HTTP/1.1 200 OK\r\n${json}content-length: 100\r\n\r\n{"a":`],
    ["half of the chunks", "DOWN", `HTTP/1.1 200 OK\r\n${json}transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n`],
    ["another protocol", "GARBLED", "220 mail.example ESMTP\r\n"],
    [
      "an answer to an upgrade that was not requested",
      "DOWN",
      "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
    ],
    ["a page", "GARBLED", "HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\n<html></html>"],
    ["an empty body", "GARBLED", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"],
    ["broken UTF-8", "GARBLED", 'HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n"\xff"'],
    [
      "a compressed body",
      "GARBLED",
      "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n{}",
    ],
    ["NaN", "GARBLED", "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nNaN"],
    [
      "a redirect",
      "REFUSED",
      "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
    ],
    ["headers that are too large", "TOO_LARGE", `HTTP/1.1 200 OK\r\nx: ${"y".repeat(100_000)}\r\n\r\n`],
    ["a length beyond the limit", "TOO_LARGE", "HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n"],
  ])("for %s is %s", async (_, failure, bytes) => {
    const { system } = await serveSockets((socket) => socket.end(Buffer.from(bytes, "latin1")));
    await failureOf(system.invoke("echo", null, patient), failure);
  });

  it("for a refused connection is DOWN", async () => {
    const { system, server } = await serve(() => {});
    await ended(server);
    expect((await failureOf(system.invoke("echo", null, patient), "DOWN")).message).toContain("ECONNREFUSED");
  });

  it("for an answer without content is null", async () => {
    const { system } = await serve((_, response) => response.writeHead(204).end());
    expect(await system.invoke("echo", null, patient)).toBeNull();
  });

  it("for an answer of 200 MB is TOO_LARGE, and nothing beyond the limit is read", async () => {
    const megabyte = Buffer.alloc(2 ** 20, 32);
    let sent = 0;
    const { system } = await serve(
      async (_, response) => {
        response.on("error", () => {});
        for (; sent < 200 && !response.destroyed; sent++)
          if (!response.write(megabyte))
            await Promise.race([once(response, "drain"), once(response, "close")]);
        response.end();
      },
      { answerBytesMax: 4 * 2 ** 20 },
    );
    await failureOf(system.invoke("huge", null, patient), "TOO_LARGE");
    await sleep(50);
    // Beyond the limit, only what the kernel's buffers on both sides can hold was sent.
    expect(sent).toBeLessThan(40);
  });
});

describe("a refusal", () => {
  it.each<[string, number, string, string, string]>([
    [
      "a problem document",
      422,
      '{"title":"Bad","code":"NO_BOOK","detail":"no such book: UST"}',
      "NO_BOOK",
      "no such book: UST",
    ],
    ["a problem document without a code", 404, '{"title":"Not here"}', "HTTP_404", "Not here"],
    ["a problem document whose code is not text", 400, '{"code":7,"message":"seven"}', "HTTP_400", "seven"],
    ["a page", 500, "<html>later</html>", "HTTP_500", "the service answered with status 500"],
    ["a list", 500, "[1]", "HTTP_500", "the service answered with status 500"],
    ["null", 500, "null", "HTTP_500", "the service answered with status 500"],
    ["a body beyond the limit", 500, " ".repeat(2 ** 20), "HTTP_500", "the service answered with status 500"],
  ])(
    "by %s has the code and message of its body, or else of its status",
    async (_, status, body, code, words) => {
      const { system } = await serve((_, response) => response.writeHead(status).end(body));
      const failure = await failureOf(system.invoke("totals", null, patient), "REFUSED");
      expect([failure.code, failure.message]).toEqual([code, `desk.totals: ${words}`]);
    },
  );
});

describe("a status that reports a failure of the service", () => {
  it.each<[number, FailureClass]>([
    [408, "TIMEOUT"],
    [429, "BUSY"],
    [502, "DOWN"],
    [503, "BUSY"],
    [504, "TIMEOUT"],
  ])("(%s) is %s and not a refusal, whatever code its body has", async (status, failureClass) => {
    const { system } = await serve((_, response) =>
      response.writeHead(status).end('{"code":"DRAINING","detail":"later"}'),
    );
    const failure = await failureOf(system.invoke("totals", null, patient), failureClass);
    expect([failure.code, failure.message, blameOf(failure)]).toEqual([
      `HTTP_${status}`,
      "desk.totals: later",
      "system",
    ]);
  });
});

it("a refusal blames the request only with the statuses 400, 413, 415 and 422", async () => {
  const blamed = async (status: number): Promise<string> => {
    const { system } = await serve((_, response) => response.writeHead(status).end('{"code":"ANY"}'));
    return blameOf(await failureOf(system.invoke("totals", null, patient), "REFUSED"));
  };
  expect(await Promise.all([400, 413, 415, 422].map(blamed))).toEqual([
    "request",
    "request",
    "request",
    "request",
  ]);
  expect(await Promise.all([401, 404, 409, 500, 501].map(blamed))).toEqual(Array(5).fill("unknown"));
});

describe("the secret", () => {
  const environment = {
    TOKEN: "Bearer sesame-open-7",
    LOGIN: `Basic ${Buffer.from("amy:hunter2-long").toString("base64")}`,
  };
  const secrets = /sesame|hunter2|YW15/;

  it.each(["TOKEN", "LOGIN"])(
    "of %s is in no failure and no log output, whatever the server echoes",
    async (authorizationEnv) => {
      const options = { authorizationEnv, environment };
      const echo = await serve(
        (request, response) => {
          const { authorization = "" } = request.headers;
          const decoded = Buffer.from(authorization.slice(6), "base64").toString();
          const detail = `bad header ${authorization}, ${authorization.slice(6).trim()}, ${decoded} ${"x".repeat(450)}${authorization}`;
          response.writeHead(401, { "x-echo": authorization });
          response.end(JSON.stringify({ code: authorization, detail }));
        },
        { authorizationEnv, environment },
      );
      const refused = await failureOf(echo.system.invoke("echo", null, patient), "REFUSED");
      expect(refused.message).toContain("[secret]");
      expect(refused.message.length).toBeLessThan(600);
      // Node's parser error would contain the bytes that it did not understand.
      const noHttp = await serveSockets(
        (socket, head) => socket.end(String(head).replace("POST", "220")),
        options,
      );
      const garbled = await failureOf(noHttp.system.invoke("echo", null, patient), "GARBLED");
      const late = await serve(() => {}, options);
      const timeout = await failureOf(late.system.invoke("echo", null, hasty), "TIMEOUT");
      const underWay = failureOf(late.system.invoke("echo", null, patient), "DOWN");
      const shown = inspect(late.system, { depth: 20, showHidden: true });
      await late.system.close();
      for (const failure of [refused, garbled, timeout, await underWay])
        expect(
          `${inspect(failure, { depth: 20, showHidden: true })}${failure.stack}${JSON.stringify(failure)}`,
        ).not.toMatch(secrets);
      expect(shown).not.toMatch(secrets);
    },
  );

  it.each<[string, Partial<HttpSystemOptions>]>([
    ["missing", {}],
    ["empty", { environment: { TOKEN: " " } }],
    ["of two lines", { environment: { TOKEN: "Bearer sesame\r\nx-evil: yes" } }],
  ])("that is %s is refused with a message that contains only its name", (_, options) => {
    const error = configError({ authorizationEnv: "TOKEN", environment: {}, ...options });
    expect(error.line).toContain("TOKEN");
    expect(error.line).not.toMatch(secrets);
  });
});

describe("a URL", () => {
  it.each([
    "http://amy:sesame@127.0.0.1/",
    "https://sesame@desk/",
    "ftp://sesame.example/",
    "sesame",
    "",
    "http://desk/?key=sesame",
    "http://desk/#sesame",
  ])("like %j is refused with a message that does not contain it", (url) => {
    expect(configError({ url }).line).not.toContain("sesame");
  });
});

describe.skipIf(!hasOpenssl())(`TLS${hasOpenssl() ? "" : " (skipped: openssl is not installed)"}`, () => {
  const folder = mkdtempSync(join(tmpdir(), "pnl-bridge-tls-"));
  let trusted = "";
  let server: Server;
  beforeAll(async () => {
    const { key, cert } = certificate(folder, "desk.test");
    trusted = cert;
    server = await listening(createTlsServer({ key, cert }, referenceListener()));
  });
  afterAll(async () => {
    await ended(server);
    rmSync(folder, { recursive: true, force: true });
  });
  const system = (tls: Partial<HttpSystemOptions>): HttpSystem =>
    opened(new HttpSystem({ name: "desk", url: urlOf(server, "https"), ...tls }));

  it("connects to a server with a trusted certificate for the expected name", async () => {
    expect(await system({ ca: trusted, serverName: "desk.test" }).invoke("echo", "x", patient)).toBe("x");
  });

  it("fails DOWN with an untrusted certificate, even if the environment accepts it", async () => {
    const before = process.env.NODE_TLS_REJECT_UNAUTHORIZED;
    const { emitWarning } = process;
    process.emitWarning = () => {};
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
    try {
      const failure = await failureOf(system({}).invoke("echo", "x", patient), "DOWN");
      expect(failure.message).toContain("self-signed certificate");
    } finally {
      if (before === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
      else process.env.NODE_TLS_REJECT_UNAUTHORIZED = before;
      process.emitWarning = emitWarning;
    }
  });

  it("fails DOWN with a certificate for another name, or of another authority", async () => {
    const named = await failureOf(system({ ca: trusted }).invoke("echo", "x", patient), "DOWN");
    expect(named.message).toContain("does not match");
    const other = certificate(folder, "other.test").cert;
    await failureOf(system({ ca: other, serverName: "desk.test" }).invoke("echo", "x", patient), "DOWN");
  });

  it("accepts any certificate only if the insecure option is set", async () => {
    expect(await system({ insecureAcceptAnyCertificate: true }).invoke("echo", "x", patient)).toBe("x");
    await failureOf(system({ insecureAcceptAnyCertificate: false }).invoke("echo", "x", patient), "DOWN");
  });

  it("fails if only one of client and server uses TLS", async () => {
    const { server: clear } = await serve((_, response) => response.end("1"));
    const wrong = opened(new HttpSystem({ name: "desk", url: urlOf(clear, "https") }));
    await failureOf(wrong.invoke("echo", "x", patient), "DOWN");
    const plain = opened(new HttpSystem({ name: "desk", url: urlOf(server, "http") }));
    await failureOf(plain.invoke("echo", "x", patient), "DOWN");
  });
});

// --- servers of the tests
// ---------------------------------------------------------------------------------------------

const cleanUps: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

function opened(system: HttpSystem): HttpSystem {
  cleanUps.push(() => system.close());
  return system;
}

async function serve(
  listener: RequestListener,
  { path = "", ...options }: Partial<HttpSystemOptions> & { path?: string } = {},
) {
  const server = await listening(createServer(listener));
  cleanUps.push(() => ended(server));
  return { server, system: opened(new HttpSystem({ name: "desk", url: urlOf(server) + path, ...options })) };
}

/** Starts a socket server that answers the first bytes of each connection with the given function. */
async function serveSockets(
  answer: (socket: Socket, head: Buffer) => void,
  options: Partial<HttpSystemOptions> = {},
) {
  const sockets = new Set<Socket>();
  const server = createSocketServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket)).on("error", () => {});
    socket.once("data", (head: Buffer) => answer(socket, head));
  });
  await listening(server);
  cleanUps.push(async () => {
    for (const socket of sockets) socket.destroy();
    await ended(server);
  });
  return { sockets, system: opened(new HttpSystem({ name: "desk", url: urlOf(server), ...options })) };
}

function dripping(socket: Socket, first: string, again: string): void {
  socket.write(first);
  const timer = setInterval(() => socket.write(again), 10);
  socket.on("close", () => clearInterval(timer));
}

/** Serves the reference service; its `vanish` method cuts all connections. */
function referenceListener(): RequestListener {
  const sockets = new Set<Socket>();
  const service = referenceService(() => {
    for (const socket of sockets) socket.destroy();
  });
  return async (request, response) => {
    if (!sockets.has(request.socket)) request.socket.once("close", () => sockets.delete(request.socket));
    sockets.add(request.socket);
    const text = await bodyOf(request);
    const reply = await referenceReply(
      service,
      decodeURIComponent(request.url?.slice(1) ?? ""),
      JSON.parse(text) as JsonValue,
    );
    if (response.destroyed) return;
    if (reply.ok) response.writeHead(200, { "content-type": "application/json" }).end(reply.text);
    else
      response
        .writeHead(422, { "content-type": "application/problem+json" })
        .end(JSON.stringify({ code: reply.code, detail: reply.message }));
  };
}

async function bodyOf(request: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

async function listening<S extends SocketServer>(server: S): Promise<S> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

async function ended(server: SocketServer | Server): Promise<void> {
  if ("closeAllConnections" in server) server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}

const urlOf = (server: SocketServer, scheme = "http"): string =>
  `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`;

const connectionsOf = (server: SocketServer): Promise<number> =>
  new Promise((resolve, reject) =>
    server.getConnections((error, count) => (error === null ? resolve(count) : reject(error))),
  );

function configError(options: Partial<HttpSystemOptions>): BridgeError {
  try {
    new HttpSystem({ name: "desk", url: "http://127.0.0.1/", ...options });
  } catch (error) {
    expect(error).toBeInstanceOf(BridgeError);
    return error as BridgeError;
  }
  throw new Error("the options were not refused");
}

function hasOpenssl(): boolean {
  try {
    execFileSync("openssl", ["version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** Creates a self-signed certificate for a name. */
function certificate(folder: string, name: string): { readonly key: string; readonly cert: string } {
  const [key, cert] = [join(folder, `${name}.key`), join(folder, `${name}.crt`)];
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const subject = ["-subj", `/CN=${name}`, "-addext", `subjectAltName=DNS:${name}`];
  const files = ["-keyout", key, "-out", cert];
  execFileSync("openssl", ["req", "-x509", ...curve, ...subject, ...files, "-days", "2"], {
    stdio: "ignore",
  });
  return { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") };
}
