import { Option } from "commander";
import { BridgeError } from "../../../base/errors.ts";
import { plain } from "../../../base/plain-text.ts";
import type { Side } from "../../../domain/migration/phase.ts";
import { durationMs } from "../arguments.ts";
import * as option from "../options.ts";
import type { CommandSpec } from "../spec.ts";
import { type CommandResult, colourful, jsonResult, painter, type Streams } from "../terminal.ts";

export const commands: readonly CommandSpec[] = [
  {
    name: "db init",
    about: "Creates the tables of the database bridge in both databases; existing tables stay as they are",
    example: "db init --config pnl_migration_config.yaml",
    options: [
      new Option("--dry-run", "print what would be created, and create nothing"),
      option.fleetConfig(),
      option.json(),
    ],
    run: init,
  },
  {
    name: "db status",
    about:
      "Shows which database is authoritative, what it owes the other one, and whether the desk can go back now",
    example: "db status",
    options: [option.fleetConfig(), option.json()],
    run: status,
  },
  {
    name: "db backfill",
    about:
      "Brings the rows of legacy's database into modern's, while both are in use; " +
      "continues where an earlier run ended",
    example: "db backfill --dry-run",
    options: [
      new Option("--dry-run", "read and map every row, and change nothing"),
      option.fleetConfig(),
      option.json(),
    ],
    run: fill,
  },
  {
    name: "db review",
    about:
      "Lists the rows that wait for a person: those that modern cannot hold, and those that differ; " +
      "with --settle or --settle-code, accepts rows as they are",
    example: "db review",
    options: [
      new Option("--settle <key>", "accept the row with this key, as the list shows it"),
      new Option("--settle-code <code>", "accept all rows with this code"),
      new Option("--reason <text>", "the reason, which the audit keeps"),
      option.actor(),
      option.fleetConfig(),
      option.json(),
    ],
    run: reviewRows,
  },
  {
    name: "db drain",
    about:
      "Sends the writes that one database owes the other, parked ones included; exits 1 if any are still owed. With --abandon, legacy takes writes at once although modern's database is dead",
    example: "db drain --timeout 30s",
    options: [
      new Option("--timeout <duration>", "how long to try, such as 30s or 5m").default("30s"),
      new Option(
        "--abandon",
        "make legacy authoritative without modern's database: the first call records the request, and the same call by a second person within an hour carries it out; what legacy lacks waits for a person once that database is back",
      ),
      new Option("--lost", "with --abandon: give up the abandoned database, which never returns"),
      new Option("--reason <text>", "with --abandon: the reason, recorded in the audit"),
      option.actor(),
      option.fleetConfig(),
      option.json(),
    ],
    run: drain,
  },
  {
    name: "db cutover",
    about: "Makes the database authoritative that the phase requires; if a step fails, nothing changes",
    example: 'db cutover --to modern --reason "a second try"',
    options: [
      new Option("--to <side>", "the database that becomes authoritative")
        .choices(["legacy", "modern"])
        .makeOptionMandatory(),
      option.reason(),
      option.actor(),
      option.fleetConfig(),
      option.json(),
    ],
    run: cutover,
  },
];

interface Common {
  readonly config?: string;
  readonly json?: boolean;
}

async function init(options: Common & { readonly dryRun?: boolean }): Promise<CommandResult> {
  const { initDatabases, plannedTables } = await import("../../../app/database/commands.ts");
  if (options.dryRun) {
    const planned = await plannedTables(options);
    if (options.json) return jsonResult({ planned }, true);
    const lines = planned.map(({ side, where, tables }) =>
      tables.length === 0 ? `${side}: ${where} is ready` : `${side}: ${where} would get ${tables.join(", ")}`,
    );
    return { exitCode: 0, text: lines.join("\n") };
  }
  const report = await initDatabases(options);
  if (options.json) return jsonResult(report, true);
  const { authority, epoch } = report;
  return {
    exitCode: 0,
    text: `both databases are ready; ${authority} is authoritative, epoch ${epoch}`,
  };
}

async function status(options: Common): Promise<CommandResult> {
  const { readStatus } = await import("../../../app/database/commands.ts");
  const { databaseStatusText } = await import("../../../app/database/status.ts");
  const found = await readStatus(options);
  return options.json ? jsonResult(found, true) : { exitCode: 0, text: databaseStatusText(found) };
}

