/** The process of one reconciliation: it receives the request as a message, sends the answer, and ends. */
import { BridgeError, messageOf } from "../../base/errors.ts";
import { type ReconcileSettings, reconcilePair, recordReconcile } from "./reconcile.ts";
import type { ApartAnswer, ApartAsked } from "./reconcile-apart.ts";

process.once("message", async ({ settings, asked }: { settings: ReconcileSettings; asked: ApartAsked }) => {
  const answer = await answerTo(settings, asked);
  process.send?.(answer, () => process.disconnect());
});

async function answerTo(settings: ReconcileSettings, asked: ApartAsked): Promise<ApartAnswer> {
  try {
    const report = await reconcilePair(settings, asked);
    const { kinds, from, to } = asked;
    if (kinds === undefined && from === undefined && to === undefined)
      await recordReconcile(settings, report);
    return { report };
  } catch (error) {
    return {
      failure: error instanceof BridgeError ? error.document : { code: "INTERNAL", what: messageOf(error) },
    };
  }
}
