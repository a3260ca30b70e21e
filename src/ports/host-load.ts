/** Why this process has no room for work that nobody waits for. */
export type Overload = "event_loop_lag" | "heap_short";

/** How loaded this process is; asked before each shadow call, so it must cost next to nothing. */
export interface HostLoad {
  overload(): Overload | undefined;
}
