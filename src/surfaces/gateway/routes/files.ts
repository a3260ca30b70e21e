import { parseExact } from "../../../base/exact-json.ts";
import type { App, RouteContext } from "../context.ts";
import { readJsonBodies } from "../json-body.ts";
import { operation } from "../openapi.ts";
import { HttpProblem } from "../problems.ts";
import { fileOffered, fileToOffer } from "../wire/files.ts";

/** Takes a file that another watcher has seen. */
export const fileRoutes =
  ({ files, needs }: RouteContext) =>
  async (app: App): Promise<void> => {
    readJsonBodies(app, parseExact);
    app.post(
      "/files",
      {
        onRequest: needs("operator"),
        schema: {
          ...operation("records", "offerFile", "Looks at a watched file now, and answers its state"),
          body: fileToOffer,
          response: { 200: fileOffered },
        },
      },
      async ({ body }) => {
        if (files === undefined)
          throw new HttpProblem(409, "REFUSED", "no folder is watched", {
            fix: "set watch.trade_ledger, stores.legacy and stores.modern",
          });
        const file = await files.offer(body.path);
        if (file !== undefined) return file;
        throw new HttpProblem(404, "NO_INPUT", "there is no such file, or watch.include does not name it", {
          fix: "check the name",
        });
      },
    );
  };
