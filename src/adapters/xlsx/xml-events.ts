import { SaxesParser } from "saxes";
import { BridgeError, messageOf } from "../../base/errors.ts";
import { refusedWorkbook } from "./refused.ts";

export type Attributes = Readonly<Record<string, string>>;

/** The events of an XML part. Names come without the namespace prefix of the root. */
export interface XmlHandlers {
  readonly open: (name: string, attributes: Attributes) => void;
  readonly close?: (name: string) => void;
  readonly text?: (text: string) => void;
}

/** Parses a part and calls the handlers. Throws BAD_WORKBOOK for malformed XML and for a document type. */
export async function parseXml(
  pieces: AsyncIterable<string>,
  where: string,
  handlers: XmlHandlers,
): Promise<void> {
  const { open, close, text } = handlers;
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
  parser.on("opentag", (tag) => {
    isPrefixed ??= tag.name.includes(":");
    open(isPrefixed ? localName(tag.name) : tag.name, tag.attributes);
  });
  if (close !== undefined) parser.on("closetag", ({ name }) => close(isPrefixed ? localName(name) : name));
  if (text !== undefined) {
    parser.on("text", text);
    parser.on("cdata", text);
  }
  try {
    for await (const piece of pieces) parser.write(piece);
    parser.close();
  } catch (cause) {
    if (cause instanceof BridgeError) throw cause;
    throw refusedWorkbook(where, `the XML cannot be read: ${messageOf(cause)}`, undefined, cause);
  }
}

const localName = (name: string): string => name.slice(name.indexOf(":") + 1);
