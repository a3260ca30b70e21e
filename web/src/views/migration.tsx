/** The view `Migration`: where the migration is, what the next phase lacks, and the commands that move it. */
import { Audit } from "../audit.tsx";
import { serverNowMs, useTick } from "../clock.ts";
import { PhaseMoves, SetTraffic, SignOff, StartRamp, UserList } from "../commands.tsx";
import { mebibytes } from "../figures.ts";
import { sampleBefore, samplesStore } from "../live/metrics.ts";
import { migration } from "../live/migration.ts";
import { type Asked, useQuestion } from "../live/question.ts";
import { Fact, Facts, Panel, State, Table, type Tone } from "../panel.tsx";
import { useStore } from "../store.ts";
import { ageText, deskTime } from "../times.ts";
import { type DatabaseStatus, type Migration, phases } from "../wire.ts";

export function MigrationView() {
  const asked = useStore(migration.store);
  const { answer: now } = asked;
  return (
    <section>
      <h1>Migration</h1>
      {now === undefined ? (
        <Panel title="Phase" asked={asked} />
      ) : (
        <>
          <PhasePanel now={now} asked={asked} />
          <div className="columns">
            <GatesPanel now={now} />
            <TrafficPanel now={now} />
            <WayBackPanel now={now} />
            <FleetPanel now={now} />
          </div>
          <Audit />
        </>
      )}
    </section>
  );
}

interface Shown {
  readonly now: Migration;
}

function PhasePanel({ now, asked }: Shown & { readonly asked: Asked<unknown> }) {
  const { phase, epoch, updatedAt, updatedBy, outOfUse, answers, held, plan, from, unreadable, switchFile } =
    now;
  const at = phases.indexOf(phase);
  return (
    <Panel title="Phase" asked={asked} actions={<PhaseMoves now={now} />}>
      <ol className="phases" aria-label="Phases">
        {phases.map((name, index) => (
          <li
            key={name}
            className={index < at ? "past" : ""}
            aria-current={index === at ? "step" : undefined}
          >
            {name}
            <small>{index < at ? "done" : index === at ? "now" : index === at + 1 ? "next" : "later"}</small>
          </li>
        ))}
      </ol>
      <Facts>
        <Fact name="Modern" tone={outOfUse === null ? "good" : "bad"}>
          {outOfUse === null ? "in use" : `out of use: ${outOfUse}`}
        </Fact>
        <Fact name="Who answers">{answers}</Fact>
        <Fact name="Epoch">
          {epoch}, since {deskTime(Date.parse(updatedAt), "full")}
          {updatedBy !== "" && ` by ${updatedBy}`}
        </Fact>
        <Fact name="Flags">
          {Object.entries(plan.flags).map(([name, isSet]) => (
            <span key={name} className="user">
              <State tone={isSet ? "good" : "off"}>{isSet ? name : `no ${name}`}</State>
            </span>
          ))}
        </Fact>
        <Fact name="Writes">
          {plan.migrationMode} ({from.migrationMode}), the window to legacy is {plan.legacyWindow}
        </Fact>
        <LastReport report={now.lastReport} />
        {held.map(({ value, asked: wanted, why }) => (
          <Fact key={value} name={`Held: ${value}`} tone="warn">
            {wanted}: {why}
          </Fact>
        ))}
        {switchFile !== null && (
          <Fact name="Switch file" tone="bad">
            {switchFile} is set
          </Fact>
        )}
        {unreadable !== null && (
          <Fact name="Published section" tone="bad">
            {unreadable}
          </Fact>
        )}
      </Facts>
    </Panel>
  );
}

const reportTones = { accepted: "good", "not accepted": "bad", "not compared": "warn" } as const;

/** The two daily reports of the last compared trading day. */
function LastReport({ report }: { readonly report: Migration["lastReport"] }) {
  if (report === null)
    return <Fact name="Daily reports">no closed day was compared, or the evidence cannot be read</Fact>;
  const { date, state, because, counts, failedTotals = [] } = report;
  const found = [...Object.entries(counts ?? {}).map(([name, count]) => `${count} ${name}`), ...failedTotals];
  return (
    <Fact name="Daily reports" tone={reportTones[state]}>
      {date}, {state}: {because}
      {counts !== undefined && `; ${found.length === 0 ? "no difference" : found.join(", ")}`}
    </Fact>
  );
}

type Gate = NonNullable<Shown["now"]["gates"]>["gates"][number];
type GateState = Gate["state"] | "waived";

/** A gate that lets the move pass without being open is waived by two people. */
const stateOf = ({ open, state }: Gate): GateState => (open && state !== "open" ? "waived" : state);
const gateTones = { open: "good", closed: "bad", inconclusive: "warn", waived: "warn" } as const;

function GatesPanel({ now: { gates } }: Shown) {
  if (gates === null)
    return (
      <Panel title="Gates">
        <p>There is no later phase.</p>
      </Panel>
    );
  const count = (wanted: GateState): number => gates.gates.filter((gate) => stateOf(gate) === wanted).length;
  const shut = (["closed", "inconclusive"] as const).flatMap((state) =>
    count(state) === 0 ? [] : [`${count(state)} ${state}`],
  );
  return (
    <Panel title={`Gates before ${gates.target}`}>
      <p>
        <State tone={gates.open ? "good" : "bad"}>
          {gates.open ? "all open" : `${shut.join(", ")} of ${gates.gates.length}`}
        </State>{" "}
        {gates.profile === "trial" ? (
          <State tone="warn">profile trial: only the gates that need no evidence</State>
        ) : (
          gates.attempt !== null && (
            <small>
              attempt {gates.attempt}, evidence of the key {gates.key}
            </small>
          )
        )}
      </p>
      {gates.unseen?.map((text) => (
        <p key={text}>
          <small>{text}</small>
        </p>
      ))}
      <Table
        label={`Table of the gates before ${gates.target}`}
        head={["Gate", "State", "What it found, or what is missing"]}
        rows={gates.gates}
        keyOf={({ name }) => name}
        empty="No gate applies."
      >
        {(gate) => (
          <>
            <th scope="row" title={gate.title}>
              {gate.name}
            </th>
            <td>
              <State tone={gateTones[stateOf(gate)]}>{stateOf(gate)}</State>
            </td>
            <td>
              {gate.why}{" "}
              {gate.name === "approved" && !gate.open && <SignOff gate={gate.name} target={gates.target} />}
            </td>
          </>
        )}
      </Table>
    </Panel>
  );
}

