/**
 * Serializes runs of a job. A request during a run triggers exactly one more run, and the end of that run
 * settles both requests. If a run fails, both requests reject and no further run begins; a later request runs
 * the job again.
 */
export function oneAtATime(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  let again = false;
  const run = async (): Promise<void> => {
    try {
      do {
        again = false;
        await work();
      } while (again);
    } finally {
      // Cleared here and not when the promise settles, because a request between the two would be lost.
      running = undefined;
    }
  };
  return () => {
    if (running === undefined) running = run();
    else again = true;
    return running;
  };
}
