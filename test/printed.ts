import type { Readable } from "node:stream";

/**
 * Waits until a process has printed a text, and returns the text's first group. Rejects if the output ends
 * before. The output is read to its end, so that the process never waits for a reader.
 */
export function printed(output: Readable | null, text: RegExp): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let out = "";
  let isFound = false;
  output?.on("data", (piece: Buffer) => {
    if (isFound) return;
    out += piece;
    const [, found] = text.exec(out) ?? [];
    if (found === undefined) return;
    isFound = true;
    resolve(found);
  });
  output?.on("end", () => reject(new Error(`the output ended before it had a text like ${text}: ${out}`)));
  return promise;
}
