import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { type Logger, pino } from "pino";
import { createPnlBridge, type PnlBridge } from "../../app/bridge/pnl-bridge.ts";
import { hasOwnReport } from "../../app/builtin-systems.ts";
import { operatingSystemUser } from "../../app/control/operator.ts";
import type { LivingDesk } from "../../app/demo-desk/living-desk.ts";
import { fileLine } from "../../app/files/event-line.ts";
import { createLegacy, isWatching } from "../../app/files/open.ts";
import { FileService } from "../../app/files/service.ts";
import type { CallComparison, ControlEvent } from "../../app/index.ts";
import { DayReports } from "../../app/reports/day-reports.ts";
import { ReportService } from "../../app/reports/service.ts";
import { isPairConfigured, keepHeapSmall } from "../../app/stores.ts";
import { BridgeError } from "../../base/errors.ts";
import { type Config, loadConfig } from "../../config/index.ts";
import { usualFile } from "../../config/usual-file.ts";
import { type Gateway, Observations, startGateway } from "../gateway/index.ts";
import { openServerLog } from "./server-log.ts";
import type { CommandResult, Streams } from "./terminal.ts";

/** Divergences logged in one second; further ones are counted. */
const divergencesPerS = 10;

/**
 * Serves a configuration file over HTTP until SIGINT or SIGTERM. The signal stops new calls; calls under way
 * are answered before the process ends. A second signal ends the process at once. Prints the URL as the only
 * line of stdout, and the log as JSON lines on stderr.
 */
export async function serve(options: { readonly config?: string }, { out }: Streams): Promise<CommandResult> {
  const path = options.config ?? usualFile;
  if (options.config === undefined && !existsSync(path))
    throw new BridgeError("BAD_USAGE", {
      what: `there is no ${usualFile} here`,
      fix: "name a configuration file with --config FILE",
    });
  const { log, close, abandon } = openServerLog();
  const signalled = firstSignal(abandon);
  try {
    await serveUntil(path, {
      log,
      onOpen: async ({ url }) => {
        out.write(`pnl-bridge serves at ${url}\n`);
        log.info({ signal: await signalled }, "closing");
      },
    });
    log.info("closed");
  } finally {
    await close();
  }
  return { exitCode: 0, text: "", endsLines: true };
}

/** Serves the living desk of the demo until SIGINT or SIGTERM, without a log. */
export async function serveDemo({ config, env, start }: LivingDesk, { out }: Streams): Promise<void> {
  // Further signals change nothing, so that the desk's files are deleted in any case.
  const signalled = new Promise((resolve) => {
    for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, resolve);
  });
  await serveUntil(config, {
    log: pino({ level: "silent" }),
    env: { ...process.env, ...env },
    onOpen: async ({ url, bridge }) => {
      const stop = await start(bridge);
      out.write(demoText(url, env));
      await signalled;
      await stop();
    },
  });
}

const demoText = (
  url: string,
  { DEMO_OPERATOR_TOKEN, DEMO_VIEWER_TOKEN }: LivingDesk["env"],
): string => `The page of a living desk: ${url}
  olivia, an operator, signs in with ${DEMO_OPERATOR_TOKEN}
  victor, a viewer,    signs in with ${DEMO_VIEWER_TOKEN}
What to look at:
  P&L             trades arrive each second; amy, bob and carl move to modern step by step, tess stays with legacy
  Migration       the ramp, its next step, and who answers; take modern out of use, and see the fleet follow
  Differences     after some seconds, only book UST differs; the page names the cause
  Files and data  a row is refused, and a ledger that somebody changed waits for a decision
  Health          the latencies of both systems, and the share of answers that differ
ctrl-C ends it and deletes its files.
`;

interface ServingOptions {
  readonly log: Logger;
  readonly env?: NodeJS.ProcessEnv;
  /** The folder of the built page. Default: the one beside this program. */
  readonly page?: string;
  /** Called when the gateway listens. The server closes when the result is settled. */
  readonly onOpen: (opened: { readonly url: string; readonly bridge: PnlBridge }) => Promise<void>;
}

