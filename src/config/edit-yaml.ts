/**
 * Changes values in a configuration text. Comments and order stay, and so does every other character, unless
 * the whole text must be written anew; then its spacing may change. A new value replaces the old one in its
 * place; a new key follows the last key of its section.
 * Each edit is verified by reading the result again: the value has changed, and nothing else has, not even
 * through an alias.
 */

import { isDeepStrictEqual } from "node:util";
import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isNode,
  isScalar,
  isSeq,
  type Pair,
  parseDocument,
  type YAMLMap,
  type YAMLSeq,
} from "yaml";
import { BridgeError } from "../base/errors.ts";
import { at } from "../base/present.ts";
import { parseConfig, withoutByteOrderMark } from "./config.ts";
import { readYaml } from "./located-yaml.ts";

export interface YamlEdit {
  /** Dotted: `migration.traffic_routing.new_system_percentage`. */
  readonly path: string;
  /** Undefined removes the key. */
  readonly value: EditValue | undefined;
}

export type EditValue =
  | string
  | NumberText
  | boolean
  | null
  | readonly EditValue[]
  | { readonly [key: string]: EditValue };

/** A number as its source text, which never passes through a float. */
export class NumberText {
  readonly source: string;
  constructor(source: string) {
    this.source = source;
  }
  toJSON(): string {
    return this.source;
  }
}

/** The value of a YAML text. Throws BAD_CONFIG, with the position in that text, if it is not valid YAML. */
export function editValue(text: string): EditValue {
  const { problems, lineAndColumn } = readYaml(text);
  const problem = problems[0];
  if (problem !== undefined)
    throw new BridgeError("BAD_CONFIG", {
      what: problem.what,
      fix: problem.fix,
      where: lineAndColumn(problem.offset),
    });
  const document = parseDocument(text, options);
  const valueIn = (node: unknown): EditValue => {
    if (isAlias(node)) return valueIn(node.resolve(document));
    if (isSeq(node)) return node.items.map(valueIn);
    if (isMap(node))
      return Object.fromEntries(node.items.map(({ key, value }) => [String(key), valueIn(value)]));
    if (!isScalar(node)) return null;
    const { value, source } = node;
    if (typeof value === "number" || typeof value === "bigint")
      return new NumberText(source ?? String(value));
    return typeof value === "boolean" || value === null ? value : String(value);
  };
  return valueIn(document.contents);
}

/**
 * The text after all edits, applied in order. Throws BAD_CONFIG if the text before or after the edits is not
 * a valid configuration, or if an edit would change another value.
 */
export function editYaml(text: string, edits: readonly YamlEdit[], file = "the configuration"): string {
  parseConfig(text, file);
  const mark = text.slice(0, text.length - withoutByteOrderMark(text).length);
  const edited =
    mark + edits.reduce((current, edit) => editedOnce(current, edit, file), withoutByteOrderMark(text));
  parseConfig(edited, file);
  return edited;
}

function editedOnce(text: string, { path, value }: YamlEdit, file: string): string {
  const keys = path.split(".");
  const wanted = meaning(withValue(readYaml(text).value, keys, value));
  for (const edited of [inPlace(text, keys, value), writtenAnew(text, keys, value)]) {
    if (edited === undefined) continue;
    const { value: read, problems } = readYaml(edited);
    if (problems.length === 0 && isDeepStrictEqual(meaning(read), wanted)) return edited;
  }
  const what = `${path} cannot be changed without changing something else: it is behind an alias, or has an anchor`;
  throw new BridgeError("BAD_CONFIG", { what, where: file, fix: "change the file by hand" });
}

