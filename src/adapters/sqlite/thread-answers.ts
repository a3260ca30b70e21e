/**
 * The thread's side of `FileThread`: serves one file after the other, and sends one answer to each call that
 * expects one. A call that meets a lock is retried for a bounded time, and other calls run meanwhile.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { parentPort } from "node:worker_threads";
import Database from "better-sqlite3";
import { backOffMs } from "../../base/back-off.ts";
import { BridgeError, codeOf, messageOf } from "../../base/errors.ts";
import { sharedMs, type ThreadCall, type ToThread } from "../../platform/thread-rpc.ts";
import { isDamage } from "./owned-file.ts";
import type { Calls, Failure, FromThreadMessage } from "./thread-messages.ts";

interface Served<Api> {
  readonly answers: Api;
  /** How long a call waits for a lock that another process holds. */
  readonly busyMsMax: number;
  /** The file's name in messages, as "the evidence file". */
  readonly noun: string;
  /** The path of the file that a call uses. */
  readonly whereOf: (ask: string) => string;
  /** The fix in the message about a damaged file. */
  readonly fix: string;
}

const lockPauses = { firstMs: 1, lastMs: 20 };

/** Serves the file that `begin` names, until `close` and the next `begin`. */
export function serveFiles<Data, Api extends { readonly [name in keyof Api]: Calls[string] }>(
  serve: (data: Data) => Served<Api>,
): void {
  let served: Served<Api>;
  parentPort?.on("message", (call: ToThread) => {
    if ("abandoned" in call) return;
    if (call.method === "begin") served = serve(call.given as Data);
    else void answerCall(served, call);
  });
}

async function answerCall<Api extends { readonly [name in keyof Api]: Calls[string] }>(
  served: Served<Api>,
  { id, method: ask, given, endsMs }: ThreadCall,
): Promise<void> {
  try {
    if (ask !== "close" && sharedMs() > endsMs)
      throw new BridgeError("SYSTEM_DOWN", {
        what: `${served.noun} was not reached in time`,
        where: served.whereOf(ask),
      });
    const answer = served.answers[ask as keyof Api];
    const value = await untilFree(() => answer(given), served.busyMsMax);
    if (id > 0) say({ id, value });
  } catch (error) {
    if (id > 0) say({ id, failure: failureOf(error, served, served.whereOf(ask)) });
  }
}

export const say = (message: FromThreadMessage): void => parentPort?.postMessage(message);

async function untilFree<T>(work: () => T, busyMsMax: number): Promise<T> {
  const endsMs = performance.now() + busyMsMax;
  for (let failures = 1; ; failures += 1) {
    try {
      return work();
    } catch (error) {
      if (!isBusy(error) || performance.now() > endsMs) throw error;
    }
    // Random pauses, so as not to stay in step with other waiting processes or with a writer's rhythm.
    await sleep(backOffMs(lockPauses, failures, Math.random()));
  }
}

const isBusy = (error: unknown): boolean =>
  error instanceof Database.SqliteError && /^SQLITE_(BUSY|LOCKED|PROTOCOL)/.test(error.code);

interface Meaning extends Omit<Failure, "where"> {
  /** Matches the beginning of an error code of SQLite or of the system. */
  readonly codes: RegExp;
}

const meaningsFor = (noun: string): readonly Meaning[] => [
  {
    codes: /^SQLITE_(BUSY|LOCKED|PROTOCOL)/,
    code: "DATABASE_BUSY",
    what: `another process keeps ${noun} locked`,
    fix: "end the transaction that holds the lock",
  },
  {
    codes: /^SQLITE_CONSTRAINT/,
    code: "REFUSED",
    what: `a rule of ${noun} refuses the change`,
    fix: "use values that the columns permit",
  },
  {
    codes: /^(SQLITE_FULL|ENOSPC|EDQUOT)/,
    code: "UNWRITABLE",
    what: `the disk is full, or a quota is used up; ${noun} cannot be written`,
    fix: "free space; no restart is needed",
  },
  {
    codes: /^(SQLITE_READONLY|EACCES|EPERM|EROFS)/,
    code: "UNWRITABLE",
    what: `this process may not write ${noun} or its folder`,
    fix: "grant write access; no restart is needed",
  },
  {
    codes: /^(SQLITE_IOERR|SQLITE_CANTOPEN|E[A-Z]+$)/,
    code: "UNWRITABLE",
    what: `${noun} cannot be opened or written`,
    fix: "check the disk and the path",
  },
];

function failureOf(
  error: unknown,
  { noun, fix }: { readonly noun: string; readonly fix: string },
  where: string,
): Failure {
  const code = codeOf(error);
  const message = messageOf(error);
  if (error instanceof BridgeError)
    return { code: error.code, what: error.message, where: error.where, fix: error.fix };
  if (isDamage(error))
    return {
      code: "BAD_DATABASE",
      what: `the file is damaged, or not an SQLite database: ${message}`,
      where,
      fix,
    };
  const meaning = meaningsFor(noun).find(({ codes }) => codes.test(code));
  if (meaning === undefined) return { code: "INTERNAL", what: String(error), where, fix: "" };
  const detail = meaning.code === "REFUSED" ? message : code;
  return { code: meaning.code, what: `${meaning.what}: ${detail}`, where, fix: meaning.fix };
}
