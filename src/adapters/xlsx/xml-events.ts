import { SaxesParser } from "saxes";
import { BridgeError, messageOf } from "../../base/errors.ts";
import { refusedWorkbook } from "./refused.ts";

export type Attributes = Readonly<Record<string, string>>;

/** The events of an XML part. Names come without the namespace prefix of the root. */
export interface XmlHandlers {
  readonly open: (name: string, attributes: Attributes) => void;
  readonly close?: (name: string) => void;
  readonly text?: (text: string) => void;
  /**
   * Reads whole elements of the text from `at` on, instead of the slower parser. Called where an element may
   * begin. Returns the offset behind the elements that were read.
   */
  readonly plain?: (text: string, at: number) => number;
}

/** Parses a part and calls the handlers. Throws BAD_WORKBOOK for malformed XML and for a document type. */
export async function parseXml(
  pieces: AsyncIterable<string>,
  where: string,
  handlers: XmlHandlers,
): Promise<void> {
  const { open, close, text, plain } = handlers;
  const parser = new SaxesParser<{ xmlns: false; position: false }>({ xmlns: false, position: false });
  parser.on("error", (cause) => {
    throw refusedWorkbook(where, `the XML is malformed: ${messageOf(cause)}`, undefined, cause);
  });
  // A document type can define entities that grow without limit or read other files.
  parser.on("doctype", () => {
    throw refusedWorkbook(where, "the XML has a document type, which no workbook needs");
  });
  // Names are cut only if the root has a prefix: parts with millions of tags rarely have one.
  let isPrefixed: boolean | undefined;
  /** The parser has read a whole tag and nothing after it, so that an element may begin. */
  let isAfterTag = false;
  parser.on("opentag", (tag) => {
    isAfterTag = true;
    isPrefixed ??= tag.name.includes(":");
    open(isPrefixed ? localName(tag.name) : tag.name, tag.attributes);
  });
  parser.on("closetag", ({ name }) => {
    isAfterTag = true;
    close?.(isPrefixed ? localName(name) : name);
  });
  if (text !== undefined) {
    parser.on("text", text);
    parser.on("cdata", text);
  }
  try {
    for await (const piece of pieces)
      for (let at = 0; at < piece.length; ) {
        if (isAfterTag && plain !== undefined) at = plain(piece, at);
        const end = plain === undefined ? piece.length : piece.indexOf(">", at) + 1 || piece.length;
        isAfterTag = false;
        parser.write(piece.slice(at, end));
        at = end;
      }
    parser.close();
  } catch (cause) {
    if (cause instanceof BridgeError) throw cause;
    throw refusedWorkbook(where, `the XML cannot be read: ${messageOf(cause)}`, undefined, cause);
  }
}

const localName = (name: string): string => name.slice(name.indexOf(":") + 1);
