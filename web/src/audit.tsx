/** The audit: who has changed what, and whether the chain of its rows is whole. */
import { useMemo, useState } from "react";
import { request } from "./api.ts";
import { Grid, type GridColumn } from "./grid.tsx";
import { migration } from "./live/migration.ts";
import { type Asked, useQuestion } from "./live/question.ts";
import { Panel, State } from "./panel.tsx";
import { deskTime } from "./times.ts";
import type { AuditRow, AuditVerification } from "./wire.ts";

interface AuditPage {
  readonly rows: readonly AuditRow[];
}

/** The rows that are shown; an export has all of them. */
const shownMax = 200;
const pageRows = 1_000;
const newest = {
  query: () => {
    const head = migration.store.get().answer?.auditHead?.seq ?? 0;
    return { after: Math.max(0, head - shownMax), limit: pageRows };
  },
};

/** The changes after an epoch, as one list. */
export function ChangesSince({ epoch }: { readonly epoch: number }) {
  const { answer } = useQuestion<AuditPage>("audit", newest);
  const newer = answer?.rows.filter((row) => row.epoch > epoch) ?? [];
  if (newer.length === 0) return null;
  return (
    <>
      <p>These changes were made meanwhile:</p>
      <ul>
        {newer.map(({ seq, actor, action, reason, at }) => (
          <li key={seq}>
            {actor}: {action}, “{reason}”, {deskTime(Date.parse(at))}
          </li>
        ))}
      </ul>
      <p>Close this dialog, look at the new plan, and decide again.</p>
    </>
  );
}

const columns: readonly GridColumn<AuditRow>[] = [
  {
    ...{ id: "at", title: "Time", width: 26 },
    value: ({ at }) => at,
    cell: ({ at }) => deskTime(Date.parse(at), "full"),
  },
  { id: "actor", title: "Actor", width: 18, value: ({ actor }) => actor, cell: ({ actor }) => actor },
  { id: "action", title: "Action", width: 14, value: ({ action }) => action, cell: ({ action }) => action },
  {
    ...{ id: "epoch", title: "Epoch", width: 9, isNumber: true },
    value: ({ epoch }) => String(epoch),
    cell: ({ epoch }) => epoch,
  },
  {
    ...{ id: "change", title: "Change", width: 46 },
    value: changeText,
    cell: (row) => <span title={changeText(row)}>{changeText(row)}</span>,
  },
  {
    ...{ id: "reason", title: "Reason", width: 44 },
    value: ({ reason }) => reason,
    cell: ({ reason }) => <span title={reason}>{reason}</span>,
  },
  {
    ...{ id: "seq", title: "Row", width: 8, isNumber: true },
    value: ({ seq }) => String(seq),
    cell: ({ seq }) => seq,
  },
];
const keyOf = ({ seq }: AuditRow): string => String(seq);

/** The columns of the control record that a row changed, as `name: before → after`. */
function changeText({ before, after }: AuditRow): string {
  if (before === null || after === null) return "";
  const [was, is]: Record<string, unknown>[] = [JSON.parse(before), JSON.parse(after)];
  const shown = (value: unknown): string =>
    typeof value === "object" && value !== null ? JSON.stringify(value).slice(0, 60) : String(value ?? "–");
  return Object.keys(is ?? {})
    .filter((name) => !hidden.has(name) && JSON.stringify(was?.[name]) !== JSON.stringify(is?.[name]))
    .map((name) => `${name}: ${shown(was?.[name])} → ${shown(is?.[name])}`)
    .join("; ");
}
const hidden = new Set(["epoch", "updatedAt", "updatedBy", "updated_at", "updated_by"]);

export function Audit() {
  const asked = useQuestion<AuditPage>("audit", newest);
  const verification = useQuestion<AuditVerification>("audit/verification", verificationOptions);
  const rows = useMemo(() => asked.answer?.rows.toReversed() ?? [], [asked.answer]);
  return (
    <Panel
      title="Audit"
      asked={asked}
      actions={
        <>
          <Verified asked={verification} />
          <Export />
        </>
      }
    >
      <Grid
        label="Audit, newest first"
        {...{ columns, rows, keyOf }}
        visibleRows={10}
        empty="Nothing has changed yet."
      />
    </Panel>
  );
}

const verificationOptions = { everyMs: 60_000 };

function Verified({ asked: { answer, failure, atMs } }: { readonly asked: Asked<AuditVerification> }) {
  if (failure !== undefined) return <State tone="warn">not verified: {failure.message}</State>;
  if (answer === undefined) return <State tone="off">being verified …</State>;
  const { ok, rows, faults, notSealedYet } = answer;
  if (!ok) return <State tone="bad">{`tampered with: ${faults.map(({ why }) => why).join("; ")}`}</State>;
  const open = notSealedYet.length === 0 ? "" : `, ${notSealedYet.length} not sealed yet`;
  return (
    <State tone="good">
      verified: {rows} rows{open}, {deskTime(atMs ?? 0)}
    </State>
  );
}

/** Saves all rows as a file of JSON lines, oldest first. */
function Export() {
  const [state, setState] = useState<string>();
  const save = async (): Promise<void> => {
    setState("reading …");
    try {
      const lines: string[] = [];
      for (let after = 0; ; ) {
        const { rows } = await request<AuditPage>("audit", { query: { after, limit: pageRows } });
        lines.push(...rows.map((row) => `${JSON.stringify(row)}\n`));
        after = rows.at(-1)?.seq ?? after;
        if (rows.length < pageRows) break;
      }
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob(lines, { type: "application/x-ndjson" }));
      link.download = "audit.jsonl";
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
      setState(`${lines.length} rows saved`);
    } catch (failure) {
      setState(String(failure));
    }
  };
  return (
    <>
      <button type="button" onClick={() => void save()}>
        Export the audit
      </button>
      {state !== undefined && <small role="status">{state}</small>}
    </>
  );
}
