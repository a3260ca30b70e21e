import type { FastifyRequest, onRequestHookHandler } from "fastify";
import type { App, GatewayControl, RouteContext } from "../context.ts";
import { isJson, numberJson, readJsonBodies } from "../json-body.ts";
import { operation } from "../openapi.ts";
import { HttpProblem } from "../problems.ts";
import * as wire from "../wire/migration.ts";

const tag = "migration";

/**
 * The state of the migration, and all its changes. Moves towards legacy need no gate; forward moves need open
 * gates.
 */
export const migrationRoutes =
  (context: RouteContext) =>
  async (app: App): Promise<void> => {
    readJsonBodies(app, numberJson);
    const plane = new Plane(context);
    addReads(app, plane);
    addMoves(app, plane);
    addTraffic(app, plane);
    addSignOff(app, plane);
  };

/** Shared by the routes: the control plane, the guards, and the log line of a change. */
class Plane {
  readonly viewer: onRequestHookHandler;
  readonly change: readonly onRequestHookHandler[];
  readonly #context: RouteContext;

  constructor(context: RouteContext) {
    this.#context = context;
    this.viewer = context.needs("viewer");
    this.change = [isJson, context.needs("operator")];
  }

  get control(): GatewayControl {
    const { control } = this.#context;
    if (control !== undefined) return control;
    throw new HttpProblem(
      409,
      "REFUSED",
      "no control store is configured, so the configuration file decides the plan, and HTTP cannot change it",
      {
        fix: "configure one: stores: { control: sqlite:./.pnl-bridge/control.db }",
      },
    );
  }

  actorOf(request: FastifyRequest): string {
    return this.#context.caller(request, "operator").actor;
  }

  /** Logs a command that succeeded, and returns its result. */
  done<Result>(request: FastifyRequest, result: Result): Result {
    const change = `${request.method} ${request.routeOptions.url}`;
    this.#context.log.info(
      { actor: this.actorOf(request), change, result },
      "a command on the migration succeeded",
    );
    return result;
  }
}

function addReads(app: App, plane: Plane): void {
  const onRequest = plane.viewer;
  app.get(
    "/migration",
    {
      onRequest,
      schema: {
        ...operation(tag, "getMigration", "Phase, plan, epoch, rollback, gates and fleet"),
        response: { 200: wire.status },
      },
    },
    () => plane.control.status(),
  );
  app.get(
    "/gates",
    {
      onRequest,
      schema: {
        ...operation(tag, "getGates", "The gates before a move; by default before the next phase"),
        querystring: wire.gatesQuery,
        response: { 200: wire.gatesAsked },
      },
    },
    (request) => plane.control.operator.gatesOf(request.query.target),
  );
  app.get(
    "/audit",
    {
      onRequest,
      schema: {
        ...operation(tag, "listAudit", "All changes with actor and reason, oldest first"),
        querystring: wire.auditQuery,
        response: { 200: wire.auditPage },
      },
    },
    async (request) => ({ rows: await plane.control.store.audit(request.query.after, request.query.limit) }),
  );
  app.get(
    "/audit/verification",
    {
      onRequest,
      schema: {
        ...operation(tag, "verifyAudit", "Checks the chain of hashes over the whole audit"),
        response: { 200: wire.auditVerification },
      },
    },
    () => plane.control.verifyAudit(),
  );
}

const rollbacksMax = 100;

