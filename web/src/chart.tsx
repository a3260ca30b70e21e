/**
 * A chart of lines or bars over days or instants. Exact numbers become binary only for their place on the
 * screen; the legend shows the exact texts. uPlot's own times are not used, since it formats them in the
 * browser's zone and not in the desk's.
 */
import { useEffect, useRef } from "react";
import uPlot from "uplot";

interface ChartSeries {
  readonly label: string;
  /** Decimal texts or `p/q`, one for each place on the x axis; null is drawn as a gap. */
  readonly values: readonly (string | null)[];
  readonly as: "line" | "dashes" | "bars";
}

interface ChartProps {
  /** A description of the chart for screen readers. */
  readonly label: string;
  /** Ascending places on the x axis. */
  readonly x: readonly number[];
  /** The text of a place on the x axis. */
  readonly textOf: (x: number) => string;
  readonly series: readonly ChartSeries[];
  readonly height?: number;
}

const barPaths = uPlot.paths.bars?.({ size: [0.6, 24] });
const colors = { line: "--accent", dashes: "--warn", bars: "--soft" } as const;

export function Chart({ label, x, textOf, series, height = 260 }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const target = box.current;
    if (target === null) return;
    const color = (name: string): string => getComputedStyle(target).getPropertyValue(name);
    const axis = { stroke: () => color("--soft"), grid: { stroke: () => color("--line"), width: 1 } };
    const chart = new uPlot(
      {
        width: target.clientWidth,
        height,
        scales: { x: { time: false } },
        cursor: { drag: { x: true, y: false } },
        // The sign of a series in the legend is drawn like its line, so that no color is needed.
        legend: {
          markers: { dash: (_, index) => (series[index - 1]?.as === "dashes" ? "dashed" : "solid") },
        },
        axes: [
          { ...axis, values: (_, places) => places.map((place) => textOf(place)), space: 90 },
          {
            ...axis,
            size: (_, texts) => 20 + 7.5 * Math.max(0, ...(texts ?? []).map((text) => text.length)),
            values: (_, places) => places.map((place) => place.toLocaleString("en-US")),
          },
        ],
        series: [
          { label: "At", value: (_, place) => (place === null ? "–" : textOf(place)) },
          ...series.map(({ label: name, values, as }): uPlot.Series => {
            const stroke = (): string => color(colors[as]);
            return {
              label: name,
              stroke,
              width: as === "bars" ? 1 : 2,
              ...(as === "bars" && barPaths !== undefined && { paths: barPaths, fill: stroke }),
              ...(as === "dashes" && { dash: [6, 4] }),
              points: { show: x.length < 60 && as !== "bars" },
              value: (_, __, ___, index) => (index === null ? "–" : (values[index] ?? "not available")),
            };
          }),
        ],
      },
      [[...x], ...series.map(({ values }) => values.map(drawn))],
      target,
    );
    const resized = new ResizeObserver(() => chart.setSize({ width: target.clientWidth, height }));
    resized.observe(target);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const redraw = (): void => chart.redraw(false);
    dark.addEventListener("change", redraw);
    return () => {
      resized.disconnect();
      dark.removeEventListener("change", redraw);
      chart.destroy();
    };
  }, [x, textOf, series, height]);
  return <div ref={box} className="chart" role="img" aria-label={label} />;
}

/** The place of an exact number on the screen. */
function drawn(text: string | null): number | null {
  if (text === null) return null;
  const [numerator = "", denominator = "1"] = text.split("/");
  return Number(numerator) / Number(denominator);
}
