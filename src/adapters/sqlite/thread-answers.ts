/**
 * The other side of `AskedThread`, in the thread: one answer to each question. A question that meets a lock is tried again for a bounded
 * time, while others go on. After `close` the thread ends.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { parentPort } from "node:worker_threads";
import Database from "better-sqlite3";
import { backOffMs } from "../../base/back-off.ts";
import { BridgeError, codeOf, messageOf } from "../../base/errors.ts";
import { sharedMs, type ToThread } from "../../platform/thread-rpc.ts";
import { isDamage } from "./owned-file.ts";
import type { Failure, FromFileThread, Questions } from "./thread-messages.ts";

interface AnswerOptions {
  /** How long a lock that another process holds is waited for. */
  readonly busyMsMax: number;
  /** For messages: "the file of evidence". */
  readonly noun: string;
  /** The file that a question is about. */
  readonly whereOf: (ask: string) => string;
  /** How to fix a damaged one. */
  readonly fix: string;
}

const lockPauses = { firstMs: 1, lastMs: 20 };

export function answerQuestions<Asked extends { readonly [ask in keyof Asked]: Questions[string] }>(
  answers: Asked,
  options: AnswerOptions,
): void {
  parentPort?.on("message", async (call: ToThread) => {
    if ("abandoned" in call) return;
    const { id, method: ask, given, endsMs } = call;
    try {
      if (ask !== "close" && sharedMs() > endsMs)
        throw new BridgeError("SYSTEM_DOWN", { what: `${options.noun} was not reached in time`, where: options.whereOf(ask) });
      const answer = answers[ask as keyof Asked];
      const value = await untilFree(() => answer(given), options.busyMsMax);
      if (id > 0) say({ id, value });
    } catch (error) {
      if (id > 0) say({ id, failure: failureOf(error, options, options.whereOf(ask)) });
    }
    if (ask === "close") parentPort?.close();
  });
}

export const say = (message: FromFileThread): void => parentPort?.postMessage(message);

async function untilFree<T>(work: () => T, busyMsMax: number): Promise<T> {
  const endsMs = performance.now() + busyMsMax;
  for (let failures = 1; ; failures += 1) {
    try {
      return work();
    } catch (error) {
      if (!isBusy(error) || performance.now() > endsMs) throw error;
    }
    // Not in step with others who wait, nor with a writer's rhythm.
    await sleep(backOffMs(lockPauses, failures, Math.random()));
  }
}

const isBusy = (error: unknown): boolean =>
  error instanceof Database.SqliteError && /^SQLITE_(BUSY|LOCKED|PROTOCOL)/.test(error.code);

interface Meaning extends Omit<Failure, "where"> {
  /** Of SQLite, or of the system, by its beginning. */
  readonly codes: RegExp;
}

const meaningsFor = (noun: string): readonly Meaning[] => [
  {
    codes: /^SQLITE_(BUSY|LOCKED|PROTOCOL)/,
    code: "DATABASE_BUSY",
    what: `another process keeps ${noun} locked`,
    fix: "end what holds it open in a transaction",
  },
  {
    codes: /^SQLITE_CONSTRAINT/,
    code: "REFUSED",
    what: `the rules of ${noun} do not permit it`,
    fix: "name values that stand in their columns' domains",
  },
  {
    codes: /^(SQLITE_FULL|ENOSPC|EDQUOT)/,
    code: "UNWRITABLE",
    what: `there is no room for ${noun}`,
    fix: "make room; nothing has to be started again",
  },
  {
    codes: /^(SQLITE_READONLY|EACCES|EPERM|EROFS)/,
    code: "UNWRITABLE",
    what: `${noun}, or its folder, may not be written`,
    fix: "permit it; nothing has to be started again",
  },
  {
    codes: /^(SQLITE_IOERR|SQLITE_CANTOPEN|E[A-Z]+$)/,
    code: "UNWRITABLE",
    what: `${noun} cannot be opened or written`,
    fix: "look at the disk and the path",
  },
];

function failureOf(error: unknown, { noun, fix }: AnswerOptions, where: string): Failure {
  const code = codeOf(error);
  const message = messageOf(error);
  if (error instanceof BridgeError) return { code: error.code, what: error.message, where: error.where, fix: error.fix };
  if (isDamage(error))
    return { code: "BAD_DATABASE", what: `the file is damaged, or no SQLite database: ${message}`, where, fix };
  const meaning = meaningsFor(noun).find(({ codes }) => codes.test(code));
  if (meaning === undefined) return { code: "INTERNAL", what: String(error), where, fix: "" };
  const detail = meaning.code === "REFUSED" ? message : code;
  return { code: meaning.code, what: `${meaning.what}: ${detail}`, where, fix: meaning.fix };
}
