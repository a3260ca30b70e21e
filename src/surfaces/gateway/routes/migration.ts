import type { FastifyRequest, onRequestHookHandler } from "fastify";
import { z } from "zod";
import { phases } from "../../../domain/migration/phase.ts";
import type { Caller } from "../access.ts";
import type { App, GatewayControl, RouteContext } from "../context.ts";
import { readJsonBodies } from "../json-body.ts";
import { HttpProblem } from "../problems.ts";

const phase = z.enum(phases);
const reason = z.string().trim().min(1, "a reason is missing: the audit keeps it").max(2_000);
const percentage = z.number().min(0).max(100);
const rollbackBody = z.strictObject({ reason, waitMs: z.number().min(0).max(600_000).optional() });
const phaseBody = z
  .strictObject({ move: z.enum(["advance", "retreat", "set"]), phase: phase.optional(), reason, dryRun: z.boolean().optional() })
  .refine(({ move, phase }) => (move === "set") === (phase !== undefined), {
    message: "a phase is named with the move set, and with no other",
    path: ["phase"],
  });
const trafficBody = z.union([
  z.strictObject({ percentage, reason }),
  z.strictObject({
    steps: z.array(percentage).min(1).max(100),
    dwellMs: z.number().int().min(1_000),
    endsIn: z.enum(["stay", "rollback"]).optional(),
    reason,
  }),
]);
const reasonBody = z.strictObject({ reason });
const signOffBody = z.strictObject({
  note: z.string().trim().min(1, "a note is missing: the audit keeps it").max(2_000),
  phase: phase.optional(),
});
const user = z.object({ user: z.string().min(1).max(200) });
const gate = z.object({ gate: z.string().min(1).max(200) });
const target = z.object({ target: phase.optional() });
const page = z.object({
  after: z.coerce.number().int().min(0).default(0).describe("the number of the last row that is known"),
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
});

/** The migration: how it stands, and every way to move it. Moves towards legacy ask nobody; forward moves ask the gates. */
export const migrationRoutes =
  ({ control: given, needs, caller, log }: RouteContext) =>
  async (app: App): Promise<void> => {
    readJsonBodies(app);
    const control = (): GatewayControl => {
      if (given !== undefined) return given;
      throw new HttpProblem(409, "REFUSED", "no control store is configured: the plan is the file's, and nobody can change it", {
        mend: "name one: stores: { control: sqlite:./.pnl-bridge/control.db }",
      });
    };
    const viewer = needs("viewer");
    const mayChange = needs("operator");
    // A page cannot send this content type without asking first, and is told nothing then.
    const isJson: onRequestHookHandler = (request, _, done) =>
      /^application\/json\b/i.test(request.headers["content-type"] ?? "")
        ? done()
        : done(
            new HttpProblem(415, "BAD_USAGE", "a change is asked for in JSON", { mend: "send content-type: application/json" }),
          );
    const change = [isJson, mayChange];
    const operator = (request: FastifyRequest): Caller => caller(request, "operator");
    const done = <Result>(request: FastifyRequest, { actor }: Caller, result: Result): Result => {
      log.info({ actor, change: `${request.method} ${request.routeOptions.url}`, result }, "the migration was changed");
      return result;
    };

    app.get("/migration", { onRequest: viewer, schema: { summary: "Phase, plan, epoch, rollback, gates, fleet" } }, () =>
      control().status(),
    );

    app.post(
      "/migration/rollback",
      { onRequest: change, schema: { summary: "Everything back to legacy, at once: no gate, one person", body: rollbackBody } },
      async (request) => {
        const by = operator(request);
        const { reason, waitMs } = request.body;
        const result = await control().operator.rollback({ actor: by.actor, reason }, waitMs === undefined ? {} : { waitMs });
        return done(request, by, result);
      },
    );

    app.post(
      "/migration/phase",
      { onRequest: change, schema: { summary: "Moves the phase, or says what would change", body: phaseBody } },
      async (request) => {
        const by = operator(request);
        const { move, phase, reason, dryRun = false } = request.body;
        const asked =
          move === "set" ? ({ kind: "set", phase: phase as NonNullable<typeof phase> } as const) : ({ kind: move } as const);
        const result = await control().operator.move(asked, { actor: by.actor, reason }, { dryRun });
        if (!result.moved && !dryRun) {
          const closed = result.gates?.gates.filter(({ open }) => !open) ?? [];
          throw new HttpProblem(
            409,
            "REFUSED",
            `${result.target} waits: ${closed.map(({ name, why }) => `${name}: ${why}`).join("; ")}`,
            { mend: "open the gates, and ask again", gates: result.gates },
          );
        }
        return dryRun ? result : done(request, by, result);
      },
    );

    app.put(
      "/migration/traffic",
      {
        onRequest: change,
        schema: { summary: "The share of calls that modern answers: at once, or in steps", body: trafficBody },
      },
      async (request) => {
        const by = operator(request);
        const { body } = request;
        const note = { actor: by.actor, reason: body.reason };
        const { operator: acting } = control();
        const record =
          "percentage" in body
            ? await acting.traffic(body.percentage, note)
            : await acting.ramp({ steps: body.steps, dwellMs: body.dwellMs, endsIn: body.endsIn ?? "stay" }, note);
        const { epoch, overrides, ramp } = record;
        return done(request, by, { epoch, newSystemPercentage: overrides.newSystemPercentage, ramp });
      },
    );

    for (const [method, what, kind] of [
      ["PUT", "Adds a user to the whitelist", "add"],
      ["DELETE", "Removes a user from the whitelist", "remove"],
    ] as const)
      app.route({
        method,
        url: "/migration/whitelist/:user",
        onRequest: change,
        schema: { summary: what, params: user, body: reasonBody },
        handler: async (request) => {
          const by = operator(request);
          const { reason } = request.body;
          const record = await control().operator.whitelist(kind, request.params.user, { actor: by.actor, reason });
          return done(request, by, { changed: record !== null, ...(record !== null && { epoch: record.epoch }) });
        },
      });

    app.get(
      "/gates",
      {
        onRequest: viewer,
        schema: { summary: "What stands before a phase; by default before the next one", querystring: target },
      },
      (request) => control().operator.gates(request.query.target),
    );

    app.post(
      "/gates/:gate/sign-off",
      { onRequest: change, schema: { summary: "Approves what a person must approve", params: gate, body: signOffBody } },
      async (request) => {
        const by = operator(request);
        const { note, phase } = request.body;
        const signed = await control().operator.signOff(request.params.gate, {
          actor: by.actor,
          note,
          ...(phase !== undefined && { phase }),
        });
        return done(request, by, { gate: request.params.gate, phase: signed, actor: by.actor });
      },
    );

    app.get(
      "/audit",
      { onRequest: viewer, schema: { summary: "Who did what and why, oldest first", querystring: page } },
      async (request) => {
        const { after, limit } = request.query;
        return { rows: await control().store.audit(after, limit) };
      },
    );
  };
