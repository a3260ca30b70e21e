/** The gateway's answers, as its own schemas describe them. Only types, so the page contains no schema. */
import type { z } from "zod";
import type { dashboardAnswer } from "../../src/surfaces/gateway/wire/dashboard.ts";
import type { session } from "../../src/surfaces/gateway/wire/session.ts";

export type { EventData } from "../../src/surfaces/gateway/wire/events.ts";
export type { Problem } from "../../src/surfaces/gateway/wire/problem.ts";

export type Session = z.output<typeof session>;
export type Dashboard = z.output<typeof dashboardAnswer>;
export type Panels = Dashboard["value"];
export type Position = NonNullable<Panels["positions"]>[number];
export type Day = NonNullable<Panels["daily"]>[number];
export type Trade = NonNullable<Panels["trades"]>[number];
export type Money = Pick<Position, "realized" | "unrealized" | "total">;
