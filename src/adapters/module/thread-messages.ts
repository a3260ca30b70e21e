/** What a module thread and its program say to each other; the order of each direction is kept. */
import type { AnswerLimits } from "./json-values.ts";
import type { ModuleAddress } from "./loading.ts";

/** Handed to the thread when it starts. */
export interface ThreadData extends AnswerLimits {
  readonly address: ModuleAddress;
  /** `json`: answers become JSON values of exact numbers; `as-is`: whatever the structured clone algorithm carries. */
  readonly answers: "json" | "as-is";
}

export type ToThread =
  | {
      readonly kind: "call";
      readonly id: number;
      readonly method: string;
      readonly args: readonly unknown[];
      /** By `monotonicMs`: when nobody waits any longer, so that a call that comes too late is not begun. */
      readonly untilMs: number;
    }
  /** Nobody waits for this call any longer. */
  | { readonly kind: "abandon"; readonly id: number };

export type FromThread =
  | { readonly kind: "ready"; readonly methods: readonly string[] }
  | { readonly kind: "unfit"; readonly why: string }
  /** `v8.serialize`d, so that its size is known before anybody reads it. */
  | { readonly kind: "answer"; readonly id: number; readonly bytes: Uint8Array }
  | {
      readonly kind: "failed";
      readonly id: number;
      readonly failure: "REFUSED" | "GARBLED" | "TOO_LARGE";
      readonly name: string;
      readonly message: string;
      readonly code: string | undefined;
    }
  /** Says that the thread is alive, and how many abandoned calls have not ended. */
  | { readonly kind: "abandoned"; readonly id: number; readonly unended: number }
  | { readonly kind: "log"; readonly line: string };

/** One clock for all threads of a process. */
export const monotonicMs = (): number => Number(process.hrtime.bigint() / 1_000n) / 1_000;
