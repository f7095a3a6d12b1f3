/**
 * A plot over time (uPlot) with its legend as text. The same data are available as a table and as CSV, as screen readers cannot read a canvas.
 */
import { useEffect, useRef } from "preact/hooks";
import UPlot from "uplot";
import { csv } from "../../terminal/csv";
import { download, onSchemeChange, styleOf } from "./browser";
import { day, dayAndClock, dayShort, hourAndMinute } from "./say";
import { Table } from "./table";

export interface Line {
  readonly name: string;
  readonly values: readonly (number | null)[];
  /** A custom property of the stylesheet: --one to --six, --bad. */
  readonly colour: string;
  /** The text after its name; left out: its sum or its last point. */
  readonly says?: string;
}

interface Properties {
  readonly title: string;
  /** Seconds since 1970. */
  readonly times: readonly number[];
  readonly lines: readonly Line[];
  /** How many of the points are drawn; the table and the figures have all of them. Left out: all. */
  readonly drawn?: number;
  /** A point is a day in UTC. */
  readonly isDaily?: boolean;
  readonly say: (value: number) => string;
  /** The legend's figure for a line, such as its last point or its sum. */
  readonly total?: (values: readonly (number | null)[]) => string;
}

const HEIGHT = 150;
/** So that lines are told apart without colours too; the legend has the same (figures.css). */
const DASHES = [[], [6, 3], [2, 3], [10, 3, 2, 3]];
export const COLOURS = ["--one", "--two", "--three", "--four", "--five", "--six"] as const;

export function Plot({ title, times, lines, drawn = times.length, isDaily = false, say, total }: Properties) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<UPlot | undefined>(undefined);
  const names = lines.map(({ name, colour }) => `${name} ${colour}`).join("\n");
  const data: UPlot.AlignedData = [
    times.slice(0, drawn),
    ...lines.map(({ values }) => values.slice(0, drawn)),
  ];

  useEffect(() => {
    const { current } = place;
    if (current === null) return;
    const draw = () => {
      plot.current?.destroy();
      plot.current = new UPlot(options(current.clientWidth, lines, say, isDaily), data, current);
    };
    draw();
    const resized = new ResizeObserver(() => {
      if (plot.current?.width !== current.clientWidth)
        plot.current?.setSize({ width: current.clientWidth, height: HEIGHT });
    });
    resized.observe(current);
    const stop = onSchemeChange(draw);
    return () => {
      resized.disconnect();
      stop();
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [names]);
  useEffect(() => plot.current?.setData(data), [times, lines]);

  const rows = times.map((time, i) => ({ time, i })).reverse();
  return (
    <figure class="plot">
      <figcaption>
        <h2 class="minor">{title}</h2>
        <ul class="legend">
          {lines.map(({ name, colour, values, says }) => (
            <li key={name}>
              <i class={`swatch ${colour.slice(2)}`} />
              {name} <b>{says ?? (total ?? lastOf(say))(values)}</b>
            </li>
          ))}
        </ul>
      </figcaption>
      <div ref={place} class="canvas" aria-hidden="true" />
      <details>
        <summary>
          Table<span class="hidden"> of {title}</span>
        </summary>
        <button type="button" class="plain" onClick={() => download(`${title}.csv`, csvOf(times, lines))}>
          Download CSV<span class="hidden"> of {title}</span>
        </button>
        <Table
          isQuiet
          caption={title}
          rows={rows}
          keyOf={({ time }) => String(time)}
          empty="Nothing yet."
          columns={[
            { head: "Time", isName: true, cell: ({ time }) => (isDaily ? day : dayAndClock)(time * 1_000) },
            ...lines.map(({ name, values }) => ({
              head: name,
              isNumber: true,
              cell: ({ i }: { readonly i: number }) => {
                const value = values[i];
                return value === null || value === undefined ? "–" : say(value);
              },
            })),
          ]}
        />
      </details>
    </figure>
  );
}

const lastOf = (say: (value: number) => string) => (values: readonly (number | null)[]) => {
  const last = values.findLast((value) => value !== null);
  return last === undefined || last === null ? "" : say(last);
};

const csvOf = (times: readonly number[], lines: readonly Line[]) =>
  csv(
    ["time", ...lines.map(({ name }) => name)],
    times.map((time, i) => ({
      time: new Date(time * 1_000).toISOString(),
      ...Object.fromEntries(lines.map(({ name, values }) => [name, values[i] ?? ""])),
    })),
  );

function options(
  width: number,
  lines: readonly Line[],
  say: (value: number) => string,
  isDaily: boolean,
): UPlot.Options {
  const quiet = styleOf("--quiet");
  const rule = styleOf("--rule");
  const axis = { stroke: quiet, font: "11px system-ui, sans-serif", ticks: { show: false } };
  return {
    width: Math.max(100, width),
    height: HEIGHT,
    legend: { show: false },
    tzDate: (time) => (isDaily ? UPlot.tzDate(new Date(time * 1_000), "UTC") : new Date(time * 1_000)),
    cursor: { y: false, points: { size: 6 } },
    padding: [8, 24, 0, 0],
    axes: [
      {
        ...axis,
        grid: { show: false },
        size: 24,
        space: 70,
        values: (_, marks, __, ___, apart) =>
          marks.map((mark) =>
            apart >= 86_400 ? dayShort(mark * 1_000, isDaily) : hourAndMinute(mark * 1_000),
          ),
      },
      {
        ...axis,
        grid: { stroke: rule, width: 1 },
        size: 56,
        space: 36,
        // Each text once: a small scale has marks between whole milliseconds.
        values: (_, marks) => marks.map(say).map((text, i, all) => (text === all[i - 1] ? "" : text)),
      },
    ],
    scales: { y: { range: (_, __, most) => [0, most > 0 ? most * 1.05 : 1] } },
    series: [
      {},
      ...lines.map(({ colour }, i) => ({
        stroke: styleOf(colour),
        dash: DASHES[i] ?? [],
        width: 1.5,
        // One point alone has no line to it.
        points: {
          size: 5,
          show: ({ data }: UPlot, of: number) =>
            Array.from(data[of] ?? []).filter((value) => value != null).length === 1,
        },
        // Connects points across minutes without answers: a single point would not be visible.
        spanGaps: true,
      })),
    ],
  };
}
