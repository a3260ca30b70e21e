// The layer table: a folder of src/ imports only from the folders listed for it. ARCHITECTURE.md prints it (a test compares),
// .dependency-cruiser.mjs turns it into rules. A folder whose parts are strangers to each other is marked `strangers`.
export const layers = {
  domain: {
    holds: "words and rules, pure and synchronous: exact numbers, price notations, trading days, calendars",
    imports: [],
  },
  engine: { holds: "the modern P&L module: trade columns, lot matching, marks, daily P&L; pure", imports: ["domain"] },
  symbols: {
    holds: "the canonical instrument, the grammar of every dialect, products, codes and expiries, the translator; pure",
    imports: ["domain"],
  },
  ports: { holds: "interfaces to the outside; no code", imports: ["domain"] },
  comparison: { holds: "pairing, tolerances, verdicts (`PnLComparisonValidator`); pure", imports: ["domain"] },
  bridges: {
    holds: "data plane: `service` (`PnLServiceBridge`), `symbols` (`SymbolTranslationBridge`); siblings are strangers",
    imports: ["domain", "engine", "symbols", "comparison", "ports"],
    strangers: true,
  },
  control: { holds: "plan, phases, gates, ramps, triggers, rollback, audit; pure", imports: ["domain", "ports"] },
  adapters: {
    holds:
      "the real world: files (`csv`), databases (`sqlite`, `postgres`), systems (`module`, `worker`, `http`), `openfeature`, `report`, this `host`; siblings are strangers",
    imports: ["domain", "engine", "symbols", "ports"],
    strangers: true,
  },
  "legacy-desk": {
    holds: "the stand-in of the legacy system: float inside, its own file and SQLite access, shares no code with ours",
    imports: ["ports"],
    typesOnly: true,
  },
  config: { holds: "YAML schema, loading, defaults", imports: ["domain"] },
  app: {
    holds: "composition: the only place that knows everyone",
    imports: ["domain", "engine", "symbols", "ports", "comparison", "bridges", "control", "adapters", "legacy-desk", "config"],
  },
  surfaces: { holds: "`cli`, `gateway` (HTTP)", imports: ["app", "config", "domain"] },
  testing: {
    holds: "contract suites, oracles, generators and simulations that tests share",
    imports: ["domain", "ports", "control"],
  },
};

/** Folders that are pure: no Node module, no package, no clock, no chance. */
export const pure = ["domain", "engine", "symbols", "ports", "comparison", "bridges", "control"];
