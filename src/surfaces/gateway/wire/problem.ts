import { z } from "zod";

/**
 * A problem document (RFC 9457). It never contains a stack trace, a path of this machine, or the text of a
 * cause.
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
        "from the error catalogue, the class of a system's failure, or DRAINING and FENCED of the bridge itself",
      ),
    fix: z.string().optional().describe("how to fix it"),
    systemCode: z.string().optional().describe("the failed system's own name for the failure"),
  })
  .describe("A problem document (RFC 9457)")
  .meta({ id: "Problem" });

export type Problem = Readonly<z.infer<typeof problem>>;
