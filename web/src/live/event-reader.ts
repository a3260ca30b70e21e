/** One event of the gateway's stream. */
export interface StreamEvent {
  readonly name: string;
  readonly data: { readonly seq: number };
}

/**
 * Returns a function that takes the text of a stream of server-sent events piece by piece, and returns the
 * events that each piece completes. Comments and events without data are skipped. Throws a SyntaxError for
 * data that is not JSON.
 */
export function eventReader(): (piece: string) => readonly StreamEvent[] {
  let rest = "";
  return (piece) => {
    const blocks = (rest + piece).split(/\r?\n\r?\n/);
    rest = blocks.pop() ?? "";
    return blocks.flatMap((block) => {
      let name = "message";
      const data: string[] = [];
      for (const line of block.split(/\r?\n/)) {
        const [, field, value = ""] = /^(\w+): ?(.*)$/.exec(line) ?? [];
        if (field === "event") name = value;
        if (field === "data") data.push(value);
      }
      return data.length === 0 ? [] : [{ name, data: JSON.parse(data.join("\n")) }];
    });
  };
}
