/**
 * Decides what a caller may do. With tokens, a caller has the role of its token. Without tokens, the gateway
 * accepts connections only from this machine. Everybody on it may do everything, but web pages may not: a
 * page that an operator has open can send requests to loopback (its `Origin` shows it), or come from a name
 * that resolves to loopback (its `Host` shows it), and both are refused. No CORS header is ever sent.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { BridgeError } from "../../base/errors.ts";
import { isLoopback, type TokenHolder, type TokenRole, tokenRoles } from "../../config/index.ts";
import { HttpProblem } from "./problems.ts";

/** In ascending order: each role includes the rights of those before it. */
export const roles = tokenRoles;
export type Role = TokenRole;

export interface AccessOptions {
  readonly host: string;
  /** The holders of tokens, each with the environment variable that contains the token. */
  readonly tokens: readonly TokenHolder[];
  /** Further host names of the gateway, with or without a port. */
  readonly allowedHosts: readonly string[];
  /** The actor in the audit of a gateway without tokens. */
  readonly localActor: string;
}

export interface Caller {
  readonly role: Role;
  /** The actor's name in the audit. */
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
  /** The last allowed host, cached because nearly every request names the same one. */
  #lastAllowed: string | undefined;

  /**
   * Throws BAD_CONFIG if a token is missing, too short or used twice, and without tokens for an address
   * beyond loopback.
   */
  constructor({ host, tokens, allowedHosts, localActor }: AccessOptions, env: NodeJS.ProcessEnv) {
    if (tokens.length === 0 && !isLoopback(host))
      throw badTokens(`gateway.listen is reachable from other machines (${host}), which requires tokens`);
    const seen = new Set<string>();
    this.#tokens = tokens.map(({ name, role, env: variable }) => {
      const token = env[variable] ?? "";
      if (token.length < tokenLengthMin)
        throw badTokens(
          `the token of ${name} in ${variable} is missing or shorter than ${tokenLengthMin} characters`,
        );
      if (seen.has(token)) throw badTokens(`${name} has the same token as another holder`);
      seen.add(token);
      return { holder: { role, actor: name }, digest: digestOf(token) };
    });
    this.#checksHost = isLoopback(host) || allowedHosts.length > 0;
    this.#allowedHosts = new Set(allowedHosts.map((name) => name.toLowerCase()));
    this.#local = { role: "admin", actor: localActor };
  }

  /** Refuses requests that a foreign web page could have sent. */
  checkOrigin({ host = "", origin }: Pick<IncomingHttpHeaders, "host" | "origin">): void {
    if (this.#checksHost && host !== this.#lastAllowed) {
      if (this.#isAllowed(host)) this.#lastAllowed = host;
      else
        throw new HttpProblem(
          403,
          "REFUSED",
          `this gateway does not serve the host name ${JSON.stringify(host)}`,
          {
            fix: "add it to gateway.allowed_hosts, or use 127.0.0.1",
          },
        );
    }
    if (origin === undefined) return;
    const from = URL.canParse(origin) ? new URL(origin).host : "";
    if (from === "" || (from !== host.toLowerCase() && !this.#isNamed(from)))
      throw new HttpProblem(403, "REFUSED", `a page of ${JSON.stringify(origin)} may not call this gateway`, {
        fix: "add its host to gateway.allowed_hosts",
      });
  }

  /**
   * The holder of the token in an `authorization` header; undefined without a valid one. Takes the same time
   * for every token: it compares the digests of all known tokens in constant time.
   */
  holderOf(authorization: string | undefined): Caller | undefined {
    if (authorization === undefined || this.#tokens.length === 0) return undefined;
    const digest = digestOf(/^Bearer +(\S+) *$/i.exec(authorization)?.[1] ?? "");
    let found: Caller | undefined;
    for (const known of this.#tokens) if (timingSafeEqual(known.digest, digest)) found = known.holder;
    return found;
  }

  /** The caller of a request. Throws 401 without a valid token, and 403 if the caller's role is too low. */
  caller({ tokenHolder, headers }: Identified, needs: Role): Caller {
    if (this.#tokens.length === 0) return this.#local;
    if (tokenHolder === undefined) {
      const detail =
        headers.authorization === undefined
          ? "the request has no token"
          : "the token in the authorization header is not valid";
      throw new HttpProblem(401, "REFUSED", detail, { fix: "send authorization: Bearer TOKEN" });
    }
    const { role } = tokenHolder;
    if (roles.indexOf(role) < roles.indexOf(needs))
      throw new HttpProblem(403, "REFUSED", `the role ${role} may not do this`, {
        fix: `use a token of the role ${needs}`,
      });
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
  new BridgeError("BAD_CONFIG", {
    what,
    fix: "name the environment variables under gateway.tokens, and set them",
  });
