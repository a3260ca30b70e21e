import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { BridgeError, codeOf } from "../../../base/errors.ts";
import type { Config } from "../../../config/index.ts";
import type { Side } from "../../../domain/migration/phase.ts";
import { childEnvironment } from "../../../platform/child-environment.ts";
import { checkNew } from "../../../platform/output.ts";
import { pnlMethods, requestKeys } from "../../../ports/pnl-service.ts";
import type { FoundMethod } from "../../../ports/system.ts";
import { answerShapes } from "./answer-shapes.ts";
import { proposedNames } from "./check-system.ts";
import { fieldNames } from "./likely-names.ts";

interface AdapterOrder {
  readonly side: Side;
  readonly config: Config;
  /** The folder of the configuration. */
  readonly folder: string;
  /** The new file. */
  readonly file: string;
}

const program = fileURLToPath(new URL("../../../../python/pnl_bridge_adapter.py", import.meta.url));

/**
 * Checks that an adapter can be written, and returns a function that writes it for the methods that were
 * found. That function returns a text with the next step. `pnl_bridge_adapter.py` does the work in the desk's
 * own Python. To learn the fields of the answers, it calls each configured or proposed method once, except
 * calculatePnl and methods with unknown required arguments.
 *
 * Throws BAD_USAGE for a system that is not a Python worker and for a file name that Python cannot import;
 * UNWRITABLE for a file that already exists.
 */
export async function plannedAdapter(
  order: AdapterOrder,
): Promise<(found: readonly FoundMethod[]) => Promise<string>> {
  const { side, config, folder, file } = order;
  const system = config.systems[side];
  const command = system.kind === "command" ? system.command : [];
  const worker = command.findIndex((argument) => basename(argument) === "pnl_bridge_worker.py");
  const at = command.findIndex(
    (argument, place) => place > worker && /^[A-Za-z_][\w.]*:[A-Za-z_]\w*$/.test(argument),
  );
  const [python, ...options] = command.slice(0, worker);
  const target = command[at];
  if (system.kind !== "command" || python === undefined || target === undefined)
    throw new BridgeError("BAD_USAGE", {
      what: `systems.${side} is not a Python worker; an adapter can only be written for one`,
      fix: 'configure it with kind: command and command: [python3, pnl_bridge_worker.py, "module:Name"]',
    });
  const [, adapter] = /^([A-Za-z_]\w*)\.py$/.exec(basename(file)) ?? [];
  if (adapter === undefined)
    throw new BridgeError("BAD_USAGE", {
      what: "Python cannot import a file of this name",
      where: file,
      fix: "name it like desk_adapter.py",
    });
  await checkNew(file);
  return async (found) => {
    const callable = found.filter(({ leftOut }) => leftOut === undefined);
    const given = pnlMethods.filter((method) => callable.some(({ name }) => name === system.methods[method]));
    const names = Object.fromEntries([
      ...given.map((method) => [method, system.methods[method]]),
      ...proposedNames(
        pnlMethods.filter((method) => !given.includes(method)),
        callable,
      ),
    ]);
    const argument = command[at + 1];
    const facts = {
      target,
      adapter,
      names,
      pnlIn: system.pnlIn,
      arguments: argument === undefined ? null : JSON.parse(argument),
    };
    const cwd = system.cwd === undefined ? folder : resolve(folder, system.cwd);
    const text = await new Promise<string>((done, fail) => {
      const child = execFile(
        python,
        [...options, program],
        { cwd, env: childEnvironment(system.env) },
        (failure, out, err) =>
          failure === null ? done(out) : fail(new Error(err.trim().split("\n").at(-1) ?? failure.message)),
      );
      child.stdin?.end(
        JSON.stringify({ ...facts, keys: requestKeys, likely: fieldNames, shapes: answerShapes }),
      );
    });
    await writeFile(file, text, { flag: "wx" }).catch((cause) => {
      throw new BridgeError("UNWRITABLE", {
        what: `the adapter cannot be written: ${codeOf(cause)}`,
        where: file,
        fix: "name a new file",
        cause,
      });
    });
    const marks = text.split("# CHECK").length - 1;
    return (
      `${file} is written; correct its lines marked CHECK (${marks}), ` +
      `and name ${adapter}:Desk instead of ${target} in systems.${side}.command`
    );
  };
}
