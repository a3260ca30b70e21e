/** Requests to the gateway. A refusal or failure is an `ApiError` that says what happened and what to do. */
import { sessionToken, signOut } from "./session.ts";
import type { Problem } from "./wire.ts";

export class ApiError extends Error {
  override readonly name = "ApiError";
  /** The HTTP status; 0 if there was no answer. */
  readonly status: number;
  /** The code of the problem document; UNREACHABLE or TIMEOUT without an answer. */
  readonly code: string;
  readonly fix: string | undefined;
  /** The whole problem document. */
  readonly problem: Problem | undefined;

  constructor(status: number, code: string, message: string, problem?: Problem) {
    super(message);
    this.status = status;
    this.code = code;
    this.fix = problem?.fix;
    this.problem = problem;
  }
}

export const asApiError = (failure: unknown): ApiError =>
  failure instanceof ApiError ? failure : new ApiError(0, "INTERNAL", String(failure));

export interface RequestOptions {
  readonly method?: "GET" | "POST" | "PUT" | "DELETE";
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
  /** How long the gateway may take. Default 35 s, longer than the gateway's limit for a request. */
  readonly deadlineMs?: number;
}

/** The address of a route below `/api/v1/`; the page may be served below a path of its own. */
export function apiUrl(path: string, query: RequestOptions["query"] = {}): URL {
  const url = new URL(`api/v1/${path}`, document.baseURI);
  for (const [name, value] of Object.entries(query))
    if (value !== undefined && value !== "") url.searchParams.set(name, String(value));
  return url;
}

/** The headers of a request with a token. The token is sent in a header only, never in an address. */
export const authorization = (token: string | undefined): Readonly<Record<string, string>> =>
  token === undefined ? {} : { authorization: `Bearer ${token}` };

/** Sends a request and returns its answer. Throws an ApiError for any other outcome. */
export const request = <Answer>(path: string, options: RequestOptions = {}): Promise<Answer> =>
  send(apiUrl(path, options.query), options, (response) => response.json());

/** Sends a command and returns its answer. Throws an ApiError for any other outcome. */
export const post = <Answer>(path: string, body: object): Promise<Answer> =>
  request(path, { method: "POST", body });

/** Returns the text of a route beside the API, such as `metrics`. Throws an ApiError. */
export const requestText = (path: string): Promise<string> =>
  send(new URL(path, document.baseURI), {}, (response) => response.text());

async function send<Answer>(
  url: URL,
  { method = "GET", body, headers = {}, deadlineMs = 35_000 }: RequestOptions,
  read: (response: Response) => Promise<Answer>,
): Promise<Answer> {
  const token = sessionToken();
  const deadline = AbortSignal.timeout(deadlineMs);
  try {
    const response = await fetch(url, {
      method,
      headers: {
        ...authorization(token),
        ...(body !== undefined && { "content-type": "application/json" }),
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: deadline,
      cache: "no-store",
    });
    if (!response.ok) throw await refusalOf(response, token);
    return await read(response);
  } catch (failure) {
    if (failure instanceof ApiError) throw failure;
    if (deadline.aborted)
      throw new ApiError(0, "TIMEOUT", `the gateway did not answer within ${deadlineMs / 1_000} s`);
    throw new ApiError(0, "UNREACHABLE", "the gateway cannot be reached");
  }
}

/**
 * The error of a response that is not a success, to a request with this token. A token that the gateway does
 * not know ends the session, unless the session has another token by now.
 */
export async function refusalOf(response: Response, token: string | undefined): Promise<ApiError> {
  const problem: Problem | undefined = await response.json().catch(() => undefined);
  const detail = problem?.detail ?? `the gateway answered ${response.status} ${response.statusText}`;
  const error = new ApiError(response.status, problem?.code ?? "UNREADABLE", detail, problem);
  if (response.status === 401 && token === sessionToken()) signOut(token && detail);
  return error;
}
