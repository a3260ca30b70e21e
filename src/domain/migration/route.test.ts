import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bucketOf, isWithin } from "./bucket.ts";
import { capabilities, type Phase, phasePolicies, phases } from "./phase.ts";
import { type MigrationPlan, migrationModes, type PlanInput, planOf, writesOf } from "./plan.ts";
import { type CallKey, type RouteReason, routeFlag, routeOf, sampleDraw } from "./route.ts";

const all = { calculator: true, storage: true, reports: true };
/** Every setting that can let modern answer. */
const everything: Partial<PlanInput> = { userWhitelist: ["amy"], newSystemPercentage: 100 };
/** Outside and within 25 %: buckets 72 673 and 11 251 of docs/rollout.md. */
const [outside, within] = [{ book: "UST" }, { user: "amy" }];

/** The phase table, one row per case: [phase, further plan values, call, answering side, reason, shadow]. */
type Row = readonly [
  Phase,
  Partial<PlanInput>,
  CallKey,
  "legacy" | "modern",
  RouteReason,
  "legacy" | "modern" | "-",
];
const rows: readonly Row[] = [
  // The answering side and the shadow by phase.
  ["read_only", {}, within, "legacy", "PHASE", "-"],
  ["shadow_mode", {}, within, "legacy", "PHASE", "modern"],
  ["shadow_mode", { flags: {} }, within, "legacy", "PHASE", "modern"],
  ["dual_write", {}, within, "legacy", "OUTSIDE_PERCENTAGE", "modern"],
  ["primary_switch", {}, within, "modern", "PHASE", "legacy"],
  ["cleanup", {}, within, "modern", "PHASE", "-"],
  // In dual_write the lists come first, then the percentage.
  ["dual_write", { newSystemPercentage: 25 }, within, "modern", "WITHIN_PERCENTAGE", "legacy"],
  ["dual_write", { newSystemPercentage: 25 }, outside, "legacy", "OUTSIDE_PERCENTAGE", "modern"],
  ["dual_write", { newSystemPercentage: 11.252 }, within, "modern", "WITHIN_PERCENTAGE", "legacy"],
  ["dual_write", { newSystemPercentage: 11.251 }, within, "legacy", "OUTSIDE_PERCENTAGE", "modern"],
  ["dual_write", { newSystemPercentage: 100 }, outside, "modern", "WITHIN_PERCENTAGE", "legacy"],
  ["dual_write", { userWhitelist: ["amy"] }, within, "modern", "WHITELIST", "legacy"],
  ["dual_write", { userWhitelist: ["amy"] }, { user: "amy", book: "UST" }, "modern", "WHITELIST", "legacy"],
  ["dual_write", { userWhitelist: ["Amy"] }, within, "legacy", "OUTSIDE_PERCENTAGE", "modern"],
  ["dual_write", { userWhitelist: ["UST"] }, outside, "legacy", "OUTSIDE_PERCENTAGE", "modern"],
  ["dual_write", { userDenylist: ["amy"], newSystemPercentage: 100 }, within, "legacy", "DENYLIST", "modern"],
  ["dual_write", { userDenylist: ["amy"], userWhitelist: ["amy"] }, within, "legacy", "DENYLIST", "modern"],
  ["shadow_mode", { userWhitelist: ["amy"], newSystemPercentage: 100 }, within, "legacy", "PHASE", "modern"],
  ["read_only", { userWhitelist: ["amy"], newSystemPercentage: 100 }, within, "legacy", "PHASE", "-"],
  ["primary_switch", { userDenylist: ["amy"] }, within, "legacy", "DENYLIST", "modern"],
  ["primary_switch", {}, {}, "modern", "PHASE", "legacy"],
  // Legacy answers a call without book and user; it never counts as bucket 0.
  ["dual_write", { newSystemPercentage: 100 }, {}, "legacy", "NO_UNIT", "modern"],
  ["dual_write", { newSystemPercentage: 100 }, { user: "", book: "" }, "legacy", "NO_UNIT", "modern"],
  [
    "dual_write",
    { newSystemPercentage: 100 },
    { user: null, book: null } as unknown as CallKey,
    "legacy",
    "NO_UNIT",
    "modern",
  ],
  ["dual_write", { newSystemPercentage: 100, bucketBy: "user" }, outside, "legacy", "NO_UNIT", "modern"],
  // If a call has a book, the book alone decides, so that all users of a book get the answers of one side.
  [
    "dual_write",
    { newSystemPercentage: 25 },
    { user: "amy", book: "UST" },
    "legacy",
    "OUTSIDE_PERCENTAGE",
    "modern",
  ],
  [
    "dual_write",
    { newSystemPercentage: 25, bucketBy: "user" },
    { user: "amy", book: "UST" },
    "modern",
    "WITHIN_PERCENTAGE",
    "legacy",
  ],
  // Modern answers only with its flag.
  [
    "dual_write",
    { flags: { storage: true }, newSystemPercentage: 100 },
    within,
    "legacy",
    "NO_CAPABILITY",
    "modern",
  ],
  [
    "dual_write",
    { flags: { storage: true }, userWhitelist: ["amy"] },
    within,
    "legacy",
    "NO_CAPABILITY",
    "modern",
  ],
  // The kill switch overrides every row above, and modern is not even compared.
  ...phases.map(
    (phase): Row => [phase, { useNewPnlSystem: false, ...everything }, within, "legacy", "KILL_SWITCH", "-"],
  ),
  ["cleanup", { useNewPnlSystem: false, legacyWindow: "closed" }, within, "modern", "LEGACY_CLOSED", "-"],
  // The mode old_only overrides them too. Neither has an effect once the window of legacy is closed.
  ...phases.map(
    (phase): Row => [phase, { migrationMode: "old_only", ...everything }, within, "legacy", "OLD_ONLY", "-"],
  ),
  ["cleanup", { migrationMode: "old_only", legacyWindow: "closed" }, within, "modern", "LEGACY_CLOSED", "-"],
  [
    "primary_switch",
    { migrationMode: "old_only", useNewPnlSystem: false },
    within,
    "legacy",
    "KILL_SWITCH",
    "-",
  ],
  // When legacy receives no more writes, it is not compared, and the denylist has no effect.
  ["primary_switch", { migrationMode: "new_only" }, within, "modern", "PHASE", "-"],
  ["primary_switch", { migrationMode: "new_only", userDenylist: ["amy"] }, within, "modern", "PHASE", "-"],
  ["cleanup", { userDenylist: ["amy"] }, within, "modern", "PHASE", "-"],
  ["cleanup", { legacyWindow: "closed" }, within, "modern", "PHASE", "-"],
];

