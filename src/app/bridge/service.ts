/** The service bridge with the clock, load and random numbers of this machine. */
import { HostMonitor, systemClock } from "../../adapters/host/index.ts";
import {
  type BridgedService,
  bridgeServices,
  type ServiceBridgeOptions,
} from "../../bridges/service/index.ts";

let monitor: HostMonitor | undefined;

/**
 * Puts a bridge in front of two implementations of one interface. The bridge has legacy's signatures and
 * answers by the plan; it calls the other side as a shadow and compares the answers after the caller has
 * received one. It converts answers only if `convert` is given.
 */
export function createServiceBridge<T extends object>(options: ServiceBridgeOptions<T>): BridgedService<T> {
  monitor ??= new HostMonitor();
  return bridgeServices(options, { clock: systemClock, load: monitor, draw: Math.random });
}
