import { Argument, Option } from "commander";
import type { AcceptedTerms } from "../../../app/commands.ts";
import { plain } from "../../../base/plain-text.ts";
import * as option from "../options.ts";
import type { CommandSpec } from "../spec.ts";
import { type CommandResult, jsonResult } from "../terminal.ts";

const changes = () => [option.reason(), option.actor(), option.fleetConfig(), option.store(), option.json()];

export const commands: readonly CommandSpec[] = [
  {
    name: "causes accept",
    about:
      "Accepts the differences of one cause up to an amount and until a day, if explain proves the cause",
    example:
      "causes accept LIFO --scope product=ZN --limit 500 \\\n" +
      "      --owner amy --until 2027-03-31 --reason 'legacy stays until the move'",
    argument: new Argument("<code>", "a cause of docs/explain.md"),
    options: [
      new Option(
        "--scope <scope>",
        "all, or pairs of symbol, product, field and side, such as product=ZN,field=realized",
      ).makeOptionMandatory(),
      new Option("--limit <amount>", "the largest amount of the cause, or any").makeOptionMandatory(),
      new Option("--owner <name>", "the person who is responsible for it").makeOptionMandatory(),
      new Option("--until <day>", "the last day on which it is accepted").makeOptionMandatory(),
      ...changes(),
    ],
    run: accept,
  },
  {
    name: "causes list",
    about: "Prints the accepted causes, oldest first: id, cause, scope, limit, owner, last day and reason",
    example: "causes list",
    options: [option.fleetConfig(), option.store(), option.json()],
    run: list,
  },
  {
    name: "causes revoke",
    about: "Withdraws the acceptance of a cause",
    example: 'causes revoke 14 --reason "legacy is fixed"',
    argument: new Argument("<id>", "the id that `causes list` shows"),
    options: changes(),
    run: revoke,
  },
];

interface Options {
  readonly config?: string;
  readonly store?: string;
  readonly json?: boolean;
}

interface ChangeOptions extends Options {
  readonly reason: string;
  readonly actor?: string;
}

interface AcceptOptions extends ChangeOptions {
  readonly code: string;
  readonly scope: string;
  readonly limit: string;
  readonly owner: string;
  readonly until: string;
}

async function accept(options: AcceptOptions): Promise<CommandResult> {
  const { acceptCause } = await import("../../../app/commands.ts");
  return shown(await acceptCause(options.code, options), "accepted", options);
}

async function revoke(options: ChangeOptions & { readonly id: string }): Promise<CommandResult> {
  const { revokeCause } = await import("../../../app/commands.ts");
  return shown(await revokeCause(options.id, options), "revoked", options);
}

const shown = (terms: AcceptedTerms, verb: string, { json }: Options): CommandResult =>
  json ? jsonResult(terms, true) : { exitCode: 0, text: `${verb}: ${lineOf(terms)}` };

async function list({ json, ...options }: Options): Promise<CommandResult> {
  const { acceptedCauses } = await import("../../../app/commands.ts");
  const register = await acceptedCauses(options);
  if (json) return jsonResult({ causes: register }, true);
  return { exitCode: 0, text: register.map(lineOf).join("\n") || "No cause is accepted." };
}

function lineOf({ id, code, scope, limit, owner, until, reason }: AcceptedTerms): string {
  const pairs = Object.entries(scope).map(([key, value]) => `${key}=${value}`);
  const most = limit === null ? "any amount" : `up to ${limit}`;
  return plain(`${id}  ${code}  ${pairs.join(",") || "all"}  ${most}  ${owner}  until ${until}  ${reason}`);
}
