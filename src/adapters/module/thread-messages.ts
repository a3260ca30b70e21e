/** What a module thread and its program say to each other, beside the calls; the order of each direction is kept. */
import type { FromThread } from "../../platform/thread-rpc.ts";
import type { FoundMethod } from "../../ports/system.ts";
import type { ForeignError } from "./foreign-error.ts";
import type { AnswerLimits } from "./json-values.ts";
import type { ModuleAddress } from "./loading.ts";

/** Handed to the thread when it starts. */
export interface ThreadData extends AnswerLimits {
  readonly address: ModuleAddress;
  /** `json`: answers become JSON values of exact numbers; `as-is`: whatever the structured clone algorithm carries. */
  readonly answers: "json" | "as-is";
}

export interface CallFailure extends ForeignError {
  readonly failure: "REFUSED" | "GARBLED" | "TOO_LARGE";
}

export type ThreadEvent =
  | { readonly kind: "ready"; readonly found: readonly FoundMethod[] }
  | { readonly kind: "unfit"; readonly why: string }
  /** The thread is alive, and has so many abandoned calls that have not ended. */
  | { readonly kind: "abandoned"; readonly id: number; readonly unended: number }
  | { readonly kind: "log"; readonly line: string };

/** An answer is `v8.serialize`d, so that its size is known before anybody reads it. */
export type FromModuleThread = FromThread<Uint8Array, CallFailure, ThreadEvent>;
