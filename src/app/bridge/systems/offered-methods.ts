import { SystemFailure } from "../../../domain/migration/system-failure.ts";
import { type PnlMethod, pnlMethods } from "../../../ports/pnl-service.ts";
import type { BridgedSystem, FoundMethod } from "../../../ports/system.ts";

/** A system's own name for each method of the P&L service. */
export type MethodNames = Readonly<Record<PnlMethod, string>>;

/**
 * Limits a foreign system to the methods of the P&L service, each called by the system's own name. Calls of
 * any other method are refused here, for every kind of system.
 */
export class OfferedMethods implements BridgedSystem {
  readonly name: string;
  readonly kind: BridgedSystem["kind"];
  readonly #system: BridgedSystem;
  readonly #names: MethodNames;

  constructor(system: BridgedSystem, names: MethodNames) {
    this.name = system.name;
    this.kind = system.kind;
    this.#system = system;
    this.#names = names;
  }

  get methods(): ReadonlySet<string> | undefined {
    const theirs = this.#system.methods;
    return theirs && new Set(pnlMethods.filter((method) => theirs.has(this.#names[method])));
  }

  get found(): readonly FoundMethod[] | undefined {
    return this.#system.found;
  }

  async start(): Promise<void> {
    await this.#system.start?.();
  }

  async invoke(
    ...[method, request, call]: Parameters<BridgedSystem["invoke"]>
  ): ReturnType<BridgedSystem["invoke"]> {
    if (isPnlMethod(method)) return this.#system.invoke(this.#names[method], request, call);
    throw new SystemFailure("REFUSED", `${this.name}: the P&L service has no method ${method}`, {
      code: "UNKNOWN_METHOD",
    });
  }

  close(): Promise<void> {
    return this.#system.close();
  }
}

const isPnlMethod = (name: string): name is PnlMethod => pnlMethods.some((method) => method === name);
