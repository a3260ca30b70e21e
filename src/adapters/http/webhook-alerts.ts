import type { Alert, AlertSink } from "../../ports/alerts.ts";

export interface WebhookOptions {
  /** Largest number of waiting alerts; beyond it the oldest is given up. */
  readonly waitingMax: number;
  readonly timeoutMs: number;
  /** Pauses before the second attempt, the third, …; after the last one the alert is given up. */
  readonly pausesMs: readonly number[];
  /** Called for each alert that is given up. */
  readonly onGivenUp: (alert: Alert, why: string) => void;
}

const webhookDefaults: WebhookOptions = Object.freeze({
  waitingMax: 100,
  timeoutMs: 5_000,
  pausesMs: [500, 2_000, 8_000, 30_000, 120_000],
  onGivenUp: () => {},
});

/**
 * Posts each alert as JSON, `{ kind, title, details, at, from }`, with a `text` that chat webhooks show.
 * Alerts are sent one after the other, with retries for some minutes. No error contains the URL, since it may
 * contain a secret.
 */
export class WebhookAlerts implements AlertSink {
  readonly #url: string;
  readonly #from: string;
  readonly #options: WebhookOptions;
  readonly #waiting: { readonly alert: Alert; readonly at: string }[] = [];
  readonly #ending = new AbortController();
  #sending: Promise<void> | undefined;
  /** Number of alerts that were given up. */
  givenUp = 0;

  constructor(url: string, from: string, options: Partial<WebhookOptions> = {}) {
    this.#url = url;
    this.#from = from;
    this.#options = { ...webhookDefaults, ...options };
  }

  send(alert: Alert): void {
    if (this.#waiting.length >= this.#options.waitingMax) {
      const oldest = this.#waiting.shift();
      if (oldest !== undefined) this.#giveUp(oldest.alert, "too many alerts wait");
    }
    this.#waiting.push({ alert, at: new Date().toISOString() });
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined;
    });
  }

  async settled(withinMs: number): Promise<number> {
    const waited = Promise.withResolvers<void>();
    const timer = setTimeout(waited.resolve, withinMs);
    await Promise.race([this.#sending, waited.promise]);
    clearTimeout(timer);
    return this.#waiting.length + this.givenUp;
  }

  /**
   * Ends the sending. The alert that is being sent is given up; those that wait stay unsent, and are neither
   * counted in `givenUp` nor reported to `onGivenUp`.
   */
  close(): void {
    this.#ending.abort();
  }

  async #sendAll(): Promise<void> {
    for (
      let next = this.#waiting[0];
      next !== undefined && !this.#ending.signal.aborted;
      next = this.#waiting[0]
    ) {
      const why = await this.#sendOne(next.alert, next.at);
      if (this.#waiting[0] === next) this.#waiting.shift();
      if (why !== undefined) this.#giveUp(next.alert, why);
    }
  }

  /** Resolves with the reason of a failed delivery, or with undefined. */
  async #sendOne({ kind, title, details }: Alert, at: string): Promise<string | undefined> {
    const body = JSON.stringify({
      text: `pnl-bridge on ${this.#from}: ${title}`,
      kind,
      title,
      details,
      at,
      from: this.#from,
    });
    for (let tried = 0; ; tried += 1) {
      const why = await this.#post(body);
      const pauseMs = this.#options.pausesMs[tried];
      if (why === undefined || pauseMs === undefined || this.#ending.signal.aborted) return why;
      await this.#pause(pauseMs);
    }
  }

  async #post(body: string): Promise<string | undefined> {
    try {
      const signal = AbortSignal.any([this.#ending.signal, AbortSignal.timeout(this.#options.timeoutMs)]);
      const headers = { "content-type": "application/json" };
      const response = await fetch(this.#url, { method: "POST", headers, body, signal, redirect: "error" });
      await response.body?.cancel();
      return response.ok ? undefined : `the webhook answered ${response.status}`;
    } catch (failure) {
      const { name, cause } = failure as {
        readonly name: string;
        readonly cause?: { readonly code?: string };
      };
      return name === "TimeoutError"
        ? "the webhook did not answer"
        : `the webhook cannot be reached: ${cause?.code ?? name}`;
    }
  }

  /** Waits without keeping the process alive. */
  #pause(ms: number): Promise<void> {
    const { signal } = this.#ending;
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms).unref();
      signal.addEventListener("abort", () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #giveUp(alert: Alert, why: string): void {
    this.givenUp += 1;
    this.#options.onGivenUp(alert, why);
  }
}