describe("a route", () => {
  it.each(rows)(
    "in %s with %o leads a call of %o to %s, for the reason %s, with the shadow %s",
    (phase, more, key, answer, because, shadow) => {
      const route = routeOf(planOf({ phase, flags: all, ...more }), key, 0);
      expect(route).toEqual({
        answer,
        because,
        shadow: shadow === "-" ? null : shadow,
        eligible: shadow !== "-",
      });
    },
  );

  it("follows the published rules for every possible plan", () => {
    let seen = 0;
    for (const { plan, key } of everyCase()) {
      const rule = rules.find(({ when }) => when(plan, key)) as Rule;
      const { answer, because, shadow, eligible } = routeOf(plan, key, 0);
      expect([answer, because], describeCase(plan, key)).toEqual([rule.answer, rule.because]);
      const compares =
        rule.compares ?? (phasePolicies[plan.phase].compares && plan.migrationMode !== "new_only");
      expect([shadow, eligible], describeCase(plan, key)).toEqual(
        compares ? [answer === "legacy" ? "modern" : "legacy", true] : [null, false],
      );
      seen += 1;
    }
    expect(seen).toBeGreaterThan(5_000);
  });

  it("leads to modern if legacy is no longer written; else a kill switch or old_only leads to legacy", () => {
    for (const { plan, key } of everyCase()) {
      const { answer } = routeOf(plan, key, 0);
      if (!writesOf(plan).includes("legacy")) expect(answer, describeCase(plan, key)).toBe("modern");
      else if (!plan.useNewPnlSystem || plan.migrationMode === "old_only")
        expect(answer, describeCase(plan, key)).toBe("legacy");
    }
  });

  it("is always the same for the same plan and key", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.nat({ max: 100 }), (user, book, newSystemPercentage) => {
        const plan = planOf({ phase: "dual_write", flags: all, newSystemPercentage });
        const first = routeOf(plan, { user, book }, 0);
        // Other calls in between must not matter.
        routeOf(plan, { user: `${user}!`, book: `${book}!` }, 0.5);
        expect(routeOf(planOf({ ...plan, epoch: 9 }), { user, book }, 0)).toEqual(first);
      }),
    );
  });

  it("never moves a call from modern back to legacy when the percentage grows", () => {
    const percentage = fc.integer({ min: 0, max: 100_000 }).map((thousandths) => thousandths / 1_000);
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), percentage, percentage, (book, one, other) => {
        const at = (newSystemPercentage: number): string =>
          routeOf(planOf({ phase: "dual_write", flags: all, newSystemPercentage }), { book }, 0).answer;
        return at(Math.min(one, other)) === "legacy" || at(Math.max(one, other)) === "modern";
      }),
      { numRuns: 1_000 },
    );
  });

  it("stays with legacy, with the reason, if the plan names an unknown algorithm", () => {
    const plan = {
      ...planOf({ phase: "dual_write", flags: all, newSystemPercentage: 100 }),
      bucketAlgorithm: "v2",
    };
    expect(routeOf(plan, within, 0)).toMatchObject({
      answer: "legacy",
      because: "UNKNOWN_ALGORITHM",
      shadow: "modern",
    });
    expect(routeOf({ ...plan, userWhitelist: new Set(["amy"]) }, within, 0)).toMatchObject({
      answer: "modern",
    });
  });
});

