/** The page: signs in, holds the connection, and shows one of its views below the header. */
import { Component, type ReactNode, useCallback, useEffect } from "react";
import { ApiError, request } from "./api.ts";
import { Header } from "./header.tsx";
import { connect, connectionStore, disconnect, useEvent } from "./live/connection.ts";
import { startSampling } from "./live/metrics.ts";
import { migration } from "./live/migration.ts";
import { hideScreen, showBook } from "./live/screen.ts";
import { routeStore, type ViewName } from "./route.ts";
import { sessionStore, sessionToken } from "./session.ts";
import { SignIn } from "./sign-in.tsx";
import { useStore } from "./store.ts";
import { DifferencesView } from "./views/differences.tsx";
import { FilesView } from "./views/files.tsx";
import { HealthView } from "./views/health.tsx";
import { MigrationView } from "./views/migration.tsx";
import { PnlView } from "./views/pnl.tsx";
import type { Session } from "./wire.ts";

const views: Readonly<Record<ViewName, () => React.ReactNode>> = {
  pnl: PnlView,
  migration: MigrationView,
  differences: DifferencesView,
  files: FilesView,
  health: HealthView,
};

export function App() {
  const current = useStore(sessionStore);
  const { state } = current;
  useEffect(() => {
    if (state === "asking") void askSession();
  }, [state]);
  switch (state) {
    case "asking":
      return <p className="starting">Connecting to the gateway …</p>;
    case "signed-out":
      return <SignIn why={current.why} />;
    case "unreachable":
      return (
        <main className="sign-in">
          <h1>pnl-bridge</h1>
          <p role="alert" className="refusal">
            {current.why}
          </p>
          <button type="button" onClick={() => void askSession()}>
            Try again
          </button>
        </main>
      );
    case "signed-in":
      return <SignedIn session={current.session} />;
  }
}

function SignedIn({ session }: { readonly session: Session }) {
  const { view, query } = useStore(routeStore);
  const { lostAtMs } = useStore(connectionStore);
  useEffect(() => {
    connect();
    return () => {
      disconnect();
      hideScreen();
    };
  }, []);
  const book = query.get("book") ?? undefined;
  const isCompared = session.mayCompare && query.get("compare") !== "no";
  useEffect(() => showBook(book, isCompared), [book, isCompared]);
  const again = useCallback(() => void askSession(), []);
  useEvent("plan", again);
  useEvent("resync", again);
  useEffect(() => migration.start(), []);
  useEffect(() => startSampling(), []);
  const View = views[view];
  return (
    <>
      <Header session={session} />
      <main className={lostAtMs === undefined ? undefined : "old"}>
        <Contained key={view}>
          <View />
        </Contained>
      </main>
    </>
  );
}

/** Shows an error of a view in its place, so that the header with the way back to legacy stays. */
class Contained extends Component<{ readonly children: ReactNode }, { readonly failure: unknown }> {
  override state = { failure: undefined };

  static getDerivedStateFromError(failure: unknown) {
    return { failure };
  }

  override render() {
    const { failure } = this.state;
    if (failure === undefined) return this.props.children;
    return (
      <p role="alert" className="refusal">
        not available – this view has a fault: {String(failure)}. The other views and the way back work.
      </p>
    );
  }
}

/**
 * Asks who the holder of the token is, and under which plan the gateway works. An answer that arrives after
 * the token has changed is not about this session, and changes nothing.
 */
async function askSession(): Promise<void> {
  const token = sessionToken();
  try {
    const session = await request<Session>("session");
    if (token === sessionToken()) sessionStore.set({ state: "signed-in", session });
  } catch (failure) {
    if (!(failure instanceof ApiError) || failure.status === 401 || token !== sessionToken()) return;
    // A session that has begun continues, and the banner reports the lost connection.
    if (sessionStore.get().state !== "signed-in")
      sessionStore.set({ state: "unreachable", why: failure.message });
  }
}