/** Serves a configuration file over HTTP. Throws BAD_CONFIG, BAD_USAGE and the errors of the bridge. */
export async function serveUntil(path: string, { log, env, page, onOpen }: ServingOptions): Promise<void> {
  const config = await loadConfig(path);
  if (config.unused.length > 0)
    log.warn({ config: path, unused: config.unused }, "the unused keys have no effect in this version");
  // The calls of the database bridge copy each row between threads. A small heap saves up to 100 MB there.
  if (isPairConfigured(config)) keepHeapSmall();
  const observations = new Observations({ takesLatency: config.monitoring.performanceTracking });
  const noteDivergence = divergenceLog(log);
  if (isWatching(config)) await createLegacy({ config, folder: dirname(resolve(path)) });
  const bridge = await createPnlBridge({
    config: path,
    onComparison: (comparison) => {
      observations.compared(comparison);
      if (comparison.verdict === "diverged" || comparison.verdict === "error") noteDivergence(comparison);
    },
    onConfigChange: ({ kind, what }) => log.warn({ kind: `config_${kind}`, config: path }, what),
    log: (line) => log.info({ line }, "a system or the bridge reports"),
  });
  const reports = new ReportService(path, { config, folder: dirname(resolve(path)) });
  const dayReports = openDayReports(config, { bridge, reports, log });
  let files: FileService | undefined;
  try {
    files = openFiles(config, { path, bridge, log });
    const gateway = await open(config, { bridge, files, reports, observations, log, env, page });
    log.info({ url: gateway.url, config: path, phase: bridge.service.plan.phase }, "serving");
    try {
      await onOpen({ url: gateway.url, bridge });
    } finally {
      await gateway.close();
    }
  } finally {
    reports.close();
    await dayReports?.close();
    await files?.close();
    await bridge.close();
  }
}

interface Served {
  readonly bridge: PnlBridge;
  readonly files: FileService | undefined;
  readonly reports: ReportService;
  readonly observations: Observations;
  readonly log: Logger;
  readonly env: NodeJS.ProcessEnv | undefined;
  readonly page: string | undefined;
}

function open(
  { gateway, monitoring }: Config,
  { bridge, files, reports, observations, log, env, page }: Served,
): Promise<Gateway> {
  bridge.control?.onEvent(({ kind, what, epoch }) => {
    const level = levels[kind] ?? "warn";
    if (level !== "none") log[level]({ kind, epoch }, what);
  });
  return startGateway({
    ...gateway,
    ...gateway.listen,
    bridge,
    control: bridge.control,
    files,
    reports,
    observations,
    localActor: operatingSystemUser(),
    log,
    ...(env !== undefined && { env }),
    ...(page !== undefined && { page }),
    onCall: monitoring.logAllCalculations ? (call) => log.info(call, "call") : undefined,
  });
}

/** Watches the configured folders beside the gateway, if both databases are configured. */
function openFiles(
  config: Config,
  { path, bridge: { database, service }, log }: Pick<Served, "bridge" | "log"> & { readonly path: string },
): FileService | undefined {
  if (database === undefined || !isWatching(config)) return undefined;
  const files = new FileService({
    settings: { config, folder: dirname(resolve(path)) },
    database,
    plan: () => service.plan,
    log: (line) => log.info({ line }, "legacy reports"),
  });
  files.onEvent((event) => {
    const line = event.kind === "file" ? undefined : fileLine(event);
    if (line !== undefined) log[event.kind === "root_back" ? "info" : "warn"]({ kind: event.kind }, line);
  });
  return files;
}

/**
 * Builds and compares the reports of closed days, if a control store and a folder of ledgers are configured
 * and both reports can be built here.
 */
function openDayReports(
  config: Config,
  { bridge: { control, service }, reports, log }: Pick<Served, "bridge" | "reports" | "log">,
): DayReports | undefined {
  if (control === undefined || config.watch.tradeLedger === null || !hasOwnReport(config.systems.legacy))
    return undefined;
  return new DayReports({
    store: () => control.store,
    plan: () => service.plan,
    config,
    generate: (date) => reports.generateDailyPnl(date, undefined),
    onFailure: (line) => log.warn(line),
  });
}

/** Log levels of the events; an event that is not listed is a warning. */
const levels: Readonly<Partial<Record<ControlEvent["kind"], "info" | "error" | "none">>> = {
  plan: "info",
  freshness: "info",
  latched: "error",
  // `onConfigChange` logs it, with or without a control store.
  config_refused: "none",
};

/** Resolves with the first signal. The second signal ends the process at once. */
function firstSignal(beforeEnd: () => void): Promise<NodeJS.Signals> {
  const first = Promise.withResolvers<NodeJS.Signals>();
  let isSeen = false;
  for (const name of ["SIGINT", "SIGTERM"] as const)
    process.on(name, () => {
      if (isSeen) {
        beforeEnd();
        process.exit(2);
      }
      isSeen = true;
      first.resolve(name);
    });
  return first.promise;
}

/** Logs divergences, at most ten a second, so that a system that always diverges does not fill the disk. */
function divergenceLog(log: Logger): (comparison: CallComparison) => void {
  let [second, count] = [0, 0];
  return ({ method, verdict, epoch, answered, fields, legacy, modern }) => {
    const now = Math.floor(performance.now() / 1_000);
    if (now !== second) {
      if (count > divergencesPerS)
        log.warn({ more: count - divergencesPerS }, "more answers differ, not logged one by one");
      [second, count] = [now, 0];
    }
    count += 1;
    if (count > divergencesPerS) return;
    const errors = {
      ...(legacy.error && { legacyError: legacy.error }),
      ...(modern.error && { modernError: modern.error }),
    };
    log.warn({ method, verdict, epoch, answered, fields: fields.slice(0, 5), ...errors }, "answers differ");
  };
}