describe("the shadow sample", () => {
  const sampled = (shadowSampleRatio: number, draw: number): boolean =>
    routeOf(planOf({ phase: "shadow_mode", shadowSampleRatio }), {}, draw).shadow !== null;

  it.each([
    [1, 0.999_99, true],
    [0.5, 0.499_99, true],
    [0.5, 0.5, false],
    [0, 0, false],
  ])("of ratio %d includes a call with draw %d: %s", (ratio, draw, taken) => {
    expect(sampled(ratio, draw)).toBe(taken);
  });

  it("leaves a call that it omits eligible and does not change its route", () => {
    const plan = planOf({ phase: "dual_write", flags: all, newSystemPercentage: 25, shadowSampleRatio: 0.1 });
    expect(routeOf(plan, within, 0.5)).toEqual({ ...routeOf(plan, within, 0), shadow: null });
    expect(routeOf(plan, within, 0.5).eligible).toBe(true);
  });

  it("includes the stated share of the calls of a book, of a user, and of nobody", () => {
    const plan = planOf({ phase: "shadow_mode", shadowSampleRatio: 0.2 });
    for (const unit of ["UST", "amy", ""]) {
      const taken = Array.from({ length: 20_000 }, (_, call) => sampleDraw(plan, unit, call)).filter(
        (draw) => draw < 0.2,
      ).length;
      expect(Math.abs(taken / 20_000 - 0.2)).toBeLessThan(4 * Math.sqrt((0.2 * 0.8) / 20_000));
    }
  });

  it("is independent of the cohort that modern answers: both groups have the same share of compared calls", () => {
    const plan = planOf({ phase: "dual_write", flags: all, newSystemPercentage: 20, shadowSampleRatio: 0.2 });
    const taken = { legacy: [0, 0], modern: [0, 0] };
    for (let number = 0; number < 20_000; number++) {
      const key = { book: `BOOK-${number}` };
      const route = routeOf(plan, key, sampleDraw(plan, key.book, 1));
      const [seen, compared] = taken[route.answer] as [number, number];
      taken[route.answer] = [seen + 1, compared + (route.shadow === null ? 0 : 1)];
    }
    for (const [seen, compared] of Object.values(taken) as [number, number][]) {
      expect(seen).toBeGreaterThan(3_000);
      expect(Math.abs(compared / seen - 0.2)).toBeLessThan(4 * Math.sqrt((0.2 * 0.8) / seen));
    }
  });

  it("hashes the flag shadow_sample, as the test vector of docs/rollout.md shows", () => {
    expect(sampleDraw(planOf({ phase: "shadow_mode", shadowSampleRatio: 0.5 }), "UST", 1)).toBe(
      5_811 / 100_000,
    );
  });

  it("of ratio 1 computes no draw", () => {
    expect(sampleDraw(planOf({ phase: "shadow_mode" }), "UST", 1)).toBe(0);
  });
});

