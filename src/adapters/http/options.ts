import { BridgeError } from "../../base/errors.ts";

export interface HttpSystemOptions {
  readonly name: string;
  /**
   * An `http:` or `https:` URL, with an optional path but no user, password, query or fragment. Calls go to
   * `{url}/{method}`.
   */
  readonly url: string;
  /**
   * Name of the environment variable with the whole `authorization` header (`Bearer …`). Its value is never
   * shown.
   */
  readonly authorizationEnv?: string;
  /** Default: the environment of this process. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Certificates (PEM) to trust instead of the machine's. */
  readonly ca?: string;
  /** The name in the server's certificate. Default: the host name of the URL. */
  readonly serverName?: string;
  /**
   * Accepts any certificate, so that anybody on the network path can read and forge answers. Only for
   * experiments.
   */
  readonly insecureAcceptAnyCertificate?: boolean;
  /** Largest accepted body of an answer. Default 32 MiB. */
  readonly answerBytesMax?: number;
  /** Largest number of connections; further calls wait for one, within their deadline. Default 32. */
  readonly connectionsMax?: number;
  /** Largest number of calls in progress, waiting ones included; one more is BUSY. Default 256. */
  readonly inFlightMax?: number;
  /** How long an idle connection is kept, unless the server sets a limit. Default 4 000. */
  readonly idleMs?: number;
}

export const httpDefaults = Object.freeze({
  answerBytesMax: 32 * 2 ** 20,
  connectionsMax: 32,
  inFlightMax: 256,
  idleMs: 4_000,
});

/** Checks the URL. The errors never contain it, since it may contain a password. */
export function checkedUrl(name: string, given: string): URL {
  if (!URL.canParse(given))
    throw badConfig(`the url of ${name} is not a valid URL`, "write it like https://pnl.example:8443/api");
  const url = new URL(given);
  if (url.protocol !== "http:" && url.protocol !== "https:")
    throw badConfig(
      `the url of ${name} is neither http: nor https:`,
      "write it like https://pnl.example:8443/api",
    );
  if (url.username !== "" || url.password !== "")
    throw badConfig(
      `the url of ${name} contains a user or password, and URLs appear in logs`,
      "put the authorization header into an environment variable and name it",
    );
  if (url.search !== "" || url.hash !== "")
    throw badConfig(
      `the url of ${name} has a query or fragment, but method names are appended to its path`,
      "end it with its path",
    );
  return url;
}

/** The header's value; undefined if none is configured. The errors name the variable, never the value. */
export function authorization({
  name,
  authorizationEnv,
  environment = process.env,
}: HttpSystemOptions): string | undefined {
  if (authorizationEnv === undefined) return undefined;
  const value = environment[authorizationEnv]?.trim();
  const fix = `set ${authorizationEnv} to the whole header, like: Bearer …`;
  if (!value)
    throw badConfig(
      `the environment variable ${authorizationEnv}, with the authorization of ${name}, is not set`,
      fix,
    );
  if (!/^[\x20-\x7e]+$/.test(value))
    throw badConfig(
      `the environment variable ${authorizationEnv} contains characters that are not allowed in a header`,
      fix,
    );
  return value;
}

const badConfig = (what: string, fix: string): BridgeError => new BridgeError("BAD_CONFIG", { what, fix });
