import { setFlagsFromString } from "node:v8";

/**
 * Keeps the heap small for the rest of the process, for work that drops most objects at once. V8's space for
 * new objects keeps its present size; by itself it grows to more than 64 MB. V8 also no longer guesses which
 * new objects live long: a wrong guess fills the space for old objects with objects that die at once.
 */
export function keepHeapSmall(): void {
  setFlagsFromString("--semi-space-growth-factor=1");
  setFlagsFromString("--no-allocation-site-pretenuring");
}
