/** Checks the dashboard and the alert rules of examples/monitoring against what a gateway really reports. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { parse } from "yaml";
import { signals } from "../../src/surfaces/gateway/metric-catalogue.ts";
import { root } from "../cli/run-cli.ts";
import { ask, desk } from "../gateway/desk.ts";

const file = (name: string): string => join(root, "examples/monitoring", name);
const read = (name: string): string => readFileSync(file(name), "utf8");

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly action: string };
}
const rules: readonly Rule[] = parse(read("alerts.yml")).groups.flatMap(
  ({ rules }: { readonly rules: readonly Rule[] }) => rules,
);

interface DashboardPanel {
  readonly id: number;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly w: number };
  readonly targets: readonly { readonly expr: string }[];
}
const panels: readonly DashboardPanel[] = JSON.parse(read("grafana-dashboard.json")).panels;

/** Each metric of an expression, with the labels by which it is selected. */
const metricsIn = (expr: string): readonly (readonly [name: string, labels: readonly string[]])[] =>
  [...expr.matchAll(/\b((?:pnl_bridge|process|nodejs)_\w+|up\b)(?:\{([^}]*)\})?/g)].map(
    ([, name = "", selectors = ""]) => [
      name,
      [...selectors.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label = ""]) => label),
    ],
  );

it("the expressions of the dashboard and of the alerts use only metrics and labels that a gateway has", async () => {
  const { url } = await desk();
  const { text } = await ask(`${url}/metrics`);
  const names = new Set([...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name));
  const labelsOf = new Map<string, readonly string[]>(
    Object.values(signals).map(({ name, labels }) => [name, labels]),
  );
  const expressions = [
    ...rules.map(({ expr }) => expr),
    ...panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
  ];
  for (const expr of expressions) {
    const used = metricsIn(expr);
    expect([expr, used.length > 0]).toEqual([expr, true]);
    // Prometheus itself adds `up`, `job` and `instance`.
    for (const [name, labels] of used) {
      expect([expr, name, name === "up" || names.has(name)]).toEqual([expr, name, true]);
      const known = ["job", "instance", ...(labelsOf.get(name) ?? [])];
      expect([expr, labels.filter((label) => !known.includes(label))]).toEqual([expr, []]);
    }
    const grouped = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list = ""]) => list.split(", "));
    const known = ["instance", ...used.flatMap(([name]) => labelsOf.get(name) ?? [])];
    expect([expr, grouped.filter((label) => !known.includes(label))]).toEqual([expr, []]);
  }
});

it("every alert says what happened and what to do, and every panel has its place", () => {
  for (const { alert, labels, annotations } of rules)
    expect([alert, labels.severity, annotations]).toEqual([
      expect.stringMatching(/^PnlBridge\w+$/),
      expect.stringMatching(/^(page|ticket)$/),
      { summary: expect.stringMatching(/.{20}/), action: expect.stringMatching(/.{20}/) },
    ]);
  expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  for (const { title, gridPos } of panels)
    expect([title, gridPos.x + gridPos.w <= 24]).toEqual([title, true]);
});

it.skipIf(spawnSync("promtool", ["--version"]).error !== undefined)(
  "promtool accepts the alert rules (skipped where it is not installed)",
  () => {
    const { status, stderr } = spawnSync("promtool", ["check", "rules", file("alerts.yml")], {
      encoding: "utf8",
    });
    expect([status, stderr]).toEqual([0, expect.anything()]);
  },
);
