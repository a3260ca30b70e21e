/** The process of the demo that is killed while it writes: reports each acknowledged write. */
import { openDemoBridge, writeDemoTrade } from "./dual-write.ts";

process.once("message", async (folder: string) => {
  const bridge = await openDemoBridge(folder);
  for (let number = 1; ; number++) {
    const { kind } = await writeDemoTrade(bridge, number);
    if (kind !== "acknowledged") throw new Error(`write ${number} of the demo is ${kind}`);
    process.send?.(number);
  }
});
