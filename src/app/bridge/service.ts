/** The service bridge with this machine's clock, load and chance. */
import { HostMonitor, systemClock } from "../../adapters/host/index.ts";
import {
  type BridgedService,
  bridgeServices,
  type ServiceBridgeOptions,
} from "../../bridges/service/index.ts";

let monitor: HostMonitor | undefined;

/**
 * Puts a bridge in front of two implementations of one interface: legacy's own signatures, answered as the plan says, the other side
 * shadowed and compared after the caller has the answer. Converts nothing unless told to.
 */
export function createServiceBridge<T extends object>(options: ServiceBridgeOptions<T>): BridgedService<T> {
  monitor ??= new HostMonitor();
  return bridgeServices(options, { clock: systemClock, load: monitor, draw: Math.random });
}
