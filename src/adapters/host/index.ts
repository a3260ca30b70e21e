export { systemClock } from "./clock.ts";
export { HostMonitor } from "./load.ts";
export { SnapshotFiles, sha256 } from "./snapshot-files.ts";
export { LocalSwitchFile } from "./switch-file.ts";
