import { expect, it } from "vitest";
import { runNode } from "../../../test/cli/run-cli.ts";

it("closing writes the lines that came while another write was under way", async () => {
  const module = JSON.stringify(new URL("server-log.ts", import.meta.url).href);
  const program = `const { log, close } = (await import(${module})).openServerLog();
    for (let line = 0; line < 40; line++) log.info({ text: "x".repeat(1_000) }, "busy");
    log.info("closed");
    await close();`;
  const { err } = await runNode(["--input-type=module", "--eval", program]);
  const messages = err
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line).msg);
  expect([messages.length, messages.at(-1)]).toEqual([41, "closed"]);
});
