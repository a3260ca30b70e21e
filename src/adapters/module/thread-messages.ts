/**
 * The messages between a module thread and its program, in addition to the calls. Each direction keeps its
 * order.
 */
import type { FromThread } from "../../platform/thread-rpc.ts";
import type { FoundMethod } from "../../ports/system.ts";
import type { ForeignError } from "./foreign-error.ts";
import type { AnswerLimits } from "./json-values.ts";
import type { ModuleAddress } from "./loading.ts";

/** The data that the thread receives at its start. */
export interface ThreadData extends AnswerLimits {
  readonly address: ModuleAddress;
  /**
   * `json`: answers become JSON values with exact numbers; `as-is`: answers may be any value that the
   * structured clone algorithm copies.
   */
  readonly answers: "json" | "as-is";
}

export interface CallFailure extends ForeignError {
  readonly failure: "REFUSED" | "GARBLED" | "TOO_LARGE";
}

export type ThreadEvent =
  | { readonly kind: "ready"; readonly found: readonly FoundMethod[] }
  | { readonly kind: "unfit"; readonly why: string }
  /** The thread confirms that a call is abandoned, and reports how many abandoned calls still run. */
  | { readonly kind: "abandoned"; readonly id: number; readonly unended: number }
  | { readonly kind: "log"; readonly line: string };

/** An answer arrives serialized by `v8.serialize`, so that its size is known before it is read. */
export type FromModuleThread = FromThread<Uint8Array, CallFailure, ThreadEvent>;
