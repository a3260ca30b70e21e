/**
 * The head of every view: the system that answers, the plan, the time since the gateway's last event, and the
 * way back.
 */
import { clockErrorMs, useTick } from "./clock.ts";
import { connectionStore, reconnect, silentMs } from "./live/connection.ts";
import { screenStore } from "./live/screen.ts";
import { Rollback } from "./rollback.tsx";
import { addressOf, routeStore, type ViewName } from "./route.ts";
import { signOut } from "./session.ts";
import { Fact, Source } from "./source.tsx";
import { useStore } from "./store.ts";
import { ageText, deskTime } from "./times.ts";
import type { Session } from "./wire.ts";

const titles: Readonly<Record<ViewName, string>> = {
  pnl: "P&L",
  migration: "Migration",
  differences: "Differences",
  files: "Files and data",
  health: "Health",
};
const views = Object.entries(titles) as [ViewName, string][];

export function Header({ session }: { readonly session: Session }) {
  const { answer } = useStore(screenStore);
  const { view } = useStore(routeStore);
  return (
    <header className="top">
      <div className="bar">
        <strong className="product">pnl-bridge</strong>
        <dl className="facts">
          <Fact name="Source">
            {answer === undefined ? "–" : <Source source={answer.source} fellBack={answer.fellBack} />}
          </Fact>
          <Fact name="Phase">{session.phase}</Fact>
          <Fact name="Epoch">{session.epoch}</Fact>
          <Fact name="Connection">
            <ConnectionAge />
          </Fact>
          <Fact name="You">
            {session.name === session.role ? session.name : `${session.name} (${session.role})`}
          </Fact>
        </dl>
        <div className="actions">
          {session.hasToken && (
            <button type="button" onClick={() => signOut()}>
              Sign out
            </button>
          )}
          <Rollback />
        </div>
      </div>
      <nav aria-label="Views">
        {views.map(([name, title]) => (
          <a key={name} href={addressOf(name)} aria-current={name === view ? "page" : undefined}>
            {title}
          </a>
        ))}
      </nav>
      <ConnectionBanner />
    </header>
  );
}

function ConnectionAge() {
  useTick();
  const { link, gaps } = useStore(connectionStore);
  const age = silentMs();
  return (
    <span
      className={`link ${link.state}`}
      data-state={link.state}
      data-gaps={gaps}
      title={
        gaps === 0
          ? undefined
          : `times that events were missing: ${gaps}; after each the page asked for the state again`
      }
    >
      {link.state}
      {age !== undefined && <small> {ageText(age)}</small>}
    </span>
  );
}

/** Says since when there is no connection and why, with a button that tries again. */
function ConnectionBanner() {
  const { link, lostAtMs } = useStore(connectionStore);
  const errorMs = clockErrorMs();
  if (lostAtMs !== undefined)
    return (
      <div role="alert" className="banner">
        <strong>
          {link.state === "waking" ? "This computer slept." : `No connection since ${deskTime(lostAtMs)}.`}
        </strong>{" "}
        {"why" in link ? `${link.why}. The figures below are old.` : "The page is connecting again."}{" "}
        {link.state === "lost" && (
          <button type="button" onClick={reconnect}>
            Connect now
          </button>
        )}
      </div>
    );
  if (Math.abs(errorMs) > clockErrorMsMax)
    return (
      <div role="status" className="note">
        This computer’s clock is {ageText(Math.abs(errorMs))} {errorMs > 0 ? "ahead of" : "behind"} the
        gateway’s. Times and ages on this page are the gateway’s.
      </div>
    );
  return null;
}

const clockErrorMsMax = 5_000;
