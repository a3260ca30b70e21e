/**
 * The commands of an operator that change the plan, and the sign-off of a gate. Each carries the epoch that
 * the person saw, except a lower percentage and a change of a list towards legacy.
 */
import { useEffect, useState } from "react";
import { ApiError, asApiError, post, request } from "./api.ts";
import { Command } from "./command.tsx";
import { Fact, Facts, State } from "./panel.tsx";
import { type Gates, type Migration, type Move, type Phase, phases, type Traffic } from "./wire.ts";

/** Moves to the next phase, to the one before, or takes modern back into use in the present one. */
export function PhaseMoves({ now }: { readonly now: Migration }) {
  const at = phases.indexOf(now.phase);
  const [next, before] = [phases[at + 1], phases[at - 1]];
  return (
    <div className="actions">
      {now.outOfUse !== null && (
        <PhaseMove
          {...{ target: now.phase, tone: "forward" }}
          label={`Take modern back into use in ${now.phase} …`}
        />
      )}
      {now.outOfUse === null && next !== undefined && (
        <PhaseMove {...{ target: next, tone: "forward" }} label={`Advance to ${next} …`} />
      )}
      {before !== undefined && (
        <PhaseMove {...{ target: before, tone: "back" }} label={`Move back to ${before} …`} />
      )}
    </div>
  );
}

interface PhaseMoveProps {
  readonly target: Phase;
  readonly tone: "forward" | "back";
  readonly label: string;
}

const PhaseMove = ({ target, tone, label }: PhaseMoveProps) => (
  <Command<Move>
    {...{ label, tone }}
    title={label.replace(" …", "?")}
    {...(tone === "forward" ? { mustType: target } : { reason: `moved back to ${target} on the page` })}
    send={({ reason, epoch }) => post("migration/phase", { move: "set", phase: target, reason, epoch })}
    done={({ epoch }) => (
      <p>
        <State tone="good">done</State> The phase is {target} in epoch {epoch}.
      </p>
    )}
  >
    <DryRun target={target} />
  </Command>
);

/** Shows the gateway's dry run of a move. */
function DryRun({ target }: { readonly target: Phase }) {
  const [found, setFound] = useState<Move | ApiError>();
  useEffect(() => {
    const body = { move: "set", phase: target, reason: "a dry run on the page", dryRun: true };
    post<Move>("migration/phase", body).then(setFound, (failure) => setFound(asApiError(failure)));
  }, [target]);
  if (found === undefined) return <p>The gateway checks the move …</p>;
  if (found instanceof ApiError)
    return (
      <p>
        <State tone="bad">not possible now</State> {found.message}
        {found.fix !== undefined && <> What to do: {found.fix}</>}
      </p>
    );
  const changes = Object.entries(found.set);
  return (
    <>
      {found.gates !== undefined && <GateList gates={found.gates} />}
      <h3>What will change</h3>
      {changes.length === 0 ? (
        <p>Nothing.</p>
      ) : (
        <Facts>
          {changes.map(([name, value]) => (
            <Fact key={name} name={name}>
              {typeof value === "object" && value !== null ? JSON.stringify(value) : String(value)}
            </Fact>
          ))}
        </Facts>
      )}
    </>
  );
}

/** The gates before a phase as lines: which are closed, and what is missing. */
const GateList = ({ gates: { target, open, gates } }: { readonly gates: Gates }) => (
  <>
    <p>
      <State tone={open ? "good" : "bad"}>
        {open ? `all gates before ${target} are open` : `gates before ${target} are closed`}
      </State>
    </p>
    <ul className="plain">
      {gates
        .filter((gate) => !gate.open)
        .map(({ name, why }) => (
          <li key={name}>
            <State tone="bad">{name}</State> {why}
          </li>
        ))}
    </ul>
  </>
);

const trafficDone = ({ epoch, answers }: Traffic) => (
  <p>
    <State tone="good">done</State> Epoch {epoch}: {answers}.
  </p>
);

