/** The thread in which a control file and its `live.db` are read and written, and in which somebody looks for changes. */
import { workerData } from "node:worker_threads";
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
import { answerQuestions, say } from "./thread-answers.ts";

export interface ControlThreadData {
  readonly path: string;
  readonly busyMsMax: number;
  readonly lookMs: number;
}

export interface ControlQuestions {
  readonly open: (nothing: null) => null;
  readonly read: (nothing: null) => RecordRow;
  /** Says `changed` by itself, also after what was away is back, while it is true. */
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

const { path, busyMsMax, lookMs } = workerData as ControlThreadData;
const control = new ControlFile(path);
const live = new LiveFile(control);

/** What was last seen of the file; undefined where it could not be looked at. */
let seen: string | undefined;
let looking: NodeJS.Timeout | undefined;

function look(): void {
  let sees: string | undefined;
  try {
    const { inode, version } = control.current;
    sees = `${inode} ${version}`;
  } catch {
    // Whoever asks is told why; here it is tried again.
  }
  if (sees !== undefined && sees !== seen) changed();
  seen = sees;
}

const changed = (): void => {
  if (looking !== undefined) say({ event: "changed" });
};

const nothing = (work: () => void): null => {
  work();
  return null;
};

const answers: ControlQuestions = {
  open: () => nothing(() => control.current.read()),
  read: () => control.current.read(),
  watch: (watching) =>
    nothing(() => {
      clearInterval(looking);
      looking = watching ? setInterval(look, lookMs) : undefined;
      seen = undefined;
    }),
  change: (change) => {
    const record = control.current.change(change);
    // A connection does not see its own changes in the file's version.
    if (record !== null) changed();
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
      clearInterval(looking);
      live.close();
      control.close();
    }),
};

const ofLive: ReadonlySet<string> = new Set<keyof ControlQuestions>(["seals", "seal", "heartbeat", "instances", "leave"]);

answerQuestions(answers, {
  busyMsMax,
  noun: "the control store's file",
  whereOf: (ask) => (ofLive.has(ask) ? live.path : path),
  fix: controlKind.fix,
});
