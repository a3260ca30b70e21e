import { z } from "zod";

/** The schema of an answer with a name and a description in openapi.json. */
export const named = <Shape extends z.ZodRawShape>(id: string, description: string, shape: Shape) =>
  z.object(shape).meta({ id, description });

export const rows = <Shape extends z.ZodRawShape>(shape: Shape) => z.array(z.object(shape)).readonly();

export const textMax = 2_000;
/** The reason of a change. */
export const reason = z.string().trim().min(1, "a reason is missing: the audit keeps it").max(textMax);
