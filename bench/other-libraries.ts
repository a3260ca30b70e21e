import { createRequire } from "node:module";
import {
  createMigration,
  init,
  type LDClient,
  LDMigrationStage,
  LDMigrationSuccess,
} from "@launchdarkly/node-server-sdk";
import { TestData } from "@launchdarkly/node-server-sdk/integrations";
import { experimentAsync } from "tzientist";

/** A function that a library puts in front of the two sides. */
export type Shadowed<Request, Answer> = (request: Request) => Promise<Answer>;

export interface TwoSides<Request, Answer> {
  readonly legacy: (request: Request) => Promise<Answer>;
  readonly modern: (request: Request) => Promise<Answer>;
  /** Whether two answers agree. */
  readonly agree: (legacy: Answer, modern: Answer) => boolean;
  /** Called for each comparison that the library reports; `agreed` says whether the two answers agreed. */
  readonly onComparison?: (agreed: boolean) => void;
}

/** Compares in `publish`, since tzientist leaves the comparison to its user. */
export const withTzientist = <Request, Answer>(sides: TwoSides<Request, Answer>): Shadowed<Request, Answer> =>
  experimentAsync<[Request], Answer>({
    name: "pnl",
    control: sides.legacy,
    candidate: sides.modern,
    options: {
      inParallel: true,
      publish: ({ controlResult, candidateResult, controlError, candidateError }) => {
        const agreed =
          controlError === undefined &&
          candidateError === undefined &&
          sides.agree(controlResult as Answer, candidateResult as Answer);
        sides.onComparison?.(agreed);
      },
    },
  });

/** The parts of the package `scientist` that are used here; the package has no types. */
interface TrelloScientist {
  science(name: string, setup: (experiment: TrelloExperiment) => void): Promise<unknown>;
  on(event: "result", listener: (result: { readonly mismatched: readonly unknown[] }) => void): void;
  on(event: "error", listener: (error: Error) => void): void;
}
interface TrelloExperiment {
  use(block: () => unknown): void;
  try(block: () => unknown): void;
  compare(comparator: (control: unknown, candidate: unknown) => boolean): void;
  async(isAsync: boolean): void;
}

export function withTrello<Request, Answer>(sides: TwoSides<Request, Answer>): Shadowed<Request, Answer> {
  const Scientist: new () => TrelloScientist = createRequire(import.meta.url)("scientist");
  const scientist = new Scientist();
  scientist.on("result", ({ mismatched }) => sides.onComparison?.(mismatched.length === 0));
  scientist.on("error", () => {});
  return (request) =>
    scientist.science("pnl", (experiment) => {
      experiment.async(true);
      experiment.compare((control, candidate) => sides.agree(control as Answer, candidate as Answer));
      experiment.use(() => sides.legacy(request));
      experiment.try(() => sides.modern(request));
    }) as Promise<Answer>;
}

/**
 * A client without a server, whose flag has a fixed stage. With `events: "none"` the results of its
 * comparisons are discarded; with `"made"` they become events, which are queued but not sent.
 */
export async function launchDarkly(
  stage: "off" | "shadow",
  events: "none" | "made" = "none",
): Promise<LDClient> {
  const data = new TestData();
  await data.update(data.flag(flag).valueForAll(stage));
  const silent = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} };
  const client = init("sdk-key", {
    updateProcessor: data.getFactory(),
    sendEvents: events === "made",
    flushInterval: 3_600,
    diagnosticOptOut: true,
    logger: silent,
  });
  await client.waitForInitialization({ timeout: 10 });
  return client;
}

export function withLaunchDarkly<Request, Answer>(
  client: LDClient,
  sides: TwoSides<Request, Answer>,
): Shadowed<Request, Answer> {
  const read = (side: (request: Request) => Promise<Answer>) => async (request?: Request) =>
    LDMigrationSuccess(await side(request as Request));
  const migration = createMigration<Answer, never, Request, never>(client, {
    readOld: read(sides.legacy),
    readNew: read(sides.modern),
    writeOld: noWrites,
    writeNew: noWrites,
    check: (legacy, modern) => {
      const agreed = sides.agree(legacy, modern);
      sides.onComparison?.(agreed);
      return agreed;
    },
  });
  const context = { kind: "user", key: "amy" };
  return async (request) => {
    const result = await migration.read(flag, context, LDMigrationStage.Off, request);
    if (!result.success) throw result.error;
    return result.result;
  };
}

const flag = "pnl";
const noWrites = async (): Promise<never> => {
  throw new Error("the benchmarks write nothing");
};