/** The value in a comparable form: empty sections are absent, and numbers are their source text. */
function meaning(value: unknown): unknown {
  if (value instanceof NumberText) return value.source;
  if (Array.isArray(value)) return value.map((item) => meaning(item) ?? null);
  if (typeof value !== "object" || value === null) return value ?? undefined;
  const entries = Object.entries(value).map(([key, inner]) => [key, meaning(inner)] as const);
  const said = entries.filter(([, inner]) => inner !== undefined);
  return said.length === 0 ? undefined : new Map(said.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function withValue(whole: unknown, [key, ...rest]: readonly string[], value: unknown): unknown {
  if (key === undefined) return value;
  const section = typeof whole === "object" && whole !== null ? whole : {};
  const inner = Object.hasOwn(section, key) ? Reflect.get(section, key) : undefined;
  return { ...section, [key]: withValue(inner, rest, value) };
}

/** The replacement of one part of the text. */
interface Splice {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

const options = { prettyErrors: false, uniqueKeys: false, stringKeys: true, schema: "core" } as const;

/**
 * The text with the value changed in its place; undefined if the text has a form that is not supported here.
 */
function inPlace(text: string, keys: readonly string[], value: EditValue | undefined): string | undefined {
  const found = follow(parseDocument(text, options), keys);
  if (found === undefined) return undefined;
  const { sections, rest } = found;
  const section = sections.at(-1);
  let splices: readonly Splice[] | undefined;
  if (value === undefined) {
    const last = keys.length - 1;
    splices =
      rest.length > 0
        ? []
        : section && removal(text, section, section.items.findIndex(isKey(at(keys, last))));
  } else if (rest.length === 0) {
    splices = section && replacement(text, section.items.find(isKey(at(keys, -1))), value);
  } else {
    splices = insertion(text, found, value);
  }
  return splices && spliced(text, splices);
}

/** The existing and the missing part of a path of keys. */
interface Found {
  /** The sections along the path, outermost first. */
  readonly sections: readonly YAMLMap[];
  /** The last existing key with its value, if that is an empty section, as in `migration:`. */
  readonly empty: Pair | undefined;
  /** The missing keys of the path. */
  readonly rest: readonly string[];
}

function follow({ contents }: Document, keys: readonly string[]): Found | undefined {
  const sections: YAMLMap[] = [];
  let node: unknown = contents;
  let pair: Pair | undefined;
  for (const [depth, key] of keys.entries()) {
    if (isEmpty(node)) return { sections, empty: pair, rest: keys.slice(depth) };
    if (!isMap(node)) return undefined;
    sections.push(node);
    pair = node.items.find(isKey(key));
    if (pair === undefined) return { sections, empty: undefined, rest: keys.slice(depth) };
    node = pair.value;
  }
  return { sections, empty: undefined, rest: [] };
}

const isKey =
  (name: string) =>
  ({ key }: Pair): boolean =>
    isScalar(key) && String(key.value) === name;

/** Whether a section is empty; `~` and `null` count as empty. */
const isEmpty = (node: unknown): boolean => node === null || (isScalar(node) && node.value === null);

function insertion(
  text: string,
  { sections, empty, rest }: Found,
  value: EditValue,
): readonly Splice[] | undefined {
  const section = sections.at(-1);
  if (empty !== undefined) return replacement(text, empty, nested(rest, value));
  if (section === undefined) return [lineInsertion(text, text.length, lines("", rest, value))];
  const written = `${scalarText(at(rest, 0))}: ${flowText(nested(rest.slice(1), value))}`;
  const last = section.items.at(-1);
  if (section.flow) {
    const [start, end] = rangeOf(section);
    return last === undefined
      ? [{ from: start, to: end, text: `{ ${written} }` }]
      : [splice(itemEnd(last), `, ${written}`)];
  }
  const indent = indentOf(text, startOf(section.items[0]));
  return last && indent !== undefined
    ? [lineInsertion(text, itemEnd(last), lines(indent, rest, value))]
    : undefined;
}

/** New lines for a key: each section on a line of its own, except the innermost, which is written inline. */
function lines(indent: string, [key = "", ...rest]: readonly string[], value: EditValue): readonly string[] {
  if (rest.length < 2) return [`${indent}${scalarText(key)}: ${flowText(nested(rest, value))}`];
  return [`${indent}${scalarText(key)}:`, ...lines(`${indent}  `, rest, value)];
}

/** Inserts lines after the line that contains a position. */
function lineInsertion(text: string, position: number, added: readonly string[]): Splice {
  const at = lineEnd(text, position);
  const ending = endingOf(text);
  const isOpen = at > 0 && text[at - 1] !== "\n";
  return splice(at, `${isOpen ? ending : ""}${added.join(ending)}${isOpen ? "" : ending}`);
}

function replacement(text: string, pair: Pair | undefined, value: EditValue): readonly Splice[] | undefined {
  if (pair === undefined) return undefined;
  const { key, value: node } = pair;
  const written = flowText(value);
  if (node === null || (isScalar(node) && node.source === "")) {
    const colon = text.indexOf(":", rangeOf(key)[1]);
    return colon < 0 ? undefined : [splice(colon + 1, ` ${written}`)];
  }
  if (isSeq(node)) {
    const splices = itemSplices(text, node, value);
    if (splices !== undefined) return splices;
  }
  const [from, to] = rangeOf(node);
  if (isCollection(node) && !node.flow) {
    const colon = text.indexOf(":", rangeOf(key)[1]);
    return colon < 0
      ? undefined
      : [splice(colon + 1, ` ${written}`), { from: lineStart(text, from), to, text: "" }];
  }
  return [{ from, to, text: `${written}${text.slice(from, to).endsWith("\n") ? endingOf(text) : ""}` }];
}

/** Removes items from a list and appends new ones; undefined if that does not produce the wanted list. */
function itemSplices(text: string, list: YAMLSeq, wanted: EditValue): readonly Splice[] | undefined {
  if (!Array.isArray(wanted) || !list.items.every(isScalar)) return undefined;
  const old = list.items.map(({ value, source }) =>
    typeof value === "number" ? (source ?? String(value)) : value,
  );
  const keptIndices = [...old.keys()].filter((index) => wanted.some((item) => meaning(item) === old[index]));
  const added = wanted.slice(keptIndices.length);
  const isSuffix = keptIndices.every((index, position) => old[index] === meaning(wanted[position]));
  if (keptIndices.length === 0 || !isSuffix || added.some((item) => typeof item === "object"))
    return undefined;
  const removed = [...old.keys()].filter((index) => !keptIndices.includes(index));
  // One edit at a time: edits of neighbours on one line would overlap.
  if (removed.length > 1 || (removed.length === 1 && added.length > 0)) {
    const next = spliced(text, removal(text, list, at(removed, -1)) ?? []);
    const again = next === text ? undefined : listAt(next, startOf(list));
    const rest = again && itemSplices(next, again, wanted);
    return rest && [{ from: 0, to: text.length, text: spliced(next, rest) }];
  }
  if (removed[0] !== undefined) return removal(text, list, removed[0]);
  if (added.length === 0) return [];
  const end = itemEnd(list.items.at(-1));
  if (list.flow) return [splice(end, added.map((item) => `, ${flowText(item)}`).join(""))];
  const dash = startOf(list);
  const indent = indentOf(text, dash);
  return indent === undefined
    ? undefined
    : [
        lineInsertion(
          text,
          end,
          added.map((item) => `${indent}- ${flowText(item)}`),
        ),
      ];
}

/** The list that begins at a position, after an edit that left the text before it unchanged. */
function listAt(text: string, start: number): YAMLSeq | undefined {
  const waiting: unknown[] = [parseDocument(text, options).contents];
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    if (isSeq(node) && startOf(node) === start) return node;
    if (isMap(node)) waiting.push(...node.items.map(({ value }) => value));
  }
  return undefined;
}

/**
 * Removes one item of a section or list; undefined if it is in block style and shares its line with other
 * text.
 */
function removal(text: string, collection: YAMLMap | YAMLSeq, index: number): readonly Splice[] | undefined {
  const item = collection.items[index];
  const [start, end] = [startOf(item), itemEnd(item)];
  if (!collection.flow) {
    const from = lineStart(text, start);
    const isOwnLine =
      /^ *(?:- +)?$/.test(text.slice(from, start)) &&
      (isSeq(collection) || !text.slice(from, start).includes("-"));
    return isOwnLine ? [{ from, to: lineEnd(text, end), text: "" }] : undefined;
  }
  const next = collection.items[index + 1];
  if (next !== undefined) return [{ from: start, to: startOf(next), text: "" }];
  if (index === 0) return [{ from: start, to: end, text: "" }];
  // Removes the comma before the item, but keeps a comment between the two.
  const before = itemEnd(collection.items[index - 1]);
  const comma = /^(?:\s|#[^\n]*\n)*,/.exec(text.slice(before, start))?.[0].length;
  if (comma === undefined) return undefined;
  const between = text.slice(before + comma, start);
  const blanks = between.length - between.trimEnd().length;
  return [
    { from: before + comma - 1, to: before + comma, text: "" },
    { from: between.includes("#") ? start : start - blanks, to: end, text: "" },
  ];
}

/** The text as the YAML library writes it: comments and order stay, spacing may change. */
function writtenAnew(
  text: string,
  keys: readonly string[],
  value: EditValue | undefined,
): string | undefined {
  const document = parseDocument(text, options);
  try {
    if (value === undefined) document.deleteIn(keys);
    else document.setIn(keys, value);
    return document.toString({ lineWidth: 0 });
  } catch {
    return undefined; // The path leads through an alias.
  }
}

const nested = (keys: readonly string[], value: EditValue): EditValue =>
  keys.reduceRight<EditValue>((inner, key) => ({ [key]: inner }), value);

/** A value as YAML on one line. */
export function flowText(value: EditValue): string {
  if (typeof value === "string") return scalarText(value);
  if (value instanceof NumberText) return value.source;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(flowText).join(", ")}]`;
  const entries = Object.entries(value).map(([key, inner]) => `${scalarText(key)}: ${flowText(inner)}`);
  return entries.length === 0 ? "{}" : `{ ${entries.join(", ")} }`;
}

/** Quotes a text if a YAML parser of any version might read it as something other than this text. */
const scalarText = (text: string): string =>
  /^[A-Za-z_][\w.@/-]*$/.test(text) && !/^(?:true|false|null|yes|no|on|off|y|n)$/i.test(text)
    ? text
    : JSON.stringify(text);

const spliced = (text: string, splices: readonly Splice[]): string =>
  splices
    .toSorted((a, b) => b.from - a.from)
    .reduce((current, { from, to, text: added }) => current.slice(0, from) + added + current.slice(to), text);

const splice = (at: number, text: string): Splice => ({ from: at, to: at, text });

const lineStart = (text: string, position: number): number => text.lastIndexOf("\n", position - 1) + 1;

/** The start of the next line; a position that is already the start of a line is returned unchanged. */
function lineEnd(text: string, position: number): number {
  if (position > 0 && text[position - 1] === "\n") return position;
  const end = text.indexOf("\n", position);
  return end < 0 ? text.length : end + 1;
}

const endingOf = (text: string): string => (text.includes("\r\n") ? "\r\n" : "\n");

/** The spaces before a position on its line; undefined if there is other text before it. */
function indentOf(text: string, position: number): string | undefined {
  const before = text.slice(lineStart(text, position), position);
  return /^ *$/.test(before) ? before : undefined;
}

const rangeOf = (node: unknown): readonly [number, number] => {
  const [start, end] = (isNode(node) ? node.range : null) ?? [];
  if (start === undefined || end === undefined) throw new Error("broken invariant: a node without a place");
  return [start, end];
};

const isPair = (item: unknown): item is Pair => typeof item === "object" && item !== null && "key" in item;
const startOf = (item: unknown): number => rangeOf(isPair(item) ? item.key : item)[0];
const itemEnd = (item: unknown): number =>
  isPair(item) ? rangeOf(item.value ?? item.key)[1] : rangeOf(item)[1];
