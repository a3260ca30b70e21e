/**
 * The thread that reads and writes a control file and its `live.db`, and watches the control file for
 * changes.
 */
import { ControlFile, LiveFile, type Page } from "./control-file.ts";
import type {
  AuditRows,
  BeatRow,
  ChangeRow,
  InstanceRow,
  NoteRow,
  RecordRow,
  Seals,
  SignOffRow,
  SignOffs,
} from "./control-row.ts";
import { controlKind } from "./control-schema.ts";
import { say, serveFiles } from "./thread-answers.ts";

export interface ControlThreadData {
  readonly path: string;
  readonly busyMsMax: number;
  readonly lookMs: number;
}

export interface ControlCalls {
  readonly open: (nothing: null) => null;
  readonly read: (nothing: null) => RecordRow;
  /**
   * While true, the thread sends the event `changed` after each change, and when an unreachable file can be
   * read again.
   */
  readonly watch: (watching: boolean) => null;
  readonly change: (change: ChangeRow) => RecordRow | null;
  readonly note: (note: NoteRow) => null;
  readonly signOff: (signOff: SignOffRow) => null;
  readonly signOffs: (nothing: null) => SignOffs;
  readonly audit: (page: Page) => AuditRows;
  readonly seals: (page: Page) => Seals;
  readonly seal: (seals: Seals) => boolean;
  readonly heartbeat: (beat: BeatRow) => null;
  readonly instances: (nothing: null) => readonly InstanceRow[];
  readonly leave: (id: string) => null;
  readonly close: (nothing: null) => null;
}

const nothing = (work: () => void): null => {
  work();
  return null;
};

const ofLive: ReadonlySet<string> = new Set<keyof ControlCalls>([
  "seals",
  "seal",
  "heartbeat",
  "instances",
  "leave",
]);

serveFiles(({ path, busyMsMax, lookMs }: ControlThreadData) => {
  const control = new ControlFile(path);
  const live = new LiveFile(control);

  /** Inode and version of the file at the last check; undefined if the check failed. */
  let lastSeen: string | undefined;
  let timer: NodeJS.Timeout | undefined;

  function checkForChange(): void {
    let seen: string | undefined;
    try {
      const { inode, version } = control.current;
      seen = `${inode} ${version}`;
    } catch {
      // Calls report the error; the next check tries again.
    }
    if (seen !== undefined && seen !== lastSeen) sendChanged();
    lastSeen = seen;
  }

  const sendChanged = (): void => {
    if (timer !== undefined) say({ event: "changed" });
  };

  const answers: ControlCalls = {
    open: () => nothing(() => control.current.read()),
    read: () => control.current.read(),
    watch: (watching) =>
      nothing(() => {
        clearInterval(timer);
        timer = watching ? setInterval(checkForChange, lookMs) : undefined;
        lastSeen = undefined;
      }),
    change: (change) => {
      const record = control.current.change(change);
      // `PRAGMA data_version` does not show a connection its own changes.
      if (record !== null) sendChanged();
      return record;
    },
    note: (note) => nothing(() => control.current.note(note)),
    signOff: (signOff) => nothing(() => control.current.signOff(signOff)),
    signOffs: () => control.current.signOffs(),
    audit: (page) => control.current.audit(page),
    seals: (page) => live.seals(page),
    seal: (seals) => live.seal(seals),
    heartbeat: (beat) => nothing(() => live.heartbeat(beat)),
    instances: () => live.instances(),
    leave: (id) => nothing(() => live.leave(id)),
    close: () =>
      nothing(() => {
        clearInterval(timer);
        live.close();
        control.close();
      }),
  };

  return {
    answers,
    busyMsMax,
    noun: "the control store's file",
    whereOf: (ask) => (ofLive.has(ask) ? live.path : path),
    fix: controlKind.fix,
  };
});