const servedMs = 60_000;

/** The share of this gateway's calls that modern has answered in the last minute. */
function useServed(): string {
  const samples = useStore(samplesStore);
  const [before, now] = [sampleBefore(samples, servedMs), samples.at(-1)];
  if (before === undefined || now === undefined || before === now) return "not known yet";
  const modern = now.answered.modern - before.answered.modern;
  const all = modern + now.answered.legacy - before.answered.legacy;
  if (all === 0) return "no calls";
  // The share is cut and not rounded, so that 99.99 % is never shown as 100 %.
  return `${(Math.floor((modern / all) * 1_000) / 10).toFixed(1)} % (${modern} of ${all} calls)`;
}

function TrafficPanel({ now }: Shown) {
  const { plan, from, ramp } = now;
  useTick();
  const served = useServed();
  return (
    <Panel
      title="Traffic"
      actions={
        <>
          <SetTraffic now={now} />
          <StartRamp />
        </>
      }
    >
      <Facts>
        <Fact name="Requested for modern">
          {plan.newSystemPercentage} % ({from.newSystemPercentage})
        </Fact>
        <Fact name="Served by modern, last minute">{served}</Fact>
        <Fact name="Ramp">
          {ramp === null ? (
            "none"
          ) : (
            <>
              then {ramp.steps.map((step) => `${step} %`).join(", ")}
              {ramp.endsIn === "rollback" && ", then the rollback"}; the next step {dueText(ramp.nextAt)}; by{" "}
              {ramp.actor}: {ramp.reason}
            </>
          )}
        </Fact>
        <Fact name="Always modern">
          <UserList list="whitelist" users={plan.userWhitelist} />
        </Fact>
        <Fact name="Always legacy">
          <UserList list="denylist" users={plan.userDenylist} />
        </Fact>
      </Facts>
    </Panel>
  );
}

function dueText(nextAt: string): string {
  const leftMs = Date.parse(nextAt) - serverNowMs();
  return leftMs <= 0 ? "is due" : `in ${ageText(leftMs)}, at ${deskTime(Date.parse(nextAt))}`;
}

/** The events after which the state of both databases is asked for. */
export const databaseEvents = { on: ["owed", "database", "plan", "resync"], everyMs: 5_000 } as const;

/** Whether a way back exists, and which writes the other side lacks. */
function WayBackPanel({ now: { rollback } }: Shown) {
  const database = useQuestion<DatabaseStatus>("database", databaseEvents);
  const { answer } = database;
  const isAbsent = database.failure?.status === 409;
  return (
    <Panel title="Can we go back?" {...(!isAbsent && { asked: database })}>
      <Facts>
        <Fact name="Rollback" tone={rollback.possible ? "good" : "bad"}>
          {rollback.why}
        </Fact>
        {isAbsent && <Fact name="Databases">none are configured</Fact>}
        {answer !== undefined && (
          <>
            <Fact name="Databases" tone={answer.canGoBack.now ? "good" : "bad"}>
              {answer.canGoBack.why}
            </Fact>
            <Owed name="Owed to legacy" owed={answer.owed.toLegacy} />
            <Owed name="Owed to modern" owed={answer.owed.toModern} />
          </>
        )}
      </Facts>
    </Panel>
  );
}

interface OwedProps {
  readonly name: string;
  /** Null if it is not known. */
  readonly owed: { readonly count: number; readonly oldestMs: number } | null;
}

/** Writes that one side lacks. */
export const Owed = ({ name, owed }: OwedProps) =>
  owed?.count === 0 ? (
    <Fact name={name}>nothing</Fact>
  ) : (
    <Fact name={name} tone="warn">
      {owed === null ? "not known" : `${owed.count}, the oldest for ${ageText(owed.oldestMs)}`}
    </Fact>
  );

const tones: Readonly<Record<Migration["instances"][number]["state"], Tone>> = {
  live: "good",
  behind: "warn",
  gone: "off",
};

const FleetPanel = ({ now: { instances, epoch } }: Shown) => (
  <Panel title="Fleet">
    <Table
      label="Processes"
      head={["Process", "State", "Follows epoch", "Drained", "Heartbeat", "Memory"]}
      rows={instances}
      // Processes of two machines may have one name.
      keyOf={({ name }, index) => `${name} ${index}`}
      empty="No process has reported yet."
    >
      {({ name, state, seenEpoch, drainedEpoch, ageMs, report }) => (
        <>
          <th scope="row">{name}</th>
          <td>
            <State tone={tones[state]}>{state}</State>
          </td>
          <td>
            {seenEpoch} of {epoch}
          </td>
          <td>{drainedEpoch}</td>
          <td>{ageText(ageMs)} ago</td>
          <td>{memoryText(report)}</td>
        </>
      )}
    </Table>
  </Panel>
);

function memoryText(report: unknown): string {
  const bytes =
    typeof report === "object" && report !== null && "memory" in report ? report.memory : undefined;
  return typeof bytes === "number" ? `${Math.round(mebibytes(bytes))} MiB` : "–";
}
