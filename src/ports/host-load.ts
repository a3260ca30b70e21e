/** The reason why this process has no capacity for background work. */
export type Overload = "event_loop_lag" | "heap_short";

/** Reports the load of this process. Called before each shadow call, so it must be very cheap. */
export interface HostLoad {
  overload(): Overload | undefined;
}
