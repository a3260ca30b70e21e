import { BridgeError, type ErrorCode, errorCatalogue } from "../../base/errors.ts";
import { plain } from "../../base/plain-text.ts";
import { isRecordCode, type RecordCode, recordCodes } from "../../domain/migration/record-codes.ts";
import { type FailureClass, failureClasses, SystemFailure } from "../../domain/migration/system-failure.ts";
import type { Problem } from "./wire/problem.ts";

/** The HTTP status of each code. A new code must be added here: the compiler reports it. */
const statusOfError: Readonly<Record<ErrorCode, number>> = {
  BAD_USAGE: 400,
  BAD_CONFIG: 500,
  BAD_MARKS: 400,
  BAD_LEDGER: 500,
  BAD_PRICE_FILE: 500,
  BAD_WORKBOOK: 500,
  BAD_CALENDAR: 500,
  NO_INPUT: 500,
  UNREADABLE: 500,
  UNWRITABLE: 500,
  BAD_DATABASE: 503,
  FILE_REPLACED: 503,
  DATABASE_BUSY: 503,
  REFUSED: 409,
  CONFLICT: 409,
  CLOSED: 503,
  SYSTEM_DOWN: 503,
  INTERNAL: 500,
};

const statusOfFailure: Readonly<Record<FailureClass, number>> = {
  REFUSED: 422,
  TIMEOUT: 504,
  DOWN: 503,
  TOO_LARGE: 502,
  GARBLED: 502,
  BUSY: 503,
};

/** Codes of a BUSY failure that come from the bridge itself, and not from the system. */
export const ownCodes = {
  DRAINING: "writes are owed to legacy, and no further write is accepted until legacy has them",
  FENCED: "no write is accepted until the control store confirms that the plan still holds",
} as const;

const titles: Readonly<Record<string, string>> = {
  ...failureClasses,
  ...errorCatalogue,
  // The sentence in the error catalogue is about commands.
  BAD_USAGE: "the request asks for something that does not exist or is not possible",
};
/**
 * Separate from `titles`, because REFUSED by a system does not mean the same as REFUSED for an operator's
 * change.
 */
const failureTitles: Readonly<Record<string, string>> = { ...failureClasses, ...ownCodes };

/** Further members of a problem document. */
interface More {
  readonly fix?: string;
  readonly [name: string]: unknown;
}

/** The refusal of a request; routes and hooks throw it. */
export class HttpProblem extends Error {
  override readonly name = "HttpProblem";
  readonly problem: Problem;

  constructor(
    status: number,
    code: ErrorCode | FailureClass | RecordCode,
    detail: string,
    more: ProblemMore = {},
  ) {
    super(detail);
    this.problem = problemOf(status, code, detail, more);
  }
}

/** The refusal of a write of records. */
export function recordProblem(code: string, because: string): HttpProblem {
  if (isRecordCode(code)) {
    const { status, meaning: title } = recordCodes[code];
    return new HttpProblem(status, code, because, { title });
  }
  const known = Object.keys(statusOfError).find((one): one is ErrorCode => one === code) ?? "SYSTEM_DOWN";
  return new HttpProblem(statusOfError[known], known, because);
}

const problemOf = (
  status: number,
  code: string,
  detail: string,
  { title = titles[code] ?? code, ...more }: ProblemMore,
): Problem => ({
  type: `urn:pnl-bridge:problem:${code}`,
  title,
  status,
  detail: plain(detail),
  code,
  ...more,
});
interface ProblemMore extends More {
  readonly title?: string;
}

/** The problem document of a failure. Pure. */
export function problemFor(failure: unknown): Problem {
  if (failure instanceof HttpProblem) return failure.problem;
  if (failure instanceof SystemFailure) return problemOfSystem(failure);
  if (failure instanceof BridgeError && failure.code !== "INTERNAL") {
    const { code, message, fix } = failure;
    return problemOf(statusOfError[code], code, message, fix === "" ? {} : { fix: plain(fix) });
  }
  const fix = "report the bug, with the log";
  return (
    problemOfHttp(failure) ??
    problemOf(500, "INTERNAL", "this is a bug in pnl-bridge; its log says more", { fix })
  );
}

function problemOfSystem({ failure, code, message }: SystemFailure): Problem {
  const isOwn = failure === "BUSY" && code !== undefined && Object.hasOwn(ownCodes, code);
  const shown = isOwn ? code : failure;
  const title = failureTitles[shown] ?? shown;
  const systemCode = isOwn || code === undefined ? {} : { systemCode: plain(code) };
  return problemOf(statusOfFailure[failure], shown, message, { title, ...systemCode });
}

interface HttpFailure extends Error {
  readonly statusCode?: number;
  readonly code?: string;
  readonly validation?: readonly { readonly instancePath: string; readonly message?: string }[];
  readonly validationContext?: string;
}

/** The problem document of a request that the HTTP layer refused before any route ran. */
function problemOfHttp(failure: unknown): Problem | undefined {
  if (!(failure instanceof Error)) return undefined;
  const { statusCode = 500, code = "", validation, validationContext }: HttpFailure = failure;
  if (validation !== undefined) {
    const [first] = validation;
    const where = pathText(validationContext, first?.instancePath);
    const errors = validation.map(({ instancePath, message }) => ({ path: instancePath, message }));
    return problemOf(400, "BAD_USAGE", `${where}: ${first?.message ?? "is not valid"}`, { errors });
  }
  if (failure instanceof SyntaxError) return problemOf(400, "BAD_USAGE", `body: ${failure.message}`, {});
  if (code === "FST_ERR_CTP_BODY_TOO_LARGE")
    return problemOf(413, "TOO_LARGE", "the body is larger than the limit", { fix: "send it in parts" });
  if (code === "FST_ERR_CTP_INVALID_MEDIA_TYPE")
    return problemOf(415, "BAD_USAGE", "the body must be JSON", {
      fix: "send content-type: application/json",
    });
  if (statusCode === 429) return problemOf(429, "BUSY", failure.message, { fix: "try again after a second" });
  if (statusCode >= 400 && statusCode < 500) return problemOf(statusCode, "BAD_USAGE", failure.message, {});
  return undefined;
}

const pathText = (context: string | undefined, instancePath = ""): string =>
  `${context ?? "request"}${instancePath.replaceAll("/", ".")}`.replace(/\.$/, "");

export const noPair = (): HttpProblem =>
  new HttpProblem(409, "REFUSED", "the configuration names no pair of databases", {
    fix: "set stores.legacy and stores.modern",
  });
