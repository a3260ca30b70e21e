/**
 * Who may do what. With tokens, whoever holds one has its role. Without, only this machine is listened to, and everybody on it may do
 * everything; except web pages: a page that an operator has open could send requests to loopback (its own Origin gives it away), or be
 * served under a name that leads to loopback (its Host does), and is refused for both. No CORS header is ever sent.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { BridgeError } from "../../base/errors.ts";
import { isLoopback, type TokenHolder, type TokenRole, tokenRoles } from "../../config/index.ts";
import { HttpProblem } from "./problems.ts";

/** In their order: each may do what those before it may. */
export const roles = tokenRoles;
export type Role = TokenRole;

export const mayDo = (role: Role, needs: Role): boolean => roles.indexOf(role) >= roles.indexOf(needs);

export interface AccessOptions {
  readonly host: string;
  /** Who has a token, and the environment variable that holds it. */
  readonly tokens: readonly TokenHolder[];
  /** Names, with a port or without, by which the gateway is also reached. */
  readonly allowedHosts: readonly string[];
  /** Whom the audit names where there are no tokens. */
  readonly localActor: string;
}

export interface Caller {
  readonly role: Role;
  /** For the audit. */
  readonly actor: string;
}

const tokenLengthMin = 16;

export class Access {
  readonly #tokens: readonly { readonly caller: Caller; readonly digest: Buffer }[];
  readonly #checksHost: boolean;
  readonly #allowedHosts: ReadonlySet<string>;
  readonly #local: Caller;
  /** Nearly every request names the same one. */
  #lastAllowed: string | undefined;

  /** Throws BAD_CONFIG where a token is missing, or nobody could be told from anybody. */
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
      return { caller: { role, actor: name }, digest: digestOf(token) };
    });
    this.#checksHost = isLoopback(host) || allowedHosts.length > 0;
    this.#allowedHosts = new Set(allowedHosts.map((name) => name.toLowerCase()));
    this.#local = { role: "admin", actor: localActor };
  }

  get hasTokens(): boolean {
    return this.#tokens.length > 0;
  }

  /** Refuses what a web page of somebody else's could have sent. */
  checkOrigin({ host = "", origin }: Pick<IncomingHttpHeaders, "host" | "origin">): void {
    if (this.#checksHost && host !== this.#lastAllowed) {
      if (this.#isAllowed(host)) this.#lastAllowed = host;
      else this.#refuseHost(host);
    }
    if (origin === undefined) return;
    const from = URL.canParse(origin) ? new URL(origin).host : "";
    if (from === "" || (from !== host.toLowerCase() && !this.#isNamed(from)))
      throw new HttpProblem(403, "REFUSED", `a page of ${JSON.stringify(origin)} may not ask this gateway`, {
        mend: "name its host under gateway.allowed_hosts",
      });
  }

  /** Who asks. Throws 401 without a token that is one, 403 where its role may not do it. */
  caller(authorization: string | undefined, needs: Role): Caller {
    if (!this.hasTokens) return this.#local;
    const given = /^Bearer +(\S+)$/i.exec(authorization ?? "")?.[1];
    const caller = given === undefined ? undefined : this.#callerOf(given);
    if (caller === undefined)
      throw new HttpProblem(401, "REFUSED", given === undefined ? "there is no token" : "nobody has this token", {
        mend: "send authorization: Bearer TOKEN",
      });
    if (!mayDo(caller.role, needs))
      throw new HttpProblem(403, "REFUSED", `a ${caller.role} may not do this`, { mend: `it takes the token of ${needs}` });
    return caller;
  }

  /** Takes as long for a wrong token as for a right one: all are compared, in constant time, by digest. */
  #callerOf(token: string): Caller | undefined {
    const digest = digestOf(token);
    let found: Caller | undefined;
    for (const known of this.#tokens) if (timingSafeEqual(known.digest, digest)) found = known.caller;
    return found;
  }

  #isAllowed(host: string): boolean {
    const name = host.toLowerCase();
    return this.#isNamed(name) || isLoopback(withoutPort(name).replace(/^\[(.*)\]$/, "$1"));
  }

  #isNamed(host: string): boolean {
    return this.#allowedHosts.has(host) || this.#allowedHosts.has(withoutPort(host));
  }

  #refuseHost(host: string): never {
    throw new HttpProblem(403, "REFUSED", `this gateway is not reached as ${JSON.stringify(host)}`, {
      mend: "name it under gateway.allowed_hosts, or ask for 127.0.0.1",
    });
  }
}

const withoutPort = (host: string): string => host.replace(/:\d+$/, "");

const digestOf = (token: string): Buffer => createHash("sha256").update(token).digest();

const badTokens = (what: string): BridgeError =>
  new BridgeError("BAD_CONFIG", { what, mend: "name the environment variables under gateway.tokens, and set them" });
