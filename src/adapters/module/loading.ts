import { resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { BridgeError } from "../../base/errors.ts";
import type { FoundMethod } from "../../ports/system.ts";

/**
 * The file of a module and the name of an export. Without a name: the default export, or the module itself if
 * it has none.
 */
export interface ModuleAddress {
  /** A `file:` URL. */
  readonly href: string;
  readonly exportName: string | undefined;
}

/** Reads `./legacy.js#exportName`, with a path relative to a folder, or a `file:` URL with `#exportName`. */
export function moduleAddress(module: string | URL, baseFolder: string): ModuleAddress {
  const text = String(module);
  const [, path = text, name] = /^(.*)#([\p{ID_Start}$_][\p{ID_Continue}$]*)$/u.exec(text) ?? [];
  if (path === "") throw badModule("has no path", text);
  if (!isUrl(path)) return { href: pathToFileURL(resolve(baseFolder, path)).href, exportName: name };
  if (!path.startsWith("file:")) throw badModule("must be a path or a file: URL", text);
  return { href: pathToFileURL(fileURLToPath(path)).href, exportName: name };
}

const badModule = (what: string, where: string): BridgeError =>
  new BridgeError("BAD_CONFIG", {
    what: `the module ${what}`,
    where,
    fix: "write it like ./legacy.js#exportName",
  });

/** Requires two characters or more before the colon, so that `C:\desk.js` is a path. */
const isUrl = (text: string): boolean => /^[a-z][a-z0-9+.-]+:/i.test(text);

/** A loaded service: its methods by name, bound to it. */
export interface LoadedModule {
  readonly methods: ReadonlyMap<string, (...args: readonly unknown[]) => unknown>;
  /** The same methods and the private ones, with their parameters. */
  readonly found: readonly FoundMethod[];
  /**
   * Disposes of a service that was created here. Leaves a service alone that was passed in or exported as an
   * object.
   */
  dispose(): Promise<void>;
}

/**
 * Imports a module. Its export may be an object, a class (instantiated without arguments) or a function that
 * returns an object or a promise of one. Rejects with an Error that describes what is wrong.
 */
export async function loadModule({ href, exportName }: ModuleAddress): Promise<LoadedModule> {
  const namespace: Readonly<Record<string, unknown>> = await import(href);
  if (exportName !== undefined && !Object.hasOwn(namespace, exportName)) {
    const names = Object.keys(namespace).slice(0, 20).join(", ");
    throw new Error(`the module exports no ${exportName}, only: ${names || "nothing"}`);
  }
  const exported = exportName === undefined ? (namespace.default ?? { ...namespace }) : namespace[exportName];
  const made = typeof exported === "function";
  const service = made ? await (isClass(exported) ? new exported() : exported()) : exported;
  if (typeof service !== "object" || service === null)
    throw new Error(`the service that it ${made ? "creates" : "exports"} is not an object with methods`);
  return { ...methodsOf(service), dispose: async () => (made ? disposeOf(service) : undefined) };
}

/**
 * The public methods of an object, inherited ones included: all functions except the constructor and those
 * whose name begins with an underscore.
 */
export function methodsOf(service: object): Pick<LoadedModule, "methods" | "found"> {
  const methods = new Map<string, (...args: readonly unknown[]) => unknown>();
  const found = new Map<string, FoundMethod>();
  for (
    let level: object | null = service;
    level !== null && level !== Object.prototype;
    level = Object.getPrototypeOf(level)
  )
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(level))) {
      if (typeof value !== "function" || name === "constructor" || found.has(name)) continue;
      const isPrivate = name.startsWith("_");
      found.set(name, {
        name,
        parameters: parametersOf(value),
        ...(isPrivate && { leftOut: "it is private" }),
      });
      if (!isPrivate) methods.set(name, (...args) => Reflect.apply(value, service, args));
    }
  return { methods, found: [...found.values()] };
}

/** The parameters in the source of a function; undefined if the source is not available. */
function parametersOf(method: object): readonly string[] | undefined {
  const source = Function.prototype.toString.call(method);
  if (source.endsWith("{ [native code] }")) return undefined;
  const [, lone] = /^(?:async\s+)?([\w$]+)\s*=>/.exec(source) ?? [];
  if (lone !== undefined) return [lone];
  const parameters = [""];
  let depth = 0;
  for (const character of source.slice(source.indexOf("(") + 1)) {
    if (depth === 0 && character === ")") break;
    if ("([{".includes(character)) depth += 1;
    if (")]}".includes(character)) depth -= 1;
    if (depth === 0 && character === ",") parameters.push("");
    else parameters.push((parameters.pop() ?? "") + character);
  }
  return parameters
    .map((text) => text.replace(/\s+/g, " ").trim().slice(0, 100))
    .filter((text) => text !== "");
}

/** Whether a function is a class, also one compiled to a plain function whose prototype has methods. */
const isClass = (made: object): made is new () => unknown => {
  if (/^class\b/.test(Function.prototype.toString.call(made))) return true;
  const { prototype } = made as { readonly prototype?: object };
  return (
    prototype !== undefined && Object.getOwnPropertyNames(prototype).some((name) => name !== "constructor")
  );
};

async function disposeOf(service: object): Promise<void> {
  const { [Symbol.asyncDispose]: disposeLater, [Symbol.dispose]: dispose } = service as Partial<
    AsyncDisposable & Disposable
  >;
  if (disposeLater !== undefined) await disposeLater.call(service);
  else dispose?.call(service);
}
