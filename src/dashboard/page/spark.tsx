/** A sparkline: requests per minute, and failed ones in red below. The row's cells have the same numbers. */

const WIDTH = 120;
const HEIGHT = 24;

interface Properties {
  readonly values: readonly (number | null)[];
  readonly bad?: readonly (number | null)[];
}

export function Spark({ values, bad }: Properties) {
  if (values.length === 0) return <span class="quiet">–</span>;
  const most = Math.max(1e-12, ...values.map((value) => value ?? 0));
  const step = WIDTH / Math.max(1, values.length - 1);
  const y = (value: number) => HEIGHT - 1 - (value / most) * (HEIGHT - 3);
  const line = values
    .map((value, i) => `${i === 0 ? "M" : "L"}${(i * step).toFixed(1)} ${y(value ?? 0).toFixed(1)}`)
    .join("");
  return (
    <svg class="spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} width={WIDTH} height={HEIGHT} aria-hidden="true">
      <path class="area" d={`${line}L${WIDTH} ${HEIGHT}L0 ${HEIGHT}Z`} />
      <path class="line" d={line} />
      {bad?.map((value, i) =>
        value ? (
          <rect
            key={i}
            class="bad"
            x={i * step - step * 0.35}
            width={Math.max(1, step * 0.7)}
            y={Math.min(y(value), HEIGHT - 3)}
            height={HEIGHT - Math.min(y(value), HEIGHT - 3)}
          />
        ) : null,
      )}
    </svg>
  );
}
