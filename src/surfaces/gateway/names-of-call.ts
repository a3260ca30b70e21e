import { isUtf8 } from "node:buffer";
import type { FastifyRequest } from "fastify";
import { z } from "zod";
import { HttpProblem } from "./problems.ts";

/** The headers that name the user and the book of a call. */
export const namesOfCall = z.object({
  "x-pnl-user": z.string().optional().describe("the user of the call, in UTF-8; may decide the route"),
  "x-pnl-book": z.string().optional().describe("the book of the call, in UTF-8; may decide the route"),
});

/** The person who holds the token of a request; undefined without a token, or if it belongs to a role. */
export function holderOf({ tokenHolder }: Pick<FastifyRequest, "tokenHolder">): string | undefined {
  return tokenHolder?.actor === tokenHolder?.role ? undefined : tokenHolder?.actor;
}

/** The user of a request: whom its header names, or else the person who holds its token. */
export function userOf(request: Pick<FastifyRequest, "headers" | "tokenHolder">): string | undefined {
  const given = request.headers["x-pnl-user"];
  return given ? headerText("x-pnl-user", given) : holderOf(request);
}

/** Decodes a header that contains UTF-8; Node gives one character per byte. */
export function headerText(name: string, header: string | readonly string[]): string {
  const text = String(header);
  if (!/[\x80-\xff]/.test(text)) return text;
  const bytes = Buffer.from(text, "latin1");
  if (isUtf8(bytes)) return bytes.toString();
  throw new HttpProblem(400, "BAD_USAGE", `headers.${name}: the bytes are not UTF-8`, {
    fix: "encode the name as UTF-8",
  });
}
