import { rowText, shownReview } from "../../../app/files/status.ts";
import { parseExact } from "../../../base/exact-json.ts";
import type { App, GatewayFiles, RouteContext } from "../context.ts";
import { isJson, readJsonBodies } from "../json-body.ts";
import { operation } from "../openapi.ts";
import { HttpProblem } from "../problems.ts";
import * as wire from "../wire/files.ts";
import { noted } from "./noted.ts";

const tag = "records";

/**
 * The watched files: their state, the decisions that wait for a person, and the request to read a file at
 * once, for a program that saw it change.
 */
export const fileRoutes =
  (context: RouteContext) =>
  async (app: App): Promise<void> => {
    const { needs } = context;
    const watched = (): GatewayFiles => {
      if (context.files !== undefined) return context.files;
      throw new HttpProblem(409, "REFUSED", "no folder is watched", {
        fix: "set watch.trade_ledger, stores.legacy and stores.modern",
      });
    };
    readJsonBodies(app, parseExact);
    app.get(
      "/files",
      {
        onRequest: needs("viewer"),
        schema: {
          ...operation(tag, "listFiles", "The watched folders and files, and what waits for a person"),
          response: { 200: wire.filesStatus },
        },
      },
      () => watched().status(),
    );
    app.get(
      "/files/reviews/:id",
      {
        onRequest: needs("viewer"),
        schema: {
          ...operation(tag, "getFileReview", "The rows of a review of a file"),
          params: wire.reviewParams,
          response: { 200: wire.fileReview },
        },
      },
      async (request) => {
        const review = await watched().review(request.params.id);
        const rows = review.rows.map((row) => ({ what: row.what, line: row.line, text: rowText(row) }));
        return { ...shownReview(review), rows };
      },
    );
    app.post(
      "/files/reviews/:id",
      {
        onRequest: [isJson, needs("operator")],
        schema: {
          ...operation(tag, "decideFileReview", "Decides a review of a file"),
          params: wire.reviewParams,
          body: wire.reviewDecision,
          response: { 200: wire.reviewDecided },
        },
      },
      async (request) => {
        const { id } = request.params;
        const { decision, reason } = request.body;
        const outcome = await watched().decide(id, decision);
        await noted(context, request, "file_review", { reason, evidence: { review: id, decision } });
        return { id, outcome };
      },
    );
    app.post(
      "/files",
      {
        onRequest: needs("operator"),
        schema: {
          ...operation(tag, "offerFile", "Looks at a watched file now, and answers its state"),
          body: wire.fileToOffer,
          response: { 200: wire.fileOffered },
        },
      },
      async ({ body }) => {
        const file = await watched().offer(body.path);
        if (file !== undefined) return file;
        throw new HttpProblem(404, "NO_INPUT", "there is no such file, or watch.include does not name it", {
          fix: "check the name",
        });
      },
    );
  };
