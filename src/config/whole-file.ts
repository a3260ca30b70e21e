import { unreachable } from "../base/errors.ts";
import { phases } from "../domain/migration/phase.ts";
import type { Config, SystemConfig } from "./config.ts";

/**
 * The file that says everything which a configuration holds, defaults too, in the keys of the file. Parsed, it is that configuration
 * again, except for its `unused`. Of a system, what nobody has set and has no one default is left out.
 */
export const wholeFile = (config: Config) => ({
  migration: {
    ...fleetWide(config),
    monitoring: {
      log_all_calculations: config.monitoring.logAllCalculations,
      performance_tracking: config.monitoring.performanceTracking,
      alert_url: config.monitoring.alertUrl,
    },
  },
  systems: { legacy: systemIn(config.systems.legacy), modern: systemIn(config.systems.modern) },
  stores: { control: config.stores.control },
  watch: { trade_ledger: config.watch.tradeLedger, market_prices: config.watch.marketPrices },
  gateway: {
    listen: `${config.gateway.host.includes(":") ? `[${config.gateway.host}]` : config.gateway.host}:${config.gateway.port}`,
    tokens: Object.fromEntries(Object.entries(config.gateway.tokens).filter(([, variable]) => variable !== null)),
    allowed_hosts: config.gateway.allowedHosts,
    rate_limit_per_s: config.gateway.rateLimitPerS,
  },
  control: {
    instance: config.control.instance,
    heartbeat_ms: config.control.heartbeatMs,
    lease_ms: config.control.leaseMs,
    stale_ms: config.control.staleMs,
    poll_ms: config.control.pollMs,
  },
});

/** The part of `migration:` that is one for the whole fleet; what a process logs of it is its own. Users and phases in order, each once. */
export const fleetWide = ({ plan, validation, monitoring, approvals, triggers }: Config) => ({
  phase: plan.phase,
  feature_flags: {
    use_new_calculator: plan.flags.calculator,
    use_new_storage: plan.flags.storage,
    use_new_reports: plan.flags.reports,
  },
  traffic_routing: {
    new_system_percentage: plan.newSystemPercentage,
    user_whitelist: [...plan.userWhitelist].toSorted(),
    user_denylist: [...plan.userDenylist].toSorted(),
    bucket_by: plan.bucketBy,
  },
  validation: {
    comparison_threshold: validation.comparisonThreshold,
    position_threshold: validation.positionThreshold,
    alert_on_mismatch: validation.alertOnMismatch,
  },
  monitoring: { alert_url: monitoring.alertUrl },
  approvals: { two_person: phases.filter((phase) => approvals.twoPerson.includes(phase)) },
  triggers: {
    error_rate: triggers.errorRate,
    error_calls_min: triggers.errorCallsMin,
    window_s: triggers.windowS,
    served_mismatch: triggers.servedMismatch,
    quarantine: triggers.quarantine,
    owed_age_s: triggers.owedAgeS,
  },
});

function systemIn(system: SystemConfig): Readonly<Record<string, unknown>> {
  if (system.kind === "builtin") return system;
  const { kind, pnlIn, timeoutMs } = system;
  const foreign = { pnl_in: pnlIn, timeout_ms: timeoutMs };
  switch (kind) {
    case "module":
      return { kind, path: system.path, isolation: system.isolation, ...foreign };
    case "command":
      return { kind, command: system.command, cwd: system.cwd, ...foreign };
    case "http":
      return { kind, url: system.url, authorization_env: system.authorizationEnv, ca_file: system.caFile, ...foreign };
    default:
      return unreachable(kind);
  }
}
