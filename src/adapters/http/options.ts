import { BridgeError } from "../../base/errors.ts";

export interface HttpSystemOptions {
  readonly name: string;
  /** `http:` or `https:`, with a path if need be; methods are posted to `{url}/{method}`. Without user, password, query or fragment. */
  readonly url: string;
  /** Name of the environment variable that holds the whole `authorization` header (`Bearer …`). Its value is shown nowhere. */
  readonly authorizationEnv?: string;
  /** Default: the environment of this process. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Certificates (PEM) to trust instead of the machine's. */
  readonly ca?: string;
  /** The name that the server's certificate must bear, where it is not that of the URL. */
  readonly serverName?: string;
  /** Takes any certificate, so anybody on the way can read and answer. For trying things out. */
  readonly insecureAcceptAnyCertificate?: boolean;
  /** Of an answer's body. Default 32 MiB. */
  readonly answerBytesMax?: number;
  /** Connections at a time; more calls wait, in their own time. Default 32. */
  readonly connectionsMax?: number;
  /** Calls under way, the waiting ones included; one more is BUSY. Default 256. */
  readonly inFlightMax?: number;
  /** How long a connection without a call is kept, where the server does not say. Default 4 000. */
  readonly idleMs?: number;
}

export const httpDefaults = Object.freeze({
  answerBytesMax: 32 * 2 ** 20,
  connectionsMax: 32,
  inFlightMax: 256,
  idleMs: 4_000,
});

/** The errors never repeat what was given: it may hold a password. */
export function checkedUrl(name: string, given: string): URL {
  if (!URL.canParse(given)) throw badConfig(`the url of ${name} is none`, "write it like https://pnl.example:8443/api");
  const url = new URL(given);
  if (url.protocol !== "http:" && url.protocol !== "https:")
    throw badConfig(`the url of ${name} is neither http: nor https:`, "write it like https://pnl.example:8443/api");
  if (url.username !== "" || url.password !== "")
    throw badConfig(
      `the url of ${name} holds a user or password, and URLs end up in logs`,
      "put the authorization header into an environment variable and name it",
    );
  if (url.search !== "" || url.hash !== "")
    throw badConfig(`the url of ${name} has a query or fragment, which the methods have no place for`, "end it with its path");
  return url;
}

/** The header's value; undefined where none is wanted. The errors name the variable, never the value. */
export function authorization({ name, authorizationEnv, environment = process.env }: HttpSystemOptions): string | undefined {
  if (authorizationEnv === undefined) return undefined;
  const value = environment[authorizationEnv]?.trim();
  const fix = `set ${authorizationEnv} to the whole header, like: Bearer …`;
  if (!value) throw badConfig(`the environment variable ${authorizationEnv}, which ${name} is to send, is not set`, fix);
  if (!/^[\x20-\x7e]+$/.test(value))
    throw badConfig(`the environment variable ${authorizationEnv} holds characters that no header may have`, fix);
  return value;
}

const badConfig = (what: string, fix: string): BridgeError => new BridgeError("BAD_CONFIG", { what, fix });
