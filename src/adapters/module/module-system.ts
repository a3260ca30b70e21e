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
  /** The service itself, which its owner disposes of. Give either this or `module`. */
  readonly service?: object;
  /** Whether the service is this program's own: see OwnService. Default false. */
  readonly isOurs?: boolean;
  /**
   * The module of the service: `./legacy.js#exportName`, or a `file:` URL in that form (see `loadModule`).
   */
  readonly module?: string | URL;
  /** The folder to which a relative path refers. Default: the working folder. */
  readonly baseFolder?: string;
  /**
   * `thread`: the module runs in a thread of its own and cannot block the event loop here. Needs `module`.
   * Default `none`.
   */
  readonly isolation?: "none" | "thread";
  /** Floats of answers become decimal text; false leaves them floats. Default true. */
  readonly exactNumbers?: boolean;
  /** Default 32 MiB. */
  readonly answerBytesMax?: number;
  /** The maximum number of calls under way; a further call fails BUSY. Default 256. */
  readonly inFlightMax?: number;
  /**
   * For a thread: names of environment variables of this process that it gets in addition to the base
   * (`child-environment.ts`). Default: none.
   */
  readonly inheritEnv?: readonly string[];
  readonly thread?: Partial<ThreadOptions>;
  /**
   * For a thread: receives each line that the module prints, and a line when the thread ends unexpectedly.
   * Default: stderr, with the system's name in front.
   */
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
 * A module whose public methods take a request and return an answer or a promise of one. It is loaded at the
 * first call, or by `start()`. Request and answer are copies, so that neither side can change the other's
 * values. A service of this program is the exception: it receives and returns the originals.
 */
export class ModuleSystem implements BridgedSystem {
  readonly name: string;
  readonly kind: "module" | "builtin";
  readonly #host: ModuleHost;

  /** Throws BridgeError BAD_CONFIG for options that contradict each other. */
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

  /** Loads the module now. Rejects with a SystemFailure DOWN that names the reason if it cannot be loaded. */
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