async function fill(
  options: Common & { readonly dryRun?: boolean },
  { err }: Streams,
): Promise<CommandResult> {
  const { backfill } = await import("../../../app/database/commands.ts");
  let shownMs = performance.now();
  const report = await backfill({
    ...options,
    onEvent: (event) => {
      if (options.json || performance.now() - shownMs < 1_000) return;
      if (event.kind === "progress") err.write(`${event.table}: row ${event.next} of ${event.upper}\n`);
      else if (event.kind === "waiting") err.write(`waiting: ${event.why}\n`);
      else return;
      shownMs = performance.now();
    },
  });
  const tables = Object.entries(report.tables);
  const isClean =
    report.finished && tables.every(([, { quarantined }]) => Object.keys(quarantined).length === 0);
  if (options.json) return jsonResult(report, isClean);
  const lines = tables.map(([table, { rows, imported, superseded, quarantined, lost }]) => {
    const notes = [
      ...(superseded === 0 ? [] : [`${superseded} replaced by a later price`]),
      ...Object.entries(quarantined).map(([code, count]) => `${count} wait for a person: ${code}`),
      ...Object.entries(lost).map(([column, count]) => `${count} values of ${column} are not kept`),
    ];
    const verb = options.dryRun ? "would enter" : "entered";
    return `${table}: ${rows} rows read, ${imported} ${verb} modern${notes.length === 0 ? "" : `; ${notes.join("; ")}`}`;
  });
  const end = report.finished ? [] : ["not finished: run the command again; it continues from here"];
  return { exitCode: isClean ? 0 : 1, text: [...lines, ...end].join("\n") };
}

interface ReviewOptions extends Common {
  readonly settle?: string;
  readonly settleCode?: string;
  readonly reason?: string;
  readonly actor?: string;
}

async function reviewRows(options: ReviewOptions): Promise<CommandResult> {
  const { review } = await import("../../../app/database/commands.ts");
  const { waiting, settled } = await review(options);
  const holds = waiting.length === 0;
  if (options.json) return jsonResult({ waiting, settled }, holds);
  const lines = waiting.flatMap(({ key, code, because, legacy, modern }) => [
    plain(`${code}  ${key}: ${because}`),
    plain(`  legacy: ${legacy ?? "no row"}`),
    plain(`  compared with: ${modern ?? "no row"}`),
  ]);
  const counts = [
    ...(settled.length === 0 ? [] : [`${settled.length} accepted`]),
    holds ? "no row waits for a person" : `${waiting.length} wait for a person`,
  ];
  return { exitCode: holds ? 0 : 1, text: [...lines, counts.join("; ")].join("\n") };
}

interface DrainOptions extends Common {
  readonly timeout: string;
  readonly abandon?: boolean;
  readonly lost?: boolean;
  readonly reason?: string;
  readonly actor?: string;
}

async function drain(options: DrainOptions): Promise<CommandResult> {
  if (options.abandon) return abandon(options);
  if (options.lost)
    throw new BridgeError("BAD_USAGE", {
      what: "--lost says that an abandoned database never returns",
      fix: "write it together with --abandon",
    });
  const { drainDatabases } = await import("../../../app/database/commands.ts");
  const timeoutMs = durationMs("--timeout", options.timeout);
  const { drained, owed, to } = await drainDatabases({ ...options, timeoutMs });
  if (options.json) return jsonResult({ drained, owed, to }, drained);
  return {
    exitCode: drained ? 0 : 1,
    text: drained
      ? `${to} has every write`
      : `${owed} writes are still owed to ${to}; look at them with \`pnl-bridge db status\``,
  };
}

async function abandon({ reason = "", lost = false, ...options }: DrainOptions): Promise<CommandResult> {
  const command = await import("../../../app/database/abandon.ts");
  const report = await command.abandon({ ...options, reason, lost });
  const { state, epoch, quarantined } = report;
  const isDone = state !== "requested";
  if (options.json) return jsonResult(report, isDone);
  const texts: Readonly<Record<typeof state, string>> = {
    requested: "recorded: a second person must give the same command within an hour",
    abandoned: `legacy is authoritative, epoch ${epoch}, and takes writes; what modern's database owes it is settled when that database is back`,
    returned: `modern's database is back; ${quarantined} of its writes never reached legacy and wait for a person`,
    given_up: "modern's database is given up; its writes that legacy lacks are lost",
  };
  return { exitCode: isDone ? 0 : 1, text: texts[state] };
}

interface CutoverOptions extends Common {
  readonly to: Side;
  readonly reason: string;
  readonly actor?: string;
}

async function cutover(options: CutoverOptions, { out, err }: Streams): Promise<CommandResult> {
  const { cutOver } = await import("../../../app/database/commands.ts");
  const report = await cutOver({
    ...options,
    onRung: (rung) => {
      if (!options.json) err.write(`${rung}\n`);
    },
  });
  const { moved, authority, epoch, failed, heldMs } = report;
  if (options.json) return jsonResult(report, moved);
  const paint = painter(colourful(out));
  return {
    exitCode: moved ? 0 : 1,
    text: moved
      ? paint(
          "green",
          `${authority} is authoritative, epoch ${epoch}; writes were held back for ${heldMs} ms`,
        )
      : paint(
          "red",
          `not moved: ${failed?.why} (at ${failed?.rung}); ${authority} is authoritative as before`,
        ),
  };
}
