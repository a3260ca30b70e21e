/**
 * Reads YAML as plain values, with the position of every key and value in the text. Numbers stay source text,
 * so that 0.1 is exactly a tenth; true, false and null become values of their types. Accepts one document
 * with text keys and no tags; aliases are followed within limits.
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

/**
 * The maximum number of nodes; each alias counts with all nodes of its anchor. The configuration of a whole
 * fleet has some hundreds; an alias bomb has billions.
 */
const nodesMax = 10_000;
const depthMax = 32;

export interface LocatedYaml {
  /** Undefined if the syntax is broken or a limit is exceeded. */
  readonly value: unknown;
  readonly problems: readonly Problem[];
  /** Positions by `pathKey`. A value behind an alias has the position of the value with the anchor. */
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
  /** Offset of the key; of the value if it has no key. */
  readonly keyOffset: number;
  /** Offset of the value; of the key if the value is empty. */
  readonly valueOffset: number;
  /** The value as written, on one line, shortened. */
  readonly shown: string;
}

export const pathKey = (path: readonly PropertyKey[]): string => JSON.stringify(path.map(String));

/** Reads a text. Reports errors in the text as `problems` and never throws for them. */
export function readYaml(text: string): LocatedYaml {
  const lines = new LineCounter();
  // Duplicate keys are found below in linear time; the library's check takes quadratic time.
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
      const { what, fix } = plainMessages[code] ?? {};
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

const plainMessages: Readonly<Record<string, Partial<Problem>>> = {
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

  /** The plain value of a node. `aliasOffset` is the position of the outermost alias on the way to it. */
  plain(node: unknown, path: readonly string[], keyOffset?: number, aliasOffset?: number): unknown {
    const offset = offsetOf(node) ?? keyOffset ?? 0;
    this.#nodes += 1;
    if (this.#nodes > nodesMax)
      throw tooMuch(
        aliasOffset ?? offset,
        `there are more than ${nodesMax} values, counting those behind aliases`,
      );
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

  /** Entries for `Object.fromEntries`, which makes `__proto__` an own property like any other key. */
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
          what: `the key "${withoutUser(name)}" appears twice`,
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
    // Masked before it is shortened: without its `@`, a password could no longer be recognised.
    const written = withoutUser(this.#text.slice(start, end)).slice(0, 60).replaceAll(/\s+/g, " ").trim();
    return written.length > 40 ? `${written.slice(0, 40)}…` : written;
  }
}

const scalarValue = (scalar: Scalar): unknown =>
  typeof scalar.value === "number" || typeof scalar.value === "bigint"
    ? (scalar.source ?? String(scalar.value))
    : scalar.value;

const tooMuch = (offset: number, what: string): Stop =>
  new Stop({ offset, what, fix: "check that this is a configuration file without an alias to itself" });

/**
 * Masks the user and password of a URL, because errors end up in logs: nothing between the first `:` and the
 * last `@` is shown.
 */
export function withoutUser(text: string): string {
  const [from, to] = [text.indexOf(":"), text.lastIndexOf("@")];
  return from < 0 || to < from ? text : `${text.slice(0, from + 1)}…${text.slice(to)}`;
}

const rangeOf = (node: unknown): readonly number[] | undefined =>
  isNode(node) ? (node.range ?? undefined) : undefined;
const offsetOf = (node: unknown): number | undefined => rangeOf(node)?.[0];
