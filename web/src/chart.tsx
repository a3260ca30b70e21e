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

type Drawn = Required<Pick<ChartProps, "x" | "textOf" | "series" | "height">>;

export function Chart({ label, x, textOf, series, height = 260 }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const drawing = useRef<Drawing>(undefined);
  useEffect(() => {
    if (box.current === null) return;
    const drawn = { x, textOf, series, height };
    if (drawing.current?.show(drawn) === true) return;
    drawing.current?.end();
    drawing.current = new Drawing(box.current, drawn);
  }, [x, textOf, series, height]);
  useEffect(
    () => () => {
      drawing.current?.end();
      drawing.current = undefined;
    },
    [],
  );
  return <div ref={box} className="chart" role="img" aria-label={label} />;
}

const barPaths = uPlot.paths.bars?.({ size: [0.6, 24] });
const colors = { line: "--accent", dashes: "--warn", bars: "--soft" } as const;

/** A chart on the screen. It keeps its canvas if only its data change, because a new canvas is expensive. */
class Drawing {
  readonly #plot: uPlot;
  readonly #ended = new AbortController();
  #drawn: Drawn;

  constructor(target: HTMLElement, drawn: Drawn) {
    this.#drawn = drawn;
    const { height, series } = drawn;
    const color = (name: string): string => getComputedStyle(target).getPropertyValue(name);
    const textOf = (place: number): string => this.#drawn.textOf(place);
    const axis = { stroke: () => color("--soft"), grid: { stroke: () => color("--line"), width: 1 } };
    this.#plot = new uPlot(
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
          { ...axis, values: (_, places) => places.map(textOf), space: 90 },
          {
            ...axis,
            size: (_, texts) => 20 + 7.5 * Math.max(0, ...(texts ?? []).map((text) => text.length)),
            values: (_, places) => places.map((place) => place.toLocaleString("en-US")),
          },
        ],
        series: [
          { label: "At", value: (_, place) => (place === null ? "–" : textOf(place)) },
          ...series.map(({ label, as }, at): uPlot.Series => {
            const stroke = (): string => color(colors[as]);
            return {
              label,
              stroke,
              width: as === "bars" ? 1 : 2,
              ...(as === "bars" && barPaths !== undefined && { paths: barPaths, fill: stroke }),
              ...(as === "dashes" && { dash: [6, 4] }),
              points: { show: () => this.#drawn.x.length < 60 && as !== "bars" },
              value: (_, __, ___, index) =>
                index === null ? "–" : (this.#drawn.series[at]?.values[index] ?? "not available"),
            };
          }),
        ],
      },
      dataOf(drawn),
      target,
    );
    const { signal } = this.#ended;
    const resized = new ResizeObserver(() => this.#plot.setSize({ width: target.clientWidth, height }));
    resized.observe(target);
    signal.addEventListener("abort", () => resized.disconnect());
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", () => this.#plot.redraw(false), { signal });
  }

  /**
   * Shows other data. If the data are equal, draws nothing and keeps a zoom. Returns false if the series or
   * the height change, or if only one of the old and the new data is empty: uPlot would keep the former axis.
   */
  show(drawn: Drawn): boolean {
    const before = this.#drawn;
    if (kindOf(before) !== kindOf(drawn)) return false;
    this.#drawn = drawn;
    if (contentOf(before) === contentOf(drawn)) return true;
    this.#plot.setData(dataOf(drawn));
    // The texts of the axes may be others for the same places.
    this.#plot.redraw(false, true);
    return true;
  }

  end(): void {
    this.#ended.abort();
    this.#plot.destroy();
  }
}

const kindOf = ({ x, series, height }: Drawn): string =>
  JSON.stringify([x.length === 0, height, ...series.map(({ label, as }) => [label, as])]);

const contentOf = ({ x, textOf, series }: Drawn): string =>
  JSON.stringify([x, x.map(textOf), series.map(({ values }) => values)]);

const dataOf = ({ x, series }: Drawn): uPlot.AlignedData => [
  [...x],
  ...series.map(({ values }) => values.map(placeOf)),
];

/** The place of an exact number on the screen. */
function placeOf(text: string | null): number | null {
  if (text === null) return null;
  const [numerator = "", denominator = "1"] = text.split("/");
  return Number(numerator) / Number(denominator);
}
