import { z } from "zod";
import { BridgeError, type ErrorCode, errorCatalogue } from "../../base/errors.ts";
import { plain } from "../../base/plain-text.ts";
import { type FailureClass, failureClasses, SystemFailure } from "../../domain/migration/system-failure.ts";

/** RFC 9457. Never holds a stack trace, a path of this machine, or what a cause brought along. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  /** Of the error catalogue, the class of a system's failure, or the failure's own code where it is one of the bridge's. */
  readonly code: string;
  readonly mend?: string;
  /** The failed system's own name for it. */
  readonly systemCode?: string;
  readonly [more: string]: unknown;
}

/** For openapi.json. */
export const problemSchema = z
  .looseObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string(),
    mend: z.string().optional().describe("what to do about it"),
    systemCode: z.string().optional().describe("the failed system's own name for it"),
  })
  .describe("RFC 9457 problem document");

/** By the code of the failure; a new code breaks the build here. */
const statusOfError: Readonly<Record<ErrorCode, number>> = {
  BAD_USAGE: 400,
  BAD_CONFIG: 500,
  BAD_MARKS: 400,
  BAD_LEDGER: 500,
  BAD_PRICE_FILE: 500,
  BAD_CALENDAR: 500,
  NO_INPUT: 500,
  UNREADABLE: 500,
  UNWRITABLE: 500,
  BAD_DATABASE: 503,
  DATABASE_BUSY: 503,
  REFUSED: 409,
  CONFLICT: 409,
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

/** Of a BUSY failure: what the bridge itself means by it, and not the system. */
const ownCodes = {
  DRAINING: "writes are owed to legacy, and until it has them no others are taken",
  FENCED: "the control store does not say whether the plan still holds, and until it does no write is taken",
} as const;

/** What was asked for is not there, or not allowed: thrown by routes. */
export class HttpProblem extends Error {
  override readonly name = "HttpProblem";
  readonly problem: Problem;

  constructor(
    status: number,
    code: ErrorCode | FailureClass,
    detail: string,
    more: { readonly mend?: string; readonly [name: string]: unknown } = {},
  ) {
    super(detail);
    this.problem = problemOf(status, code, detail, more);
  }
}

/** A failed system answers with its class; what is refused here with the catalogue's sentence, which for one code is about commands. */
const titles: Readonly<Record<"failures" | "errors", Readonly<Record<string, string>>>> = {
  failures: { ...failureClasses, ...ownCodes },
  errors: { ...failureClasses, ...errorCatalogue, BAD_USAGE: "the request asks for something that does not exist or cannot be" },
};

function problemOf(
  status: number,
  code: string,
  detail: string,
  more: Readonly<Record<string, unknown>> = {},
  catalogue: keyof typeof titles = "errors",
): Problem {
  const title = titles[catalogue][code] ?? code;
  return { type: `urn:pnl-bridge:problem:${code}`, title, status, detail: plain(detail), code, ...more };
}

/** What a failure is to who asked. Pure. */
export function problemFor(failure: unknown): Problem {
  if (failure instanceof HttpProblem) return failure.problem;
  if (failure instanceof SystemFailure) {
    const { failure: failed, code, message } = failure;
    if (failed === "BUSY" && code !== undefined && Object.hasOwn(ownCodes, code))
      return problemOf(503, code, message, {}, "failures");
    return problemOf(statusOfFailure[failed], failed, message, code === undefined ? {} : { systemCode: plain(code) }, "failures");
  }
  if (failure instanceof BridgeError && failure.code !== "INTERNAL") {
    const { code, message, mend } = failure;
    return problemOf(statusOfError[code], code, message, mend === "" ? {} : { mend: plain(mend) });
  }
  return (
    problemOfHttp(failure) ?? problemOf(500, "INTERNAL", "this is a bug in pnl-bridge; its log says more", { mend: "report it" })
  );
}

/** What the HTTP layer refused before a route saw it. */
function problemOfHttp(failure: unknown): Problem | undefined {
  if (!(failure instanceof Error)) return undefined;
  const {
    statusCode = 500,
    code = "",
    validation,
  } = failure as Error & {
    readonly statusCode?: number;
    readonly code?: string;
    readonly validation?: readonly { readonly instancePath: string; readonly message?: string }[];
  };
  if (validation !== undefined) {
    const [first] = validation;
    const where = pathText((failure as Error & { readonly validationContext?: string }).validationContext, first?.instancePath);
    const errors = validation.map(({ instancePath, message }) => ({ path: instancePath, message }));
    return problemOf(400, "BAD_USAGE", `${where}: ${first?.message ?? "is not what it must be"}`, { errors });
  }
  if (failure instanceof SyntaxError) return problemOf(400, "BAD_USAGE", `body: ${failure.message}`);
  if (code === "FST_ERR_CTP_BODY_TOO_LARGE")
    return problemOf(413, "TOO_LARGE", "the body is larger than the limit", { mend: "send it in parts" });
  if (code === "FST_ERR_CTP_INVALID_MEDIA_TYPE")
    return problemOf(415, "BAD_USAGE", "the body must be JSON", { mend: "send content-type: application/json" });
  if (statusCode === 429) return problemOf(429, "BUSY", failure.message, { mend: "ask again a second later" });
  if (statusCode >= 400 && statusCode < 500) return problemOf(statusCode, "BAD_USAGE", failure.message);
  return undefined;
}

const pathText = (context: string | undefined, instancePath = ""): string =>
  `${context ?? "request"}${instancePath.replaceAll("/", ".")}`.replace(/\.$/, "");
