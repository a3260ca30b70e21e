export { systemClock } from "./clock.ts";
export { type HostLimits, HostMonitor, hostLimits } from "./load.ts";
export { SnapshotFiles, sha256 } from "./snapshot-files.ts";
export { LocalSwitchFile } from "./switch-file.ts";
