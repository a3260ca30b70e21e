import { BridgeError } from "../../base/errors.ts";
import { childEnvironment } from "../../platform/child-environment.ts";
import type { BridgedSystem, FoundMethod, JsonValue, SystemCall } from "../../ports/system.ts";
import { refusal } from "./foreign-error.ts";
import { InProcessModule } from "./in-process.ts";
import { loadModule, methodsOf, moduleAddress } from "./loading.ts";
import { ModuleThread, type ThreadOptions, threadDefaults } from "./module-thread.ts";
import { OwnService } from "./own-service.ts";

export interface ModuleSystemOptions {
  readonly name: string;
  /** Default `module`. */
  readonly kind?: "module" | "builtin";
  /** The service itself. It stays its owner's. Either this, or `module`. */
  readonly service?: object;
  /** Whether the service is this program's own: see OwnService. Default false. */
  readonly isOurs?: boolean;
  /** Where the service is: `./legacy.js#exportName`, or a `file:` URL of the same kind (see `loadModule`). */
  readonly module?: string | URL;
  /** What a relative path begins at. Default: the working folder. */
  readonly baseFolder?: string;
  /** `thread`: in a thread of its own, so that its computing delays nobody. Needs `module`. Default `none`. */
  readonly isolation?: "none" | "thread";
  /** Floats of answers become decimal text; false leaves them floats. Default true. */
  readonly exactNumbers?: boolean;
  /** Default 32 MiB. */
  readonly answerBytesMax?: number;
  /** Calls under way; one more is BUSY. Default 256. */
  readonly inFlightMax?: number;
  /** Of a thread: names of our environment variables that it gets beside the base (`child-environment.ts`). Default: none. */
  readonly inheritEnv?: readonly string[];
  readonly thread?: Partial<ThreadOptions>;
  /** Of a thread: told each line that the module prints, and when the thread ends unasked. Default: stderr, after the name. */
  readonly log?: (line: string) => void;
}

export const moduleDefaults = Object.freeze({
  kind: "module",
  isOurs: false,
  isolation: "none",
  exactNumbers: true,
  answerBytesMax: 32 * 2 ** 20,
  inFlightMax: 256,
} as const);

/**
 * A module whose public methods take a request and give, or promise, an answer. It is loaded when it is first needed, or by `start()`.
 * Request and answer are copies, but of a service of ours: neither side can change what the other has.
 */
export class ModuleSystem implements BridgedSystem {
  readonly name: string;
  readonly kind: "module" | "builtin";
  readonly #host: ModuleHost;

  /** Throws BridgeError BAD_CONFIG where the options cannot be. */
  constructor(options: ModuleSystemOptions) {
    const {
      service,
      isOurs,
      module,
      isolation,
      baseFolder = process.cwd(),
      inheritEnv,
      thread,
      log,
      ...rest
    } = { ...moduleDefaults, ...options };
    this.name = rest.name;
    this.kind = rest.kind;
    if (service !== undefined && module === undefined) {
      if (isolation === "thread") throw badOptions(this.name, "is an object, which cannot move to a thread");
      const made = methodsOf(service);
      this.#host = isOurs
        ? new OwnService(made, rest)
        : new InProcessModule({ ...made, dispose: async () => {} }, rest);
      return;
    }
    if (module === undefined || service !== undefined)
      throw badOptions(this.name, "needs either a service or a module");
    const address = moduleAddress(module, baseFolder);
    this.#host =
      isolation === "thread"
        ? new ModuleThread(address, {
            ...threadDefaults,
            env: childEnvironment(inheritEnv),
            ...thread,
            ...rest,
            log,
            answers: "json",
            refused: refusal,
          })
        : new InProcessModule(() => loadModule(address), rest);
  }

  /** Known once the module has been loaded. */
  get methods(): ReadonlySet<string> | undefined {
    return this.#host.methods;
  }

  get found(): readonly FoundMethod[] | undefined {
    return this.#host.found;
  }

  /** Loads the module now; rejects with a SystemFailure DOWN that says why it cannot be. */
  start(): Promise<void> {
    return this.#host.start();
  }

  async invoke(method: string, request: JsonValue, call: SystemCall): Promise<JsonValue> {
    return (await this.#host.call(method, [request], call)) as JsonValue;
  }

  close(): Promise<void> {
    return this.#host.close();
  }
}

/** Where a module runs. */
interface ModuleHost {
  readonly methods: ReadonlySet<string> | undefined;
  readonly found: readonly FoundMethod[] | undefined;
  start(): Promise<void>;
  call(method: string, args: readonly JsonValue[], call: SystemCall): Promise<unknown>;
  close(): Promise<void>;
}

const badOptions = (name: string, what: string): BridgeError =>
  new BridgeError("BAD_CONFIG", {
    what: `${name} ${what}`,
    fix: "name its module, like ./legacy.js#exportName",
  });
