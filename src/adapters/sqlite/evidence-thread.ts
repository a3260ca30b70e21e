/**
 * The thread in which an evidence file is written and read. One question, one answer, by its number; rows to append come ahead of
 * their `append`, in pieces, without an answer. Who meets a lock tries again for a bounded time, while other questions go on.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import Database from "better-sqlite3";
import { BridgeError, type ErrorCode } from "../../domain/errors.ts";
import { badEvidence, type CountRow, EvidenceFile, type PageQuery } from "./evidence-file.ts";
import type { EvidenceRow, StoredRow } from "./evidence-row.ts";

export interface ThreadData {
  readonly path: string;
  readonly rowsMax: number;
  readonly busyMsMax: number;
}

/** By what is asked: what comes with it, and the answer. */
export interface Questions {
  readonly open: (nothing: null) => null;
  readonly append: (nothing: null) => null;
  readonly page: (query: PageQuery) => readonly StoredRow[];
  readonly get: (id: string) => StoredRow | null;
  readonly counts: (nothing: null) => readonly CountRow[];
  readonly close: (nothing: null) => null;
}

export type ToThread =
  | { readonly rows: readonly EvidenceRow[]; readonly first: boolean }
  | {
      readonly number: number;
      readonly ask: keyof Questions;
      readonly given: unknown;
    };

export type FromThread =
  | { readonly number: number; readonly value: unknown }
  | { readonly number: number; readonly failure: Failure };

/** An error as it crosses between threads, which keep only its text. */
export interface Failure {
  readonly code: ErrorCode;
  readonly what: string;
  readonly where: string;
  readonly mend: string;
}

const pauseMsMax = 20;
const { path, rowsMax, busyMsMax } = workerData as ThreadData;
const file = new EvidenceFile(path, rowsMax);
let taken: EvidenceRow[] = [];

const answers: { readonly [ask in keyof Questions]: (given: Parameters<Questions[ask]>[0]) => ReturnType<Questions[ask]> } = {
  open: () => {
    file.open();
    return null;
  },
  append: () => {
    file.append(taken);
    taken = [];
    return null;
  },
  page: (query) => file.page(query),
  get: (id) => file.get(id) ?? null,
  counts: () => file.counts(),
  close: () => {
    file.close();
    return null;
  },
};

parentPort?.on("message", async (message: ToThread) => {
  if ("rows" in message) {
    if (message.first) taken = [];
    taken.push(...message.rows);
    return;
  }
  const { number, ask, given } = message;
  try {
    tell({ number, value: await untilFree(() => answers[ask](given as never)) });
  } catch (error) {
    tell({ number, failure: failureOf(error) });
  }
  if (ask === "close") parentPort?.close();
});

const tell = (message: FromThread): void => parentPort?.postMessage(message);

async function untilFree<T>(work: () => T): Promise<T> {
  const endsMs = performance.now() + busyMsMax;
  for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, pauseMsMax)) {
    try {
      return work();
    } catch (error) {
      if (!isBusy(error) || performance.now() > endsMs) throw error;
    }
    // Not in step with others who wait, nor with a writer's rhythm.
    await sleep(pauseMs * (0.5 + Math.random() / 2));
  }
}

const isBusy = (error: unknown): boolean =>
  error instanceof Database.SqliteError && /^SQLITE_(BUSY|LOCKED|PROTOCOL)/.test(error.code);

interface Meaning extends Omit<Failure, "where"> {
  /** Of SQLite, or of the system, by its beginning. */
  readonly codes: RegExp;
}

const meanings: readonly Meaning[] = [
  {
    codes: /^SQLITE_(BUSY|LOCKED|PROTOCOL)/,
    code: "DATABASE_BUSY",
    what: "another process keeps the file of evidence locked",
    mend: "end what holds it open in a transaction",
  },
  {
    codes: /^(SQLITE_FULL|ENOSPC|EDQUOT)/,
    code: "UNWRITABLE",
    what: "there is no room for evidence",
    mend: "make room; nothing has to be started again",
  },
  {
    codes: /^(SQLITE_READONLY|EACCES|EPERM|EROFS)/,
    code: "UNWRITABLE",
    what: "the file of evidence, or its folder, may not be written",
    mend: "permit it; nothing has to be started again",
  },
  {
    codes: /^(SQLITE_IOERR|SQLITE_CANTOPEN|E[A-Z]+$)/,
    code: "UNWRITABLE",
    what: "the file of evidence cannot be opened or written",
    mend: "look at the disk and the path",
  },
];

function failureOf(error: unknown): Failure {
  const { code, message } = error as { readonly code?: unknown; readonly message?: unknown };
  const known = error instanceof BridgeError ? error : undefined;
  if (known !== undefined) return { code: known.code, what: known.message, where: known.where, mend: known.mend };
  if (/^SQLITE_(CORRUPT|NOTADB)/.test(String(code)))
    return failureOf(badEvidence(path, `the file is damaged, or no SQLite database: ${message}`));
  const meaning = meanings.find(({ codes }) => codes.test(String(code)));
  if (meaning === undefined) return { code: "INTERNAL", what: String(error), where: path, mend: "" };
  return { code: meaning.code, what: `${meaning.what}: ${code}`, where: path, mend: meaning.mend };
}
