/**
 * The gateway with only the legacy system behind it: the baseline of the gateway benchmark. Prints its URL as
 * `serve` does.
 */
import { openSystem } from "../src/app/bridge/pnl-bridge.ts";
import type { JsonValue } from "../src/base/exact-json.ts";
import { loadConfig } from "../src/config/index.ts";
import { planOf } from "../src/domain/migration/plan.ts";
import { type GatewayOptions, startGateway } from "../src/surfaces/gateway/index.ts";

const config = await loadConfig(process.argv[2] as string);
const { system, convert } = await openSystem("legacy", config, process.cwd());
const service = {
  plan: planOf({ phase: "read_only" }),
  counters: {},
  inFlight: 0,
  evidenceDropped: 0,
  oldestRunning: undefined,
  call: async (method: "calculatePnl", request: JsonValue) => {
    const value = convert(method, await system.invoke(method, request, { deadlineMs: 30_000 }), request);
    return { value, source: "legacy", epoch: 1, stale: false };
  },
};
const { url } = await startGateway({
  ...config.gateway,
  ...config.gateway.listen,
  bridge: { service: service as unknown as GatewayOptions["bridge"]["service"], evidence: undefined },
  localActor: "bench",
});
process.stdout.write(`pnl-bridge serves at ${url}\n`);
