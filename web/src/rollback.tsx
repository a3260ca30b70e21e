/**
 * The way back to legacy. Its button is in the header of every view for each caller who may change the plan,
 * and is never disabled.
 */
import { useState } from "react";
import { ApiError, request } from "./api.ts";
import { Command } from "./command.tsx";
import { connect, disconnect } from "./live/connection.ts";
import { migration } from "./live/migration.ts";
import { State } from "./panel.tsx";
import { useStore } from "./store.ts";
import type { Migration, RollbackAnswer } from "./wire.ts";

const reasonDefault = "rolled back on the page";
/** How long the page waits for an answer before it sends the rollback again. */
const answerMsMax = 2_000;
/** How long the gateway waits for the fleet before it answers; the dialog then follows the fleet itself. */
const waitMs = 1_000;

export function Rollback() {
  const [attempts, setAttempts] = useState(0);
  const [reason, setReason] = useState(reasonDefault);
  return (
    <Command<RollbackAnswer>
      label="Roll back to legacy"
      title="Roll back to legacy?"
      tone="back"
      shortcut="R"
      reason={reasonDefault}
      send={async (given) => {
        setReason(given.reason);
        return rollBack(given, setAttempts).finally(() => setAttempts(0));
      }}
      sending={attempts > 0 && <Unconfirmed attempts={attempts} reason={reason} />}
      done={(answer) => <Done answer={answer} />}
    >
      <p>
        Legacy answers every call that begins from now on. No gate is asked, and the epoch does not matter.
      </p>
      <Owed />
    </Command>
  );
}

/**
 * Sends the rollback until the gateway answers, each time under the same key, so that it happens once. After
 * the first silence the event stream of this tab is closed and opened anew, because a browser keeps few
 * connections to one gateway.
 */
async function rollBack(
  { reason, key }: { readonly reason: string; readonly key: string },
  onAttempt: (attempts: number) => void,
): Promise<RollbackAnswer> {
  for (let attempts = 1; ; attempts++) {
    try {
      return await request<RollbackAnswer>("migration/rollback", {
        method: "POST",
        body: { reason, waitMs },
        headers: { "idempotency-key": key },
        deadlineMs: answerMsMax,
      });
    } catch (failure) {
      // A refusal is an answer. Silence is not: nobody knows whether the rollback has happened.
      if (!(failure instanceof ApiError) || (failure.status !== 0 && failure.status < 500)) throw failure;
      onAttempt(attempts);
      if (attempts === 1) {
        disconnect();
        connect();
      }
      if (failure.code !== "TIMEOUT") await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}

/** Shows a person who cannot wait how to do the same rollback without this gateway. */
function Unconfirmed({ attempts, reason }: { readonly attempts: number; readonly reason: string }) {
  const store = useStore(migration.store).answer?.store;
  return (
    <div role="alert" className="refusal">
      <p>
        <strong>Sent {attempts === 1 ? "once" : `${attempts} times`}, unconfirmed.</strong> The gateway has
        not confirmed the rollback. The page sends it again, and it happens only once. If you cannot wait, do
        the same without this gateway:
      </p>
      <pre>{`pnl-bridge rollback --reason ${shellText(reason)}${store === undefined ? "" : ` --store ${shellText(store)}`}`}</pre>
      <p>or, in a SQL shell on {store === undefined ? "the control store" : <code>{store}</code>}:</p>
      <pre>UPDATE config SET use_new_pnl_system = false;</pre>
    </div>
  );
}

/** A text as one word of a shell. */
const shellText = (text: string): string =>
  /^[\w./:@=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;

function Owed() {
  const { answer } = useStore(migration.store);
  if (answer === undefined) return null;
  const { possible, why } = answer.rollback;
  return (
    <p>
      <State tone={possible ? "good" : "warn"}>
        {possible ? "a rollback is possible" : "a rollback is impossible or uncertain"}
      </State>
      : {why}
    </p>
  );
}

function Done({ answer }: { readonly answer: RollbackAnswer }) {
  const { answer: now } = useStore(migration.store);
  if (answer.via === "switch_file")
    return (
      <p>
        <State tone="warn">switch file set</State> The control store cannot be written ({answer.why}). Legacy
        answers in every process whose own files are in the folder of <code>{answer.path}</code>.
      </p>
    );
  const { epoch, committedMs, owedToLegacy, why } = answer;
  return (
    <>
      <p>
        <State tone="good">rolled back</State> Legacy answers every call since epoch {epoch}, committed in{" "}
        {Math.round(committedMs)} ms.
      </p>
      <Acknowledged epoch={epoch} instances={now?.instances ?? []} />
      <p>{owedToLegacy === 0 ? "Nothing is owed to legacy." : why}</p>
    </>
  );
}

/** Which processes follow an epoch, and in which of them calls of an older epoch still run. */
function Acknowledged({
  epoch,
  instances,
}: {
  readonly epoch: number;
  readonly instances: Migration["instances"];
}) {
  const live = instances.filter(({ state }) => state !== "gone");
  const following = live.filter(({ seenEpoch }) => seenEpoch >= epoch);
  return (
    <>
      <p>
        {following.length} of {live.length} live {live.length === 1 ? "process" : "processes"} acknowledged:
      </p>
      <ul className="plain">
        {live.map(({ name, seenEpoch, drainedEpoch }, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: processes of two machines may have one name
          <li key={`${name} ${index}`}>
            <State tone={seenEpoch >= epoch ? "good" : "warn"}>
              {name}{" "}
              {seenEpoch < epoch
                ? "does not follow yet"
                : drainedEpoch < epoch
                  ? "follows, older calls end"
                  : "follows"}
            </State>
          </li>
        ))}
      </ul>
    </>
  );
}
