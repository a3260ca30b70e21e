import type { App, RouteContext } from "../context.ts";
import { isJson, numberJson, readJsonBodies } from "../json-body.ts";
import { operation } from "../openapi.ts";
import { HttpProblem, noPair } from "../problems.ts";
import * as wire from "../wire/files.ts";
import { noted } from "./noted.ts";

const tag = "records";
const rowsMax = 500;

/** The pair of databases, and everything that was refused or waits for a person. */
export const quarantineRoutes =
  (context: RouteContext) =>
  async (app: App): Promise<void> => {
    const { bridge, files, needs } = context;
    readJsonBodies(app, numberJson);
    app.get(
      "/database",
      {
        onRequest: needs("viewer"),
        schema: {
          ...operation(tag, "getDatabase", "Authority, owed and parked writes, and the last reconciliation"),
          response: { 200: wire.databaseStatus },
        },
      },
      async () => {
        if (bridge.database === undefined) throw noPair();
        return bridge.database.latest ?? bridge.database.status();
      },
    );
    app.get(
      "/quarantine",
      {
        onRequest: needs("viewer"),
        schema: {
          ...operation(tag, "listQuarantine", `Refused rows of files and databases, at most ${rowsMax} each`),
          response: { 200: wire.quarantine },
        },
      },
      async () => ({
        files: (await files?.quarantine(rowsMax)) ?? [],
        databases: (await bridge.database?.waiting(rowsMax)) ?? [],
      }),
    );
    app.post(
      "/quarantine/settle",
      {
        onRequest: [isJson, needs("operator")],
        schema: {
          ...operation(tag, "settleRow", "Accepts a row of the databases as it is"),
          body: wire.rowToSettle,
          response: { 200: wire.rowSettled },
        },
      },
      async (request) => {
        const { table, key, reason } = request.body;
        if (bridge.database === undefined) throw noPair();
        const settled = await bridge.database.settle({ table, key });
        if (!settled)
          throw new HttpProblem(404, "NO_INPUT", `no row with the key ${key} waits for a decision`);
        await noted(context, request, "review", { reason, evidence: { accepted: [{ table, key }] } });
        return { settled };
      },
    );
  };
