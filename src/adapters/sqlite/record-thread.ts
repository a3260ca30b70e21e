/** The thread in which one file of the database bridge is read and written. */
import type { RecordCall, RecordCalls } from "../../ports/record-store.ts";
import { packAnswer, unpackGiven } from "./packed-rows.ts";
import { RecordFile, type RecordFileOptions } from "./record-file.ts";
import { serveFiles } from "./thread-answers.ts";

export interface RecordThreadData extends RecordFileOptions {
  readonly busyMsMax: number;
}

export interface RecordThreadCalls extends RecordCalls {
  hold(lastsMs: number): null;
  letGo(how: "commit" | "rollback"): null;
  close(given: null): null;
}

serveFiles(({ busyMsMax, ...options }: RecordThreadData) => {
  const file = new RecordFile(options);

  const own = {
    hold: (lastsMs: number) => file.hold(lastsMs),
    letGo: (how: "commit" | "rollback") => file.letGo(how),
    close: () => {
      file.close();
      return null;
    },
  };

  const call = (name: RecordCall, given: unknown): unknown =>
    packAnswer(name, file.call(name, unpackGiven(given) as never));

  /** Every other name is a call of the store. */
  const answers = new Proxy({} as RecordThreadCalls, {
    get: (_, name: keyof RecordThreadCalls) =>
      name in own ? Reflect.get(own, name) : (given: unknown) => call(name as RecordCall, given),
  });

  return {
    answers,
    busyMsMax,
    noun: `${options.side}'s database`,
    whereOf: () => options.path,
    fix: "restore it from a backup",
  };
});
