import { pino } from "pino";
import { plainJson } from "../../base/plain-text.ts";

interface ServerLog {
  readonly log: pino.Logger;
  /** Writes the buffered lines; gives up after two seconds if stderr is not read. */
  close(): Promise<void>;
  /** Discards the buffered lines, so that the process can end at once. */
  abandon(): void;
}

const flushMsMax = 2_000;
/**
 * The largest number of bytes that are buffered while stderr is not read; further lines are dropped and
 * counted.
 */
const waitingBytesMax = 4_194_304;

/**
 * Opens the log of a server: one JSON line on stderr for each event. A reader that stalls delays no call, and
 * the shutdown by two seconds at most.
 */
export function openServerLog(): ServerLog {
  let [isAbandoned, dropped] = [false, 0];
  const destination = pino.destination({
    dest: 2,
    sync: false,
    minLength: 16_000,
    maxLength: waitingBytesMax,
    periodicFlush: 250,
    retryEAGAIN: () => !isAbandoned,
  });
  const abandon = (): void => {
    isAbandoned = true;
    destination.destroy();
  };
  const log = pino(
    { base: { pid: process.pid } },
    {
      write: (line) => {
        if (!isAbandoned) destination.write(plainJson(line));
      },
    },
  );
  destination.on("error", () => {}); // The reader of stderr has closed it.
  destination.on("drop", () => {
    dropped += 1;
  });
  destination.on("drain", () => {
    if (dropped === 0) return;
    const lines = dropped;
    dropped = 0;
    log.warn({ lines }, "lines of this log were dropped: stderr was not read in time");
  });
  const close = async (): Promise<void> => {
    const written = Promise.withResolvers<void>();
    const limit = setTimeout(written.resolve, flushMsMax);
    // `end` also writes the lines that came during the write that is under way; `flush` would leave them out.
    destination.once("close", written.resolve);
    destination.end();
    await written.promise;
    clearTimeout(limit);
    abandon();
  };
  return { log, close, abandon };
}
