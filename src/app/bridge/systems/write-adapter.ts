import { writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { BridgeError, codeOf } from "../../../base/errors.ts";
import type { Config } from "../../../config/index.ts";
import type { Side } from "../../../domain/migration/phase.ts";
import { checkNew } from "../../../platform/output.ts";
import { type PnlMethod, pnlMethods, requestKeys } from "../../../ports/pnl-service.ts";
import type { BridgedSystem, FoundMethod, JsonValue } from "../../../ports/system.ts";
import { openSystem } from "../pnl-bridge.ts";
import { rowsAnywhere } from "./answer-shapes.ts";
import { proposedNames } from "./check-system.ts";
import { likelyField } from "./likely-names.ts";
import { type AdaptedMethod, parameterNames, pythonAdapter } from "./python-adapter.ts";

interface AdapterOrder {
  readonly side: Side;
  readonly config: Config;
  /** The folder of the configuration. */
  readonly folder: string;
  /** The new file. */
  readonly file: string;
  readonly log: (line: string) => void;
}

/**
 * Checks that an adapter can be written. Returns what writes it, given the methods that were found, and says what to do next. To see
 * the fields of the answers, the proposed methods are called once, in a worker that may only read.
 *
 * Throws BAD_USAGE for a system that is no Python worker and for a file name that Python cannot import, UNWRITABLE for a file that is
 * there already.
 */
export async function plannedAdapter(order: AdapterOrder): Promise<(found: readonly FoundMethod[]) => Promise<string>> {
  const { side, config, file } = order;
  const target = pythonTarget(config, side);
  const [, module] = /^([A-Za-z_]\w*)\.py$/.exec(basename(file)) ?? [];
  if (module === undefined)
    throw new BridgeError("BAD_USAGE", {
      what: "Python cannot import a file of this name",
      where: file,
      fix: "name it like desk_adapter.py",
    });
  await checkNew(file);
  return async (found) => {
    const text = pythonAdapter({ target, module, methods: await sampled(order, found), pnlIn: pnlInOf(config, side) });
    await writeFile(file, text, { flag: "wx" }).catch((cause) => {
      throw new BridgeError("UNWRITABLE", {
        what: `cannot be written: ${codeOf(cause)}`,
        where: file,
        fix: "name a new file",
        cause,
      });
    });
    const marks = text.split("# CHECK").length - 1;
    return `${file} is written; correct its lines marked CHECK (${marks}), and name ${module}:Desk instead of ${target} in systems.${side}.command`;
  };
}

/** `module:Name` of the object behind a Python worker. */
function pythonTarget({ systems }: Config, side: Side): string {
  const system = systems[side];
  const command = system.kind === "command" ? system.command : [];
  const worker = command.findIndex((argument) => basename(argument) === "pnl_bridge_worker.py");
  const target = command.slice(worker + 1).find((argument) => /^[A-Za-z_][\w.]*:[A-Za-z_]\w*$/.test(argument));
  if (worker >= 0 && target !== undefined) return target;
  throw new BridgeError("BAD_USAGE", {
    what: `systems.${side} is no Python worker, and an adapter is written for one`,
    fix: 'configure it with kind: command and command: [python3, pnl_bridge_worker.py, "module:Name"]',
  });
}

const pnlInOf = ({ systems }: Config, side: Side): "money" | "points" => {
  const system = systems[side];
  return system.kind === "builtin" ? "money" : system.pnlIn;
};

/** The methods that the adapter offers, each with the service's own answer to one harmless question. */
async function sampled(
  { side, config, folder, log }: AdapterOrder,
  found: readonly FoundMethod[],
): Promise<readonly AdaptedMethod[]> {
  const configured = config.systems[side];
  if (configured.kind === "builtin") return [];
  const callable = new Map(found.flatMap((one) => (one.leftOut === undefined ? [[one.name, one] as const] : [])));
  const given = pnlMethods.filter((method) => callable.has(configured.methods[method]));
  const proposed = proposedNames(
    pnlMethods.filter((method) => !given.includes(method)),
    [...callable.values()],
  );
  const methods = { ...configured.methods, ...Object.fromEntries(proposed) };
  const systems = { ...config.systems, [side]: { ...configured, methods } };
  const { system, timeoutMs } = await openSystem(side, { ...config, systems }, folder, log);
  const adapted: AdaptedMethod[] = [];
  try {
    for (const method of pnlMethods) {
      const one = callable.get(methods[method]);
      if (one === undefined) continue;
      const [row] = adapted.flatMap(({ answer }) => (answer === undefined ? [] : (rowsAnywhere(answer)?.rows ?? [])));
      const symbol = row?.[likelyField("symbol", Object.keys(row)) ?? ""] ?? "";
      adapted.push({ method, ...one, answer: await sample(system, method, { ...one, symbol, deadlineMs: timeoutMs ?? 10_000 }) });
    }
  } finally {
    await system.close();
  }
  return adapted;
}

interface Sampling extends FoundMethod {
  /** One that an earlier answer names. */
  readonly symbol: JsonValue;
  readonly deadlineMs: number;
}

/** The answer to a question that the method understands; undefined where it needs more than the bridge can name, or fails. */
async function sample(
  system: BridgedSystem,
  method: PnlMethod,
  { parameters, symbol, deadlineMs }: Sampling,
): Promise<JsonValue | undefined> {
  // Trades under the desk's own names are not known yet.
  if (method === "calculatePnl") return undefined;
  const needed = parameterNames(parameters).filter(({ isRequired }) => isRequired);
  const keys: readonly string[] = requestKeys[method];
  if (needed.some(({ name }) => !keys.includes(name))) return undefined;
  const values: Readonly<Record<string, JsonValue>> = { symbol, method: "fifo", asOf: new Date().toISOString(), limit: 5 };
  const request = Object.fromEntries(needed.map(({ name }) => [name, values[name] ?? null]));
  return system.invoke(method, request, { deadlineMs }).catch(() => undefined);
}
