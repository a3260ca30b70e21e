/**
 * YAML as plain values, with the place of every key and value in the text. Numbers stay the text in which they are written, so
 * that 0.1 is a tenth; true, false and null are themselves. One document, keys are texts, no tags; aliases work within limits.
 */
import {
  type Alias,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type Scalar,
} from "yaml";

/** Nodes after every alias has been followed. A configuration of a whole fleet has some hundreds; a bomb has billions. */
const nodesMax = 10_000;
const depthMax = 32;

export interface LocatedYaml {
  /** Undefined where the syntax is broken, or a limit exceeded. */
  readonly value: unknown;
  readonly problems: readonly Problem[];
  /** By `pathKey`. What stands behind an alias has its place where it is written. */
  readonly places: ReadonlyMap<string, Place>;
  /** `line:column`, both from 1, of an offset. */
  readonly lineAndColumn: (offset: number) => string;
}

export interface Problem {
  readonly offset: number;
  readonly what: string;
  readonly fix: string;
}

interface Place {
  /** Of the key; of the value where there is none. */
  readonly keyOffset: number;
  /** Of the value; of the key where the value is empty. */
  readonly valueOffset: number;
  /** The value as it is written, on one line, cut short. */
  readonly shown: string;
}

export const pathKey = (path: readonly PropertyKey[]): string => JSON.stringify(path.map(String));

/** Never throws for what the text says. */
export function readYaml(text: string): LocatedYaml {
  const lines = new LineCounter();
  // Uniqueness of keys is checked below: in time that grows with the file, not with its square.
  const options = {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: false,
    stringKeys: true,
    schema: "core",
  } as const;
  const document = parseDocument(text, options);
  const lineAndColumn = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${line}:${col}`;
  };
  const broken = [...document.errors, ...document.warnings].map(
    ({ code, message, pos: [offset] }): Problem => {
      const { what, fix } = saidPlainly[code] ?? {};
      return { offset, what: what ?? withoutUser(message), fix: fix ?? "" };
    },
  );
  if (broken.length > 0) return { value: undefined, problems: broken, places: new Map(), lineAndColumn };
  const walk = new Walk(text, (alias) => alias.resolve(document));
  try {
    const value = walk.plain(document.contents, []);
    return { value, problems: walk.problems, places: walk.places, lineAndColumn };
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    return { value: undefined, problems: [error.problem], places: walk.places, lineAndColumn };
  }
}

const saidPlainly: Readonly<Record<string, Partial<Problem>>> = {
  TAB_AS_INDENT: { what: "a tab is not allowed as indentation", fix: "indent with spaces" },
  MULTIPLE_DOCS: {
    what: "there is a second YAML document",
    fix: "keep one document, without a --- in between",
  },
  NON_STRING_KEY: { what: "a key is not a text" },
  TAG_RESOLVE_FAILED: { what: "tags are not known here", fix: "remove the word that begins with !" },
  RESOURCE_EXHAUSTION: { what: `sections are nested more than ${depthMax} deep` },
};

class Stop extends Error {
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(problem.what);
    this.problem = problem;
  }
}

class Walk {
  readonly places = new Map<string, Place>();
  readonly problems: Problem[] = [];
  readonly #text: string;
  readonly #resolve: (alias: Alias) => Node | undefined;
  #nodes = 0;

  constructor(text: string, resolve: (alias: Alias) => Node | undefined) {
    this.#text = text;
    this.#resolve = resolve;
  }

  /** `aliasOffset` is of the outermost alias that led here. */
  plain(node: unknown, path: readonly string[], keyOffset?: number, aliasOffset?: number): unknown {
    const offset = offsetOf(node) ?? keyOffset ?? 0;
    this.#nodes += 1;
    if (this.#nodes > nodesMax)
      throw tooMuch(aliasOffset ?? offset, `there are more than ${nodesMax} values, with aliases followed`);
    if (path.length > depthMax)
      throw tooMuch(aliasOffset ?? offset, `sections are nested more than ${depthMax} deep`);
    if (isAlias(node)) {
      const target = this.#resolve(node);
      if (target === undefined) {
        const name = withoutUser(node.source);
        throw new Stop({
          offset,
          what: `the alias *${name} has no anchor above it`,
          fix: `mark a value with &${name}`,
        });
      }
      return this.plain(target, path, keyOffset ?? offset, aliasOffset ?? offset);
    }
    const empty = isScalar(node) && node.source === "";
    const valueOffset = empty ? (keyOffset ?? offset) : offset;
    this.places.set(pathKey(path), { keyOffset: keyOffset ?? offset, valueOffset, shown: this.#shown(node) });
    if (isMap(node)) return Object.fromEntries(this.#entries(node.items, path, aliasOffset));
    if (isSeq(node))
      return node.items.map((item, index) => this.plain(item, [...path, `${index}`], undefined, aliasOffset));
    return isScalar(node) ? scalarValue(node) : null;
  }

  /** Own properties in the end, so that a key `__proto__` is a key like another. */
  *#entries(
    pairs: readonly { readonly key: unknown; readonly value: unknown }[],
    path: readonly string[],
    aliasOffset: number | undefined,
  ): Generator<[string, unknown]> {
    const firstOffsets = new Map<string, number>();
    for (const { key, value } of pairs) {
      // With stringKeys a key is a scalar, or an alias of one.
      const name = String(isScalar(key) ? key.value : this.plain(key, path));
      const offset = offsetOf(key) ?? 0;
      if (firstOffsets.has(name)) {
        this.problems.push({
          offset,
          what: `the key "${withoutUser(name)}" stands twice`,
          fix: "remove one of the two",
        });
        continue;
      }
      firstOffsets.set(name, offset);
      yield [name, this.plain(value, [...path, name], offset, aliasOffset)];
    }
  }

  #shown(node: unknown): string {
    const [start = 0, end = 0] = rangeOf(node) ?? [];
    // Before it is cut: a password whose `@` has been cut off could not be told.
    const written = withoutUser(this.#text.slice(start, end)).slice(0, 60).replaceAll(/\s+/g, " ").trim();
    return written.length > 40 ? `${written.slice(0, 40)}…` : written;
  }
}

const scalarValue = (scalar: Scalar): unknown =>
  typeof scalar.value === "number" || typeof scalar.value === "bigint"
    ? (scalar.source ?? String(scalar.value))
    : scalar.value;

const tooMuch = (offset: number, what: string): Stop =>
  new Stop({ offset, what, fix: "this is no configuration file, or an alias stands in a circle" });

/** Errors end up in logs: of a URL with a user and password in it, what stands before the `@` is not shown. */
export function withoutUser(text: string): string {
  const [from, to] = [text.indexOf(":"), text.lastIndexOf("@")];
  return from < 0 || to < from ? text : `${text.slice(0, from + 1)}…${text.slice(to)}`;
}

const rangeOf = (node: unknown): readonly number[] | undefined =>
  isNode(node) ? (node.range ?? undefined) : undefined;
const offsetOf = (node: unknown): number | undefined => rangeOf(node)?.[0];