/** The precedence of docs/rollout.md in an independent form: the first rule that applies is the route. */
interface Rule {
  readonly when: (plan: MigrationPlan, key: CallKey) => boolean;
  readonly answer: "legacy" | "modern";
  readonly because: RouteReason;
  readonly compares?: false;
}
const isOff = (plan: MigrationPlan): boolean => !plan.useNewPnlSystem || plan.migrationMode === "old_only";
const isGone = (plan: MigrationPlan): boolean => plan.legacyWindow === "closed";
const isPast = (plan: MigrationPlan, phase: Phase): boolean =>
  phases.indexOf(plan.phase) >= phases.indexOf(phase);
const listed = (list: ReadonlySet<string>, { user }: CallKey): boolean =>
  [...list].some((name) => name === user);
const unit = (plan: MigrationPlan, { book, user }: CallKey): string =>
  plan.bucketBy === "book" && book !== undefined ? book : (user ?? "");
const rules: readonly Rule[] = [
  {
    when: (plan) => isOff(plan) && isGone(plan),
    answer: "modern",
    because: "LEGACY_CLOSED",
    compares: false,
  },
  { when: (plan) => !plan.useNewPnlSystem, answer: "legacy", because: "KILL_SWITCH", compares: false },
  { when: isOff, answer: "legacy", because: "OLD_ONLY", compares: false },
  { when: (plan) => !isPast(plan, "dual_write"), answer: "legacy", because: "PHASE" },
  { when: (plan) => !plan.flags.calculator, answer: "legacy", because: "NO_CAPABILITY" },
  {
    when: (plan) => isPast(plan, "cleanup") || plan.migrationMode === "new_only",
    answer: "modern",
    because: "PHASE",
  },
  { when: (plan, key) => listed(plan.userDenylist, key), answer: "legacy", because: "DENYLIST" },
  { when: (plan) => isPast(plan, "primary_switch"), answer: "modern", because: "PHASE" },
  { when: (plan, key) => listed(plan.userWhitelist, key), answer: "modern", because: "WHITELIST" },
  { when: (plan, key) => unit(plan, key) === "", answer: "legacy", because: "NO_UNIT" },
  {
    when: (plan, key) => isWithin(bucketOf(routeFlag, plan.salt, unit(plan, key)), plan.newSystemPercentage),
    answer: "modern",
    because: "WITHIN_PERCENTAGE",
  },
  { when: () => true, answer: "legacy", because: "OUTSIDE_PERCENTAGE" },
];

/**
 * Phases × kill switch × mode × window × flags × lists × percentages × units × keys, without refused plans.
 */
function* everyCase(): Generator<{ plan: MigrationPlan; key: CallKey }> {
  const lists: readonly Partial<PlanInput>[] = [
    {},
    { userWhitelist: ["amy"] },
    { userDenylist: ["amy"] },
    { userWhitelist: ["amy"], userDenylist: ["amy"] },
  ];
  const keys: readonly CallKey[] = [
    {},
    within,
    outside,
    { user: "amy", book: "UST" },
    { user: "bob", book: "" },
  ];
  for (const [
    phase,
    useNewPnlSystem,
    migrationMode,
    legacyWindow,
    flags,
    list,
    newSystemPercentage,
    bucketBy,
  ] of product(
    phases,
    [true, false],
    migrationModes,
    ["open", "closed"] as const,
    [all, ...capabilities.map((capability) => ({ ...all, [capability]: false }))],
    lists,
    [0, 25, 100],
    ["book", "user"] as const,
  )) {
    const plan = accepted({
      phase,
      useNewPnlSystem,
      migrationMode,
      legacyWindow,
      flags,
      newSystemPercentage,
      bucketBy,
      ...list,
    });
    if (plan !== undefined) for (const key of keys) yield { plan, key };
  }
}

function* product<Lists extends readonly (readonly unknown[])[]>(
  ...[first, ...others]: Lists
): Generator<{ [At in keyof Lists]: Lists[At][number] }> {
  if (first === undefined) yield [] as never;
  else
    for (const value of first)
      for (const rest of product(...others)) yield [value, ...(rest as readonly unknown[])] as never;
}

function accepted(input: PlanInput): MigrationPlan | undefined {
  try {
    return planOf(input);
  } catch {
    return undefined;
  }
}

const describeCase = (plan: MigrationPlan, key: CallKey): string =>
  JSON.stringify({
    ...plan,
    userWhitelist: [...plan.userWhitelist],
    userDenylist: [...plan.userDenylist],
    key,
  });
