/**
 * One stream for all tabs of a browser, since a browser opens only six connections to a gateway. The tab that
 * holds a lock reads the stream and sends each event to the other tabs. When it closes, the browser gives the
 * lock to another tab. A visible tab takes the lock from one that has become silent.
 *
 * Browsers offer locks on `https:` and on this machine only. Elsewhere each tab has a stream while it is
 * visible.
 */
import { type Moment, moment, sinceMs } from "../clock.ts";
import type { StreamEvent } from "./event-reader.ts";
import {
  connectMsMax,
  type Link,
  openStream,
  type Stream,
  type StreamListener,
  silentMsMax,
} from "./stream.ts";

type Message =
  | { readonly kind: "event"; readonly event: StreamEvent }
  | { readonly kind: "link"; readonly link: Link; readonly isHidden: boolean }
  /** A new tab asks for the state of the stream. */
  | { readonly kind: "ask" }
  | { readonly kind: "retry" };

const name = "pnl-bridge stream";

/** A visible tab waits this long for the tab that reads the stream, before it reads the stream itself. */
const takeoverMs = 2 * silentMsMax;

export const shareStream = (listener: StreamListener): Stream =>
  "locks" in navigator ? new SharedStream(listener) : whileVisible(listener);

class SharedStream implements Stream {
  readonly #listener: StreamListener;
  readonly #channel = new BroadcastChannel(name);
  readonly #closed = new AbortController();
  readonly #timer: ReturnType<typeof setInterval>;
  /** The stream of this tab while it holds the lock. */
  #own: Stream | undefined;
  /** Whether this tab waits for the lock. */
  #isWaiting = false;
  #link: Link = { state: "connecting" };
  /** Whether the tab that reads the stream is hidden. Browsers slow the timers of hidden tabs down. */
  #isReaderHidden = false;
  #lastMessageAt: Moment = moment();
  /** Whether the tab that reads the stream has been silent although its stream was live. */
  #isSilent = false;

  constructor(listener: StreamListener) {
    this.#listener = listener;
    this.#channel.onmessage = ({ data }: MessageEvent<Message>) => this.#onMessage(data);
    this.#timer = setInterval(() => this.#watch(), 250);
    this.#send({ kind: "ask" });
    void this.#wait();
  }

  close(): void {
    this.#closed.abort();
    clearInterval(this.#timer);
    this.#own?.close();
    this.#channel.close();
  }

  retry(): void {
    if (this.#own === undefined) this.#send({ kind: "retry" });
    else this.#own.retry();
  }

  /** Waits for the lock, and reads the stream from then on. */
  async #wait(): Promise<void> {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    const { signal } = this.#closed;
    await this.#hold({ signal });
  }

  /** Reads the stream while this tab has the lock. */
  async #hold(how: LockOptions): Promise<void> {
    try {
      await navigator.locks.request(name, how, () => {
        this.#isWaiting = false;
        return this.#read();
      });
    } catch {
      // This tab is closing, or another tab has taken the lock.
    }
    this.#own?.close();
    this.#own = undefined;
    if (!this.#closed.signal.aborted && this.#link.state !== "refused") void this.#wait();
  }

  /** Opens the stream. Resolves when this tab is closed, or when the gateway refuses the caller. */
  #read(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#closed.signal.addEventListener("abort", () => resolve());
    this.#own = openStream({
      onEvent: (event) => {
        this.#send({ kind: "event", event });
        this.#onEvent(event);
      },
      onLink: (link) => {
        this.#onLink(link, false);
        this.#sendLink();
        if (link.state === "refused") resolve();
      },
    });
    return promise;
  }

  #onMessage(message: Message): void {
    switch (message.kind) {
      case "event":
        this.#onEvent(message.event);
        break;
      case "link":
        this.#onLink(message.link, message.isHidden);
        break;
      case "retry":
        this.#own?.retry();
        break;
      case "ask":
        if (this.#own !== undefined) this.#sendLink();
        break;
    }
  }

  #onEvent(event: StreamEvent): void {
    this.#lastMessageAt = moment();
    if (this.#isSilent) this.#listener.onLink(this.#link);
    this.#isSilent = false;
    this.#listener.onEvent(event);
  }

  #onLink(link: Link, isReaderHidden: boolean): void {
    this.#lastMessageAt = moment();
    this.#isSilent = false;
    this.#link = link;
    this.#isReaderHidden = isReaderHidden;
    this.#listener.onLink(link);
  }

  /**
   * Checks the tab that reads the stream. If it is silent although its stream was live, this tab reports a
   * lost connection. A visible tab also takes the lock from a tab that is silent for too long, or that is
   * hidden and has lost its connection.
   */
  #watch(): void {
    if (this.#own !== undefined) return;
    const silentMs = sinceMs(this.#lastMessageAt);
    const { state } = this.#link;
    if (state === "live" && silentMs > silentMsMax && !this.#isSilent) {
      this.#isSilent = true;
      this.#listener.onLink({
        state: "lost",
        why: "the tab of this browser that reads the stream is silent",
      });
    }
    if (document.visibilityState !== "visible") return;
    const waitsForPause = state === "lost" && !this.#isReaderHidden;
    if (waitsForPause || silentMs <= (state === "connecting" ? connectMsMax + takeoverMs : takeoverMs))
      return;
    this.#lastMessageAt = moment();
    void this.#hold({ steal: true });
  }

  #sendLink(): void {
    const isHidden = document.visibilityState !== "visible";
    this.#send({ kind: "link", link: this.#link, isHidden });
  }

  #send(message: Message): void {
    if (!this.#closed.signal.aborted) this.#channel.postMessage(message);
  }
}

function whileVisible(listener: StreamListener): Stream {
  let stream: Stream | undefined;
  const follow = (): void => {
    if (document.visibilityState === "visible") stream ??= openStream(listener);
    else {
      stream?.close();
      stream = undefined;
    }
  };
  document.addEventListener("visibilitychange", follow);
  follow();
  return {
    close: () => {
      document.removeEventListener("visibilitychange", follow);
      stream?.close();
    },
    retry: () => stream?.retry(),
  };
}
