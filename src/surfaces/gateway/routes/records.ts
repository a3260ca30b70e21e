import { parseExact } from "../../../base/exact-json.ts";
import type { App, RouteContext } from "../context.ts";
import { readJsonBodies } from "../json-body.ts";
import { operation } from "../openapi.ts";
import { noPair, recordProblem } from "../problems.ts";
import { recordHeaders, recordsToWrite, recordsWritten } from "../wire/records.ts";

/** Writes records to both databases. */
export const recordRoutes =
  ({ bridge, needs }: RouteContext) =>
  async (app: App): Promise<void> => {
    readJsonBodies(app, parseExact);
    app.post(
      "/records",
      {
        onRequest: needs("operator"),
        schema: {
          ...operation("records", "writeRecords", "Writes records as one transaction"),
          headers: recordHeaders,
          body: recordsToWrite,
          response: { 200: recordsWritten },
        },
      },
      async ({ body, headers }) => {
        const { database } = bridge;
        if (database === undefined) throw noPair();
        const idempotencyKey = headers["idempotency-key"];
        // The database bridge checks every record itself.
        const answer = await database.write(body.records as unknown as Parameters<typeof database.write>[0], {
          idempotencyKey,
        });
        if (answer.kind === "acknowledged") return answer;
        throw recordProblem(answer.kind === "refused" ? answer.code : "UNRESOLVED", answer.because);
      },
    );
  };
