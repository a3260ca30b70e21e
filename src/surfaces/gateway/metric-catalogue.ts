/**
 * All signals of `/metrics` that belong to the gateway. docs/gateway.md lists them too, and a test compares
 * the lists.
 */
interface Signal {
  readonly kind: "counter" | "gauge" | "histogram";
  readonly name: string;
  readonly labels: readonly string[];
  readonly help: string;
}

export const signals = {
  build: gauge(
    "build_info",
    ["version", "node"],
    "Always 1; the labels name the version of pnl-bridge and of Node",
  ),
  calls: counter(
    "calls_total",
    ["method", "source"],
    "Calls answered, by the system whose answer the caller got",
  ),
  routed: counter("routed_total", ["method", "reason"], "Calls, by the reason of their route"),
  fallbacks: counter(
    "fallbacks_total",
    ["method", "reason"],
    "Calls for which legacy was asked instead of modern, by the reason",
  ),
  modernFailed: counter(
    "modern_failed_total",
    ["method"],
    "Calls that modern should have answered and that it failed",
  ),
  servedDiverged: counter(
    "served_diverged_total",
    ["method"],
    "Answers that callers got from modern and that diverge from legacy's",
  ),
  sampledOut: counter(
    "sampled_out_total",
    ["method"],
    "Calls with a shadow side that were not drawn into the sample",
  ),
  eligible: counter("eligible_total", ["method"], "Calls that were due to be compared"),
  compared: counter("compared_total", ["method"], "Calls that were compared"),
  verdicts: counter("verdicts_total", ["method", "verdict"], "Comparisons, by their verdict"),
  shed: counter("shed_total", ["method", "reason"], "Comparisons that were dropped, by the reason"),
  comparisonErrors: counter(
    "comparison_errors_total",
    ["method"],
    "Comparisons in which one side failed, or both in different ways",
  ),
  comparisonTimeouts: counter(
    "comparison_timeouts_total",
    ["method"],
    "Comparisons whose shadow side had no answer by its deadline",
  ),
  comparisonExcluded: counter(
    "comparison_excluded_total",
    ["method"],
    "Calls that are left out of comparison",
  ),
  comparisonsUnderWay: gauge(
    "comparisons_under_way",
    ["method"],
    "Comparisons that have begun and not ended",
  ),
  broken: counter(
    "broken_total",
    ["method"],
    "Failures of the bridge itself and of callbacks, which no caller noticed",
  ),
  latency: {
    ...counter(
      "latency_seconds",
      ["method", "side"],
      "Time that each side took, of the calls that were compared",
    ),
    kind: "histogram",
  },
  epochSeen: gauge("epoch_seen", [], "The epoch under which new calls begin"),
  epochDrained: gauge(
    "epoch_drained",
    [],
    "The oldest epoch under which a call still runs; the epoch seen if there is no such call",
  ),
  phase: gauge("phase", ["phase"], "1 for the phase that is obeyed, 0 for the others"),
  trafficRatio: gauge(
    "modern_traffic_ratio",
    [],
    "Share of the calls that modern answers in dual_write, 0 to 1",
  ),
  killSwitch: gauge(
    "kill_switch",
    [],
    "1 while the kill switch sends every call to legacy (use_new_pnl_system is false)",
  ),
  latched: gauge("latched", [], "1 while a trigger keeps modern out of use"),
  drift: gauge("config_drift", [], "1 while the file of this process differs from the published section"),
  freshness: gauge(
    "freshness",
    ["state"],
    "1 for the present freshness of the plan (fresh, stale, expired, none), 0 for the others",
  ),
  recordsOwed: gauge(
    "records_owed",
    ["to"],
    "Writes of records that one database has and the other one (`to`) lacks",
  ),
  recordsOwedSeconds: gauge(
    "records_owed_seconds",
    ["to"],
    "Age of the oldest write that a database lacks, in seconds",
  ),
  recordsParked: gauge("records_parked", [], "Rows whose writes the other database refuses"),
  recordsWaiting: gauge(
    "records_waiting",
    [],
    "Rows that wait for a person: in quarantine, or different in the two databases",
  ),
  recordsUnstorable: gauge("records_unstorable", [], "Trades that legacy's own tables cannot hold"),
  recordsAuthority: gauge(
    "records_authority",
    ["side"],
    "1 for the database that takes the writes of records, 0 for the other one",
  ),
  files: gauge("files", ["state"], "Files of the watched folders, by their state"),
  fileRows: gauge("file_rows", ["what"], "Rows of the watched files: those that count, and refused ones"),
  fileUnappliedSeconds: gauge(
    "file_unapplied_seconds",
    ["to"],
    "Age of the oldest row of a watched file that a database lacks, in seconds",
  ),
  fileReviews: gauge("file_reviews", [], "Changes of watched files and folders that wait for a person"),
  fileRootsLost: gauge("file_roots_lost", [], "Watched folders that cannot be reached"),
  shadowsInFlight: gauge("shadows_in_flight", [], "Shadow calls under way"),
  evidenceDropped: counter("evidence_dropped_total", [], "Comparisons that were not kept"),
  evidenceRequests: counter(
    "evidence_requests_total",
    ["state"],
    "Requests of divergences that can be explained: kept, or too_large, daily_limit or not_json",
  ),
  gateState: gauge(
    "gate_state",
    ["gate", "target"],
    "State of each gate before the next phase: 0 closed, 1 inconclusive, 2 open",
  ),
  gateWaived: gauge(
    "gate_waived",
    ["gate", "target"],
    "1 for a gate that two people waive and that is not open, 0 for the others",
  ),
  gateTrials: gauge("gate_trials", ["gate", "target"], "Trials that a gate has counted"),
  gateEvents: gauge("gate_events", ["gate", "target"], "Events among the trials of a gate"),
  gateUpper: gauge(
    "gate_upper",
    ["gate", "target"],
    "Upper confidence bound of the figure that a gate limits, in the unit of the limit",
  ),
  gateLimit: gauge("gate_limit", ["gate", "target"], "The limit of a gate"),
  evidenceReadSeconds: gauge(
    "evidence_age_seconds",
    [],
    "Time since this process read the gates and the evidence; a scrape reads them again after 10 seconds",
  ),
  calculationP50: gauge(
    "calculation_p50_seconds",
    ["method", "side"],
    "Median time of paired calls, one pair a method and minute, to within a tenth",
  ),
  calculationP99: gauge(
    "calculation_p99_seconds",
    ["method", "side"],
    "Time within which 99 of 100 paired calls are answered, to within a tenth; infinite for a time-out",
  ),
  calculationPairs: gauge(
    "calculation_pairs",
    ["method", "result"],
    "Paired calls: all, and those in which modern took more than 1.1 times as long (`slower`)",
  ),
  memoryRatio: gauge(
    "memory_ratio",
    [],
    "Modern's peak of memory divided by legacy's, the median of the last recorded measurement",
  ),
  memoryBytes: gauge(
    "memory_peak_bytes",
    ["side"],
    "Peak of memory of each side in a fresh process, the median of the last recorded measurement",
  ),
  accuracyTrials: gauge(
    "accuracy_trials",
    ["source"],
    "Instrument-days that began in agreement, by their source: replay, live or served",
  ),
  accuracyEvents: gauge(
    "accuracy_events",
    ["source"],
    "Instrument-days among them that ended apart without an accepted cause",
  ),
  errorRatio: gauge("modern_error_ratio", [], "Share of the minutes with calls in which modern alone failed"),
  impactUsers: gauge(
    "impact_users",
    ["what"],
    "Different users that modern answered (`seen`), that saw a wrong figure (`wrong`), an answer of legacy that " +
      "lacked writes and was marked stale (`stale`), one that lacked writes and was not marked (`unmarked`), " +
      "or a fall-back (`fell_back_…`)",
  ),
  impactBooks: gauge("impact_books", [], "Number of books with a wrong figure that a user saw"),
  impactMoney: gauge(
    "impact_money",
    ["what"],
    "The largest error in a figure that a user saw, and the sum of the largest errors of each book and day",
  ),
  impactWrongSeconds: gauge(
    "impact_wrong_seconds",
    [],
    "Time from the first wrong figure of each book and day to its correction or its last sight, summed up",
  ),
  impactStaleSeconds: gauge("impact_stale_seconds", [], "Age of the oldest write that a stale answer lacked"),
  impactUnobserved: gauge("impact_unobserved_ratio", [], "Share of modern's answers that were not compared"),
  requests: counter(
    "http_requests_total",
    ["status"],
    "Answers of the gateway, by the class of their status: 2xx, 4xx, 5xx",
  ),
  requestsInFlight: gauge(
    "http_requests_in_flight",
    [],
    "Requests that are not answered yet, event streams included",
  ),
  connections: gauge("http_connections", [], "Open connections"),
  connectionsRefused: counter("http_connections_refused_total", [], "Connections beyond the limit, refused"),
  streams: gauge("event_streams", [], "Clients of the event stream"),
  streamsDropped: counter(
    "event_streams_dropped_total",
    [],
    "Clients of the event stream that were cut off because they were too slow",
  ),
} as const satisfies Readonly<Record<string, Signal>>;

export type SignalName = keyof typeof signals;

/** Upper bounds of the latency histogram's buckets, in seconds. */
export const latencyBuckets = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];

function counter<const Labels extends readonly string[]>(name: string, labels: Labels, help: string) {
  return { kind: "counter" as const, name: `pnl_bridge_${name}`, labels, help };
}

function gauge<const Labels extends readonly string[]>(name: string, labels: Labels, help: string) {
  return { kind: "gauge" as const, name: `pnl_bridge_${name}`, labels, help };
}
