import { z } from "zod";

/**
 * A problem document (RFC 9457). It never contains a stack trace, a path of this machine, or the message of
 * an underlying error (`Error.cause`).
 */
export const problem = z
  .looseObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z
      .string()
      .describe(
        "a code of the error catalogue, the class of a system's failure, or the bridge's own DRAINING or FENCED",
      ),
    fix: z.string().optional().describe("how to fix it"),
    systemCode: z.string().optional().describe("the failed system's own name for the failure"),
  })
  .describe("A problem document (RFC 9457)")
  .meta({ id: "Problem" });

export type Problem = Readonly<z.infer<typeof problem>>;
