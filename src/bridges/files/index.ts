export { ClaimSink, type ClaimSinkOptions, type SinkEvent } from "./claim-sink.ts";
export { FileWatcher, type WatcherEvent } from "./file-watcher.ts";
export { type RecordWriter, StoreSink } from "./store-sink.ts";
export type { PriceRows } from "./tools.ts";