/** Sets the percentage at once. A lower percentage is accepted at any epoch. */
export const SetTraffic = ({ now }: { readonly now: Migration }) => (
  <Command<Traffic>
    label="Set traffic …"
    title="Set the share of modern"
    send={({ reason, fields, epoch }) => {
      const percentage = Number(fields.get("percentage"));
      const isUp = percentage > now.plan.newSystemPercentage;
      return request("migration/traffic", {
        method: "PUT",
        body: { percentage, reason, ...(isUp && { epoch }) },
      });
    }}
    done={trafficDone}
  >
    <p>Setting the share ends a ramp that is under way.</p>
    <label>
      Percent of the books or users that modern answers
      <input
        {...{ name: "percentage", type: "number", min: 0, max: 100, step: 0.001, required: true }}
        defaultValue={now.plan.newSystemPercentage}
      />
    </label>
  </Command>
);

/** Changes the percentage in steps, up or down. */
export const StartRamp = () => (
  <Command<Traffic>
    label="Start a ramp …"
    title="Change the share of modern in steps"
    send={({ reason, fields, epoch }) =>
      request("migration/traffic", {
        method: "PUT",
        body: {
          steps: String(fields.get("steps"))
            .split(/[\s,;]+/)
            .filter((text) => text !== "")
            .map(Number),
          dwellMs: Math.round(Number(fields.get("minutes")) * 60_000),
          endsIn: fields.get("endsIn"),
          reason,
          epoch,
        },
      })
    }
    done={trafficDone}
  >
    <label>
      Percentages, in their order
      <input name="steps" required defaultValue="10, 25, 50, 100" />
    </label>
    <label>
      Minutes between two steps
      <input
        {...{ name: "minutes", type: "number", min: 0.02, step: "any", required: true }}
        defaultValue={60}
      />
    </label>
    <label>
      After the last step
      <select name="endsIn" defaultValue="stay">
        <option value="stay">the percentage stays</option>
        <option value="rollback">roll back to legacy</option>
      </select>
    </label>
  </Command>
);

type List = "whitelist" | "denylist";
interface ListAnswer {
  readonly changed: boolean;
}
const listDone = ({ changed }: ListAnswer) => (
  <p>
    <State tone="good">done</State> {changed ? "The list has changed." : "The list is as it was."}
  </p>
);
const changeList = (
  list: List,
  method: "PUT" | "DELETE",
  user: string,
  body: { readonly reason: string; readonly epoch?: number | undefined },
): Promise<ListAnswer> => request(`migration/${list}/${encodeURIComponent(user)}`, { method, body });

/** Whether a change of a list is towards modern. A change towards legacy is accepted at any epoch. */
const isForward = (list: List, method: "PUT" | "DELETE"): boolean =>
  (list === "whitelist") === (method === "PUT");

/** The users of a list, each with the command that removes it, and the command that adds one. */
export const UserList = ({ list, users }: { readonly list: List; readonly users: readonly string[] }) => (
  <span className="user-list">
    {users.length === 0 && "none"}
    {users.map((user) => (
      <span key={user} className="user">
        {user}{" "}
        <Command<ListAnswer>
          label={`Remove ${user} …`}
          title={`Remove ${user} from the ${list}?`}
          tone={isForward(list, "DELETE") ? "forward" : "back"}
          send={({ reason, epoch }) =>
            changeList(list, "DELETE", user, { reason, ...(isForward(list, "DELETE") && { epoch }) })
          }
          done={listDone}
        />
      </span>
    ))}{" "}
    <Command<ListAnswer>
      label={`Add to the ${list} …`}
      title={`Add a user to the ${list}`}
      tone={isForward(list, "PUT") ? "forward" : "back"}
      send={({ reason, fields, epoch }) =>
        changeList(list, "PUT", String(fields.get("user")), {
          reason,
          ...(isForward(list, "PUT") && { epoch }),
        })
      }
      done={listDone}
    >
      <label>
        User
        <input name="user" required maxLength={200} autoComplete="off" />
      </label>
    </Command>
  </span>
);

/** A person's approval of a gate. */
export const SignOff = ({ gate, target }: { readonly gate: string; readonly target: Phase }) => (
  <Command<{ readonly phase: Phase; readonly actor: string }>
    label={`Sign off ${gate} …`}
    title={`Approve the move to ${target}`}
    send={({ reason, epoch }) =>
      post(`gates/${encodeURIComponent(gate)}/sign-off`, { note: reason, phase: target, epoch })
    }
    done={({ phase, actor }) => (
      <p>
        <State tone="good">done</State> {actor} approves {phase}.
      </p>
    )}
  >
    <p>The audit keeps your approval with your name.</p>
  </Command>
);
