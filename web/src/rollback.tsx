/** The way back to legacy, which stands in the header of every view and is never disabled. */
import { request } from "./api.ts";
import { Command } from "./command.tsx";

interface RollbackAnswer {
  readonly via: "store" | "switch_file";
  readonly epoch?: number;
}

export const Rollback = () => (
  <Command<RollbackAnswer>
    label="Roll back to legacy"
    title="Roll back to legacy?"
    tone="back"
    reason="rolled back on the page"
    send={({ reason, key }) =>
      request("migration/rollback", {
        method: "POST",
        body: { reason },
        headers: { "idempotency-key": key },
      })
    }
    done={({ via, epoch }) => (
      <p>{via === "store" ? `Legacy answers every call since epoch ${epoch}.` : "The switch file is set."}</p>
    )}
  >
    <p>Legacy answers every call at once. No gate is asked.</p>
  </Command>
);
