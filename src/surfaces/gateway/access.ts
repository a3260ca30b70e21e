/**
 * Who may do what. With tokens, a caller has the role of its token. Without, the gateway listens to this machine only, and
 * everybody on it may do everything, except web pages. A page that an operator has open can send requests to loopback (its
 * `Origin` shows it), or be served under a name that leads to loopback (its `Host` shows it); both are refused. No CORS
 * header is ever sent.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { BridgeError } from "../../base/errors.ts";
import { isLoopback, type TokenHolder, type TokenRole, tokenRoles } from "../../config/index.ts";
import { HttpProblem } from "./problems.ts";

/** In order: each may do what those before it may. */
export const roles = tokenRoles;
export type Role = TokenRole;

export interface AccessOptions {
  readonly host: string;
  /** Who has a token, and the environment variable that holds it. */
  readonly tokens: readonly TokenHolder[];
  /** Further names of the gateway, with a port or without. */
  readonly allowedHosts: readonly string[];
  /** The actor of the audit where there are no tokens. */
  readonly localActor: string;
}

export interface Caller {
  readonly role: Role;
  /** For the audit. */
  readonly actor: string;
}

interface Identified {
  readonly tokenHolder: Caller | undefined;
  readonly headers: Pick<IncomingHttpHeaders, "authorization">;
}

const tokenLengthMin = 16;

export class Access {
  readonly #tokens: readonly { readonly holder: Caller; readonly digest: Buffer }[];
  readonly #checksHost: boolean;
  readonly #allowedHosts: ReadonlySet<string>;
  readonly #local: Caller;
  /** Nearly every request names the same host. */
  #lastAllowed: string | undefined;

  /** Throws BAD_CONFIG where a token is missing, too short or used twice, and where only tokens could tell callers apart. */
  constructor({ host, tokens, allowedHosts, localActor }: AccessOptions, env: NodeJS.ProcessEnv) {
    if (tokens.length === 0 && !isLoopback(host))
      throw badTokens(`gateway.listen is beyond this machine (${host}), and there are no tokens`);
    const seen = new Set<string>();
    this.#tokens = tokens.map(({ name, role, env: variable }) => {
      const token = env[variable] ?? "";
      if (token.length < tokenLengthMin)
        throw badTokens(`the token of ${name} is not in ${variable}, or shorter than ${tokenLengthMin} characters`);
      if (seen.has(token)) throw badTokens(`the token of ${name} is somebody else's too`);
      seen.add(token);
      return { holder: { role, actor: name }, digest: digestOf(token) };
    });
    this.#checksHost = isLoopback(host) || allowedHosts.length > 0;
    this.#allowedHosts = new Set(allowedHosts.map((name) => name.toLowerCase()));
    this.#local = { role: "admin", actor: localActor };
  }

  /** Refuses what a foreign web page could have sent. */
  checkOrigin({ host = "", origin }: Pick<IncomingHttpHeaders, "host" | "origin">): void {
    if (this.#checksHost && host !== this.#lastAllowed) {
      if (this.#isAllowed(host)) this.#lastAllowed = host;
      else
        throw new HttpProblem(403, "REFUSED", `this gateway is not reached as ${JSON.stringify(host)}`, {
          fix: "name it under gateway.allowed_hosts, or ask for 127.0.0.1",
        });
    }
    if (origin === undefined) return;
    const from = URL.canParse(origin) ? new URL(origin).host : "";
    if (from === "" || (from !== host.toLowerCase() && !this.#isNamed(from)))
      throw new HttpProblem(403, "REFUSED", `a page of ${JSON.stringify(origin)} may not ask this gateway`, {
        fix: "name its host under gateway.allowed_hosts",
      });
  }

  /**
   * The holder of the token in an `authorization` header; undefined without a valid one. Takes equally long for every
   * token: all known ones are compared, in constant time, by digest.
   */
  holderOf(authorization: string | undefined): Caller | undefined {
    if (authorization === undefined || this.#tokens.length === 0) return undefined;
    const digest = digestOf(/^Bearer +(\S+) *$/i.exec(authorization)?.[1] ?? "");
    let found: Caller | undefined;
    for (const known of this.#tokens) if (timingSafeEqual(known.digest, digest)) found = known.holder;
    return found;
  }

  /** The caller of a request. Throws 401 without a valid token, and 403 where the caller's role is too low. */
  caller({ tokenHolder, headers }: Identified, needs: Role): Caller {
    if (this.#tokens.length === 0) return this.#local;
    if (tokenHolder === undefined) {
      const detail =
        headers.authorization === undefined ? "there is no token" : "the token in the authorization header is not valid";
      throw new HttpProblem(401, "REFUSED", detail, { fix: "send authorization: Bearer TOKEN" });
    }
    const { role } = tokenHolder;
    if (roles.indexOf(role) < roles.indexOf(needs))
      throw new HttpProblem(403, "REFUSED", `a ${role} may not do this`, { fix: `it takes the token of ${needs}` });
    return tokenHolder;
  }

  #isAllowed(host: string): boolean {
    const name = host.toLowerCase();
    return this.#isNamed(name) || isLoopback(withoutPort(name).replace(/^\[(.*)\]$/, "$1"));
  }

  #isNamed(host: string): boolean {
    return this.#allowedHosts.has(host) || this.#allowedHosts.has(withoutPort(host));
  }
}

const withoutPort = (host: string): string => host.replace(/:\d+$/, "");

const digestOf = (token: string): Buffer => createHash("sha256").update(token).digest();

const badTokens = (what: string): BridgeError =>
  new BridgeError("BAD_CONFIG", { what, fix: "name the environment variables under gateway.tokens, and set them" });
