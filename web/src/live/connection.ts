/**
 * The page's connection to the gateway: its state, and the events that arrive. Listeners get each event once
 * and in order. After a gap in the numbers of the events, and after each new stream, they get `resync`: what
 * they show may lack changes, so they ask again.
 */
import { useEffect, useRef } from "react";
import { type Moment, moment, noteServerTime, serverNowMs, sinceMs } from "../clock.ts";
import { createStore } from "../store.ts";
import type { EventData } from "../wire.ts";
import type { StreamEvent } from "./event-reader.ts";
import { shareStream } from "./shared-stream.ts";
import type { Link, Stream } from "./stream.ts";

export interface Connection {
  readonly link: Link;
  /** The gateway's time at which the connection was lost; undefined while it is live. */
  readonly lostAtMs: number | undefined;
  /** How often events were missing. */
  readonly gaps: number;
}

const initial: Connection = {
  link: { state: "connecting" },
  lostAtMs: undefined,
  gaps: 0,
};
export const connectionStore = createStore(initial);

/** Events with a known shape, and those whose data the page does not read. */
export type EventName = keyof EventData | "plan" | "freshness" | "files" | "reports" | "resync";
type DataOf<Name extends EventName> = Name extends keyof EventData ? EventData[Name] : unknown;
type Listener = (data: never) => void;

const listeners = new Map<string, Set<Listener>>();
let stream: Stream | undefined;
let lastSeq: number | undefined;
/**
 * When the last event arrived; undefined before the first one. It is not in the store, because the page would
 * be drawn again for each event of a flood.
 */
let lastEventAt: Moment | undefined;

/** The time since the last event in milliseconds; undefined before the first one. */
export const silentMs = (): number | undefined => lastEventAt && sinceMs(lastEventAt);

/** Begins to listen to the gateway. The caller is signed in. */
export function connect(): void {
  disconnect();
  stream = shareStream({ onEvent, onLink });
}

export function disconnect(): void {
  stream?.close();
  stream = undefined;
  lastSeq = undefined;
  lastEventAt = undefined;
  connectionStore.set(initial);
}

/** Tries to connect again now. */
export const reconnect = (): void => stream?.retry();

/** Calls a listener for each event of a name; returns a function that ends it. */
export function onEventOf<Name extends EventName>(
  name: Name,
  listener: (data: DataOf<Name>) => void,
): () => void {
  const named = listeners.get(name) ?? new Set();
  listeners.set(name, named);
  named.add(listener as Listener);
  return () => void named.delete(listener as Listener);
}

/** Calls a function for each event of a name while the component is shown. */
export function useEvent<Name extends EventName>(name: Name, use: (data: DataOf<Name>) => void): void {
  const latest = useRef(use);
  useEffect(() => {
    latest.current = use;
  });
  useEffect(() => onEventOf(name, (data: DataOf<Name>) => latest.current(data)), [name]);
}

function onEvent({ name, data }: StreamEvent): void {
  let isGap = false;
  if (name !== "hello" && lastSeq !== undefined) {
    if (data.seq <= lastSeq) return;
    isGap = data.seq > lastSeq + 1;
  }
  lastSeq = data.seq;
  if ("now" in data && typeof data.now === "string") noteServerTime(data.now);
  lastEventAt = moment();
  const current = connectionStore.get();
  if (isGap) connectionStore.set({ ...current, gaps: current.gaps + 1 });
  emit(name, data);
  if (isGap || name === "hello") emit("resync", {});
}

function onLink(link: Link): void {
  const current = connectionStore.get();
  const isDown = link.state === "lost" || link.state === "waking" || link.state === "refused";
  const lostAtMs = isDown ? (current.lostAtMs ?? serverNowMs()) : undefined;
  connectionStore.set({ ...current, link, lostAtMs });
}

function emit(name: string, data: object): void {
  for (const listener of [...(listeners.get(name) ?? [])]) listener(data as never);
}
