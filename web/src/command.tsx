/**
 * A command of an operator: a button that opens a dialog, which sends the command and shows its outcome.
 * Viewers have no commands: `Command` shows nothing to a caller who may not change the plan.
 */
import { type ReactNode, useEffect, useId, useRef, useState } from "react";
import { type ApiError, asApiError } from "./api.ts";
import { ChangesSince } from "./audit.tsx";
import { migration } from "./live/migration.ts";
import { sessionStore } from "./session.ts";
import { useStore } from "./store.ts";

interface Given {
  /** The reason that the person typed. The audit keeps it. */
  readonly reason: string;
  /** An idempotency key: the same for all attempts of one opened dialog. */
  readonly key: string;
  /** The other fields of the dialog. */
  readonly fields: FormData;
  /** The epoch of the plan that was shown when the dialog opened; undefined if none was known. */
  readonly epoch: number | undefined;
}

export interface CommandProps<Answer> {
  /** The text of the button. */
  readonly label: string;
  /** The question of the dialog. */
  readonly title: string;
  /** A text that says what the command does, and the command's own fields. */
  readonly children?: ReactNode;
  /** The reason that the dialog shows when it opens. */
  readonly reason?: string;
  /** A text that the person must type before the command can be sent, such as the name of a phase. */
  readonly mustType?: string;
  /** Commands towards legacy look different from forward moves. */
  readonly tone?: "back" | "forward";
  /** The letter that opens the dialog together with Alt, wherever the focus is. */
  readonly shortcut?: string;
  readonly send: (given: Given) => Promise<Answer>;
  /** The part that the dialog shows below the form while the command is under way. */
  readonly sending?: ReactNode;
  /** The part that the dialog shows after the command has succeeded. */
  readonly done: (answer: Answer) => ReactNode;
}

type Outcome<Answer> =
  | { readonly state: "asking" }
  | { readonly state: "sending" }
  | { readonly state: "done"; readonly answer: Answer }
  | { readonly state: "failed"; readonly failure: ApiError };

export function Command<Answer>(props: CommandProps<Answer>) {
  const current = useStore(sessionStore);
  const dialog = useRef<HTMLDialogElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  /** Grows with each opening, so that a dialog begins without the state of the last one. */
  const [opened, setOpened] = useState(0);
  const { shortcut } = props;
  useEffect(() => {
    if (shortcut === undefined) return;
    const onKey = (event: KeyboardEvent): void => {
      if (!event.altKey || event.code !== `Key${shortcut}`) return;
      event.preventDefault();
      button.current?.click();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, [shortcut]);
  if (current.state !== "signed-in" || !current.session.mayChange) return null;
  const open = (): void => {
    if (dialog.current?.open !== false) return;
    setOpened(opened + 1);
    dialog.current.showModal();
  };
  return (
    <>
      <button
        ref={button}
        type="button"
        className={`command ${props.tone ?? "forward"}`}
        aria-keyshortcuts={shortcut === undefined ? undefined : `Alt+${shortcut}`}
        title={shortcut === undefined ? undefined : `Alt+${shortcut}`}
        onClick={open}
      >
        {props.label}
      </button>
      <dialog ref={dialog} aria-label={props.title}>
        {opened > 0 && <Form key={opened} {...props} close={() => dialog.current?.close()} />}
      </dialog>
    </>
  );
}

function Form<Answer>(props: CommandProps<Answer> & { readonly close: () => void }) {
  const { title, children, reason = "", mustType, tone = "forward", send, sending, done, close } = props;
  const [outcome, setOutcome] = useState<Outcome<Answer>>({ state: "asking" });
  const [typed, setTyped] = useState("");
  const [key] = useState(newKey);
  const [epoch] = useState(() => migration.store.get().answer?.epoch);
  const id = useId();
  const isSending = outcome.state === "sending";
  const submit = async (fields: FormData): Promise<void> => {
    if (isSending) return;
    setOutcome({ state: "sending" });
    try {
      const answer = await send({ reason: String(fields.get("reason") ?? ""), key, fields, epoch });
      setOutcome({ state: "done", answer });
      void migration.again();
    } catch (failure) {
      setOutcome({ state: "failed", failure: asApiError(failure) });
    }
  };
  if (outcome.state === "done")
    return (
      <div>
        <h2>{title}</h2>
        <div role="status">{done(outcome.answer)}</div>
        <p className="actions">
          {/* biome-ignore lint/a11y/noAutofocus: the dialog has nothing else to act on */}
          <button type="button" autoFocus onClick={close}>
            Close
          </button>
        </p>
      </div>
    );
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void submit(new FormData(event.currentTarget));
      }}
    >
      <h2>{title}</h2>
      {children}
      {mustType !== undefined && (
        <label htmlFor={`${id}-typed`}>
          Type <code>{mustType}</code> to confirm
          <input
            id={`${id}-typed`}
            autoComplete="off"
            value={typed}
            onChange={(event) => setTyped(event.target.value)}
          />
        </label>
      )}
      <label htmlFor={`${id}-reason`}>
        Reason, for the audit
        <input id={`${id}-reason`} name="reason" required maxLength={2_000} defaultValue={reason} />
      </label>
      {outcome.state === "failed" && (
        <div role="alert" className="refusal">
          <Refusal failure={outcome.failure} epoch={epoch} />
        </div>
      )}
      {isSending && sending}
      <p className="actions">
        <button
          type="submit"
          className={`command ${tone}`}
          // biome-ignore lint/a11y/noAutofocus: Enter sends a command that needs nothing but agreement
          autoFocus={reason !== ""}
          disabled={isSending || (mustType !== undefined && typed !== mustType)}
        >
          {isSending ? "Sent, unconfirmed …" : props.label}
        </button>
        <button type="button" onClick={close}>
          Cancel
        </button>
      </p>
    </form>
  );
}

/** Says what happened and what to do next. After a conflict, it also shows who changed what. */
const Refusal = ({ failure, epoch }: { readonly failure: ApiError; readonly epoch: number | undefined }) => (
  <>
    <strong>{failure.code}</strong> {failure.message}
    {failure.fix !== undefined && <div>What to do: {failure.fix}</div>}
    {failure.code === "CONFLICT" && epoch !== undefined && <ChangesSince epoch={epoch} />}
  </>
);

const newKey = (): string =>
  [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
