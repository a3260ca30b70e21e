import { validateAnswers } from "../../../app/bridge/validate-answers.ts";
import { type JsonValue, parseExact } from "../../../base/exact-json.ts";
import type { App, RouteContext } from "../context.ts";
import { readJsonBodies } from "../json-body.ts";
import { operation } from "../openapi.ts";
import { answersToValidate, answersValidated } from "../wire/validate.ts";

/** Compares two answers that the caller has. No system is called, and nothing is stored. */
export const validateRoutes =
  ({ needs }: RouteContext) =>
  async (app: App): Promise<void> => {
    // Numbers are read from their source text, never through a float.
    readJsonBodies(app, parseExact);
    app.post(
      "/validate",
      {
        onRequest: needs("viewer"),
        schema: {
          ...operation("comparisons", "validateAnswers", "Compares two answers to one question"),
          body: answersToValidate,
          response: { 200: answersValidated },
        },
      },
      async ({ body }) => {
        const { legacy, modern, ...rest } = body;
        const { verdict, compared, fields, more } = validateAnswers({
          ...rest,
          legacy: legacy as JsonValue,
          modern: modern as JsonValue,
        });
        const differences = fields.filter((field) => field.verdict !== "within_tolerance");
        return { verdict, compared, differences, more };
      },
    );
  };
