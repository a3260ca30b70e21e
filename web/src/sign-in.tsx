import { useId } from "react";
import { signIn } from "./session.ts";

/** Asks for a token. Nothing on this page puts it into an address, and it ends with the tab. */
export function SignIn({ why }: { readonly why: string | undefined }) {
  const id = useId();
  return (
    <main className="sign-in">
      <h1>pnl-bridge</h1>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          const token = new FormData(event.currentTarget).get("token");
          if (typeof token === "string" && token.trim() !== "") signIn(token.trim());
        }}
      >
        <label htmlFor={id}>
          Your token
          {/* biome-ignore lint/a11y/noAutofocus: the token is the only thing to enter */}
          <input id={id} name="token" type="password" autoComplete="off" autoFocus required />
        </label>
        <button type="submit">Sign in</button>
        {why !== undefined && (
          <p role="alert" className="refusal">
            {why}
          </p>
        )}
        <p className="soft">The token is kept for this tab only, and is sent to this gateway only.</p>
      </form>
    </main>
  );
}