function addMoves(app: App, plane: Plane): void {
  const onRequest = [...plane.change];
  /** The last rollbacks by actor and key: a page that gets no answer sends its rollback again. */
  const rollbacks = new Map<string, ReturnType<Plane["control"]["operator"]["rollback"]>>();
  app.post(
    "/migration/rollback",
    {
      onRequest,
      schema: {
        ...operation(tag, "rollBack", "Moves all calls back to legacy at once, without a gate"),
        headers: wire.rollbackHeaders,
        body: wire.rollbackBody,
        response: { 200: wire.rollbackResult },
      },
    },
    async (request) => {
      const { reason, waitMs } = request.body;
      const by = { actor: plane.actorOf(request), reason };
      const rollBack = () => plane.control.operator.rollback(by, waitMs === undefined ? {} : { waitMs });
      const given = request.headers["idempotency-key"];
      if (given === undefined) return plane.done(request, await rollBack());
      const key = JSON.stringify([by.actor, given]);
      const known = rollbacks.get(key);
      if (known !== undefined) return known;
      const result = rollBack();
      rollbacks.set(key, result);
      result.catch(() => rollbacks.delete(key));
      const [oldest] = rollbacks.keys();
      if (rollbacks.size > rollbacksMax && oldest !== undefined) rollbacks.delete(oldest);
      return plane.done(request, await result);
    },
  );
  app.post(
    "/migration/phase",
    {
      onRequest,
      schema: {
        ...operation(tag, "movePhase", "Moves the phase, or reports in a dry run what would change"),
        body: wire.phaseBody,
        response: { 200: wire.moveResult },
      },
    },
    async (request) => {
      const { body } = request;
      const { reason, dryRun = false, from, epoch } = body;
      const asked = body.move === "set" ? { kind: body.move, phase: body.phase } : { kind: body.move };
      const by = { actor: plane.actorOf(request), reason };
      const result = await plane.control.operator.move(asked, by, { dryRun, from, epoch });
      if (dryRun) return result;
      if (result.moved) return plane.done(request, result);
      if (result.authority?.open === false)
        throw new HttpProblem(
          409,
          "REFUSED",
          `the authority over the records did not move: ${result.authority.why}`,
          { fix: "correct what keeps the authority from moving, then try again" },
        );
      const closed = result.gates?.gates.filter(({ open }) => !open) ?? [];
      const why = closed.map(({ name, why }) => `${name}: ${why}`).join("; ");
      throw new HttpProblem(409, "REFUSED", `a gate before ${result.target} is closed: ${why}`, {
        fix: "open the gates, then try again",
        gates: result.gates,
      });
    },
  );
}

function addTraffic(app: App, plane: Plane): void {
  const onRequest = [...plane.change];
  app.put(
    "/migration/traffic",
    {
      onRequest,
      schema: {
        ...operation(tag, "setTraffic", "Sets the share of calls that modern answers, at once or in steps"),
        body: wire.trafficBody,
        response: { 200: wire.trafficResult },
      },
    },
    async (request) => {
      const { body } = request;
      const by = { actor: plane.actorOf(request), reason: body.reason };
      const { operator } = plane.control;
      const expected = { epoch: body.epoch };
      const record =
        "percentage" in body
          ? await operator.traffic(body.percentage, by, expected)
          : await operator.ramp(
              { steps: body.steps, dwellMs: body.dwellMs, endsIn: body.endsIn ?? "stay" },
              by,
              expected,
            );
      const { epoch, overrides, ramp } = record;
      const answers = operator.whoAnswers(record);
      return plane.done(request, {
        epoch,
        newSystemPercentage: overrides.newSystemPercentage,
        ramp,
        answers,
      });
    },
  );
  for (const [method, change, list, operationId, summary] of [
    ["PUT", "add", "whitelist", "addToWhitelist", "Adds a user to the whitelist"],
    ["DELETE", "remove", "whitelist", "removeFromWhitelist", "Removes a user from the whitelist"],
    ["PUT", "add", "denylist", "addToDenylist", "Adds a user to the denylist"],
    ["DELETE", "remove", "denylist", "removeFromDenylist", "Removes a user from the denylist"],
  ] as const)
    app.route({
      method,
      url: `/migration/${list}/:user`,
      onRequest,
      schema: {
        ...operation(tag, operationId, summary),
        params: wire.userParams,
        body: wire.userListBody,
        response: { 200: wire.userListResult },
      },
      handler: async (request) => {
        const by = { actor: plane.actorOf(request), reason: request.body.reason };
        const record = await plane.control.operator.changeList(
          list,
          { change, user: request.params.user, epoch: request.body.epoch },
          by,
        );
        return plane.done(request, {
          changed: record !== null,
          ...(record !== null && { epoch: record.epoch }),
        });
      },
    });
}

function addSignOff(app: App, plane: Plane): void {
  app.post(
    "/gates/:gate/sign-off",
    {
      onRequest: [...plane.change],
      schema: {
        ...operation(tag, "signOff", "Records a person's approval of a gate"),
        params: wire.gateParams,
        body: wire.signOffBody,
        response: { 200: wire.signOffResult },
      },
    },
    async (request) => {
      const { gate } = request.params;
      const { note, phase, epoch } = request.body;
      const actor = plane.actorOf(request);
      const given = { actor, note, epoch, ...(phase !== undefined && { phase }) };
      return plane.done(request, { gate, phase: await plane.control.operator.signOff(gate, given), actor });
    },
  );
}
