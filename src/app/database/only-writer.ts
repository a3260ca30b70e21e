import { systemClock } from "../../adapters/host/index.ts";
import { BridgeError } from "../../base/errors.ts";
import { type LeaseHolder, takeLease } from "../../bridges/database/index.ts";
import type { LeaseAnswer } from "../../ports/record-store.ts";
import type { Pair } from "./pair.ts";

interface OnlyWriter {
  /** Whether another process has become the writer, because this one was suspended for too long. */
  isLost(): boolean;
  end(): Promise<void>;
}

/**
 * Makes this process the only one that writes records. Throws REFUSED while another process is the writer.
 */
export async function onlyWriter({ legacy, modern }: Pair, lease: LeaseHolder): Promise<OnlyWriter> {
  const take = (): Promise<LeaseAnswer> => takeLease(legacy, "writer", { clock: systemClock, lease });
  let last: LeaseAnswer | undefined;
  try {
    last = await take();
    if (last.kind === "taken")
      throw new BridgeError("REFUSED", {
        what: `another process writes to these databases: ${last.holder}`,
        fix: "end it first: with database.bridge_tables: beside, one process alone may write",
      });
  } catch (failure) {
    await Promise.all([legacy.close(), modern.close()]);
    throw failure;
  }
  const stop = systemClock.every(lease.lastsMs / 3, () => {
    take().then(
      (answer) => {
        last = answer;
      },
      // If legacy is locked or cannot be written, no other process can take the lease either.
      () => {},
    );
  });
  return {
    isLost: () => last?.kind === "taken",
    end: async () => {
      stop();
      await legacy.call("release", { name: "writer", holder: lease.name }).catch(() => {});
    },
  };
}
