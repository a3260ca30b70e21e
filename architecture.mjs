// The layer table: a folder of src/ imports only from the folders listed for it. ARCHITECTURE.md prints the
// table (a test compares them), and .dependency-cruiser.mjs turns it into rules. `strangers`: the sub-folders
// do not import each other. `common`: the one sub-folder that all of them may import.
export const layers = {
  base: {
    holds: "tools without any P&L word: exact numbers, exact JSON, errors, nearest names; pure",
    imports: [],
  },
  domain: {
    holds:
      "words and rules: `market` (trading days, price notations), `migration` (phases, plans, routes, verdicts); pure",
    imports: ["base"],
  },
  platform: {
    holds: "Node tools without any P&L word: atomic files, pending calls, threads, lines of text",
    imports: ["base"],
  },
  engine: {
    holds: "the modern P&L module: trade intake, trade columns, lot matching, marks, daily P&L; pure",
    imports: ["base", "domain"],
  },
  symbols: {
    holds:
      "the canonical instrument, the grammar of every dialect, products, codes and expiries, the translator; pure",
    imports: ["base", "domain"],
  },
  ports: { holds: "interfaces to the outside; no code", imports: ["base", "domain"] },
  comparison: {
    holds:
      "one judgement of two numbers; pairs of rows (`PnLComparisonValidator`) and of answers use it; pure",
    imports: ["base", "domain", "engine", "ports"],
  },
  explain: {
    holds:
      "proved causes of differences: a reference engine with rule switches, the catalogue of causes, the search; pure",
    imports: ["base", "domain", "engine", "symbols", "comparison", "ports"],
  },
  durable: {
    holds:
      "what survives a crash: outbox, inbox, versions, fence and leases as rules over SQL, run by any database; pure",
    imports: ["base", "domain", "ports"],
  },
  bridges: {
    holds:
      "data plane: `core` (what every bridge needs), `service` (`PnLServiceBridge`), `symbols` (`SymbolTranslationBridge`), `database` (`DatabaseBridge`), `files` (`FileWatcher`), `dashboard` (`DashboardDataBridge`), `reports` (Excel reports and their comparison); pure",
    imports: ["base", "domain", "engine", "symbols", "comparison", "ports", "durable"],
    strangers: true,
    common: "core",
  },
  control: {
    holds: "plan, phases, gates, ramps, triggers, rollback, audit: every operator rule; pure",
    imports: ["base", "domain", "ports"],
  },
  adapters: {
    holds:
      "the real world: files (`csv`, `watch`, `xlsx`), databases (`sqlite`, `postgres`), systems (`module`, `worker`, `http`), `openfeature`, `report`, and this machine (`host`)",
    imports: ["base", "domain", "engine", "symbols", "ports", "platform", "durable"],
    strangers: true,
  },
  "legacy-desk": {
    holds:
      "the stand-in of the legacy system: float inside, its own file and SQLite access, shares no code with ours",
    imports: ["ports"],
    typesOnly: true,
  },
  config: {
    holds:
      "one table of keys, from which schema, defaults, types and docs follow; loading and editing of files",
    imports: ["base", "domain", "platform", "ports", "control"],
  },
  app: {
    holds: "composition: the only folder that may import all others except `surfaces` and `testing`",
    imports: [
      "base",
      "domain",
      "platform",
      "engine",
      "symbols",
      "ports",
      "comparison",
      "explain",
      "durable",
      "bridges",
      "control",
      "adapters",
      "legacy-desk",
      "config",
    ],
  },
  surfaces: { holds: "`cli`, `gateway` (HTTP)", imports: ["app", "config", "domain", "base"] },
  testing: {
    holds: "contract suites, oracles, generators and simulations that tests share",
    imports: ["base", "domain", "ports", "control"],
  },
};

/** Folders that are pure: no Node module, no package, no clock, no random number. */
export const pure = [
  "base",
  "domain",
  "engine",
  "symbols",
  "ports",
  "comparison",
  "explain",
  "durable",
  "bridges",
  "control",
];
