/** The person who uses this tab. The token stays in this tab's session storage and ends with the tab. */
import { createStore } from "./store.ts";
import type { Session } from "./wire.ts";

export type SessionState =
  | { readonly state: "asking" }
  | { readonly state: "signed-out"; readonly why: string | undefined }
  | { readonly state: "unreachable"; readonly why: string }
  | { readonly state: "signed-in"; readonly session: Session };

export const sessionStore = createStore<SessionState>({ state: "asking" });

const key = "pnl-bridge token";

export const sessionToken = (): string | undefined => sessionStorage.getItem(key) ?? undefined;

/** Keeps a token for this tab, and asks the gateway who its holder is. */
export function signIn(token: string): void {
  sessionStorage.setItem(key, token);
  sessionStore.set({ state: "asking" });
}

/** Forgets the token. `why` is shown beside the sign-in. */
export function signOut(why?: string): void {
  sessionStorage.removeItem(key);
  sessionStore.set({ state: "signed-out", why });
}
