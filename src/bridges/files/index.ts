export { FileWatcher } from "./file-watcher.ts";
export { type RecordWriter, StoreSink } from "./store-sink.ts";
