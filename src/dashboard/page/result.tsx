/** One model's result for the lines: its facts, the matrix of similarities, the map, the vectors. */

import { useSignal } from "@preact/signals";
import { download } from "./browser";
import { put } from "./into";
import { cosine, mapOf } from "./pca";
import type { Embedded } from "./playground-state";
import { count, milliseconds, usd } from "./say";
import { Table } from "./table";

const SHOWN = 24;
const NUMBERS_SHOWN = 12;

const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
const rowsOf = (rows: readonly (readonly (string | number)[])[]) =>
  rows.map((row) => row.join(",")).join("\n");

export function Result({ result, price }: { readonly result: Embedded; readonly price: number | null }) {
  const { model, vectors, tokens, ms } = result;
  const cost = price === null ? "unpriced" : usd((price * tokens) / 1e6);
  return (
    <section class="result" aria-label={`Vectors of ${model}`}>
      <div class="caption">
        <h2>{model}</h2>
      </div>
      <p class="facts">
        <span>
          <b>{vectors.length}</b> vectors
        </span>
        <span>
          <b>{vectors[0]?.length ?? 0}</b> dimensions
        </span>
        <span>
          <b>{count(tokens)}</b> tokens
        </span>
        <span>
          <b>{cost}</b> at list price
        </span>
        <span>
          <b>{milliseconds(ms)}</b>
        </span>
      </p>
      <Matrix result={result} />
      <PointMap result={result} />
      <details>
        <summary>Vectors of {model}</summary>
        <button
          type="button"
          class="plain"
          onClick={() =>
            download(
              `${model}.csv`,
              rowsOf(result.lines.map((line, i) => [quoted(line), ...(vectors[i] ?? [])])),
            )
          }
        >
          Download CSV of all dimensions
        </button>
        <Table
          isQuiet
          caption={`Vectors of ${model}`}
          rows={result.lines.map((line, i) => ({ line, i }))}
          keyOf={({ i }) => String(i)}
          empty=""
          columns={[
            { head: "Line", isName: true, cell: ({ line }) => <span class="cut">{line}</span> },
            {
              head: "First values",
              cell: ({ i }) => (
                <code>
                  {[...(vectors[i]?.slice(0, 6) ?? [])].map((value) => value.toFixed(4)).join(" ")} …
                </code>
              ),
            },
          ]}
        />
      </details>
    </section>
  );
}

/** A heat map that is a table: each cell's colour repeats its number. */
function Matrix({ result: { model, lines, vectors } }: { readonly result: Embedded }) {
  const shown = vectors.slice(0, SHOWN);
  const all = shown.map((one) => shown.map((other) => cosine(one, other)));
  const others = all.flatMap((row, i) => row.filter((_, j) => i !== j));
  const least = Math.min(...others, 1);
  const most = Math.max(...others, least + 1e-6);
  return (
    <>
      <div class="caption">
        <h3>How alike the lines are (cosine)</h3>
        <button
          type="button"
          class="plain"
          onClick={() =>
            download(
              `${model} similarities.csv`,
              rowsOf([
                ["line", ...lines.slice(0, SHOWN).map(quoted)],
                ...all.map((row, i) => [quoted(lines[i] ?? ""), ...row]),
              ]),
            )
          }
        >
          CSV<span class="hidden"> of the similarities of {model}</span>
        </button>
      </div>
      {vectors.length > SHOWN ? <p class="quiet">Of the first {SHOWN} lines.</p> : null}
      <section class="scroll" tabIndex={0} aria-label={`Similarities of ${model}`}>
        <table class="matrix">
          <thead>
            <tr>
              <th scope="col">Line</th>
              {shown.map((_, i) => (
                <th key={i} scope="col" title={lines[i]}>
                  {i + 1}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {all.map((row, i) => (
              <tr key={i}>
                <th scope="row" title={lines[i]}>
                  <span class="cut">
                    {i + 1} {lines[i]}
                  </span>
                </th>
                {row.map((value, j) => (
                  <td
                    key={j}
                    title={`${i + 1} and ${j + 1}: ${value.toFixed(4)}`}
                    class={i === j ? "self" : undefined}
                    style={
                      i === j
                        ? undefined
                        : {
                            background: `color-mix(in oklab, var(--one) ${Math.round(((value - least) / (most - least)) * 45)}%, var(--paper))`,
                          }
                    }
                  >
                    <span class={shown.length > NUMBERS_SHOWN ? "hidden" : undefined}>
                      {value.toFixed(2)}
                    </span>
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </>
  );
}

const WIDTH = 520;
const HEIGHT = 300;
const EDGE = 24;

function PointMap({ result: { model, lines, vectors } }: { readonly result: Embedded }) {
  const near = useSignal<number | undefined>(undefined);
  const points = mapOf(vectors);
  const reach = Math.max(
    1e-9,
    ...points.flatMap(({ x, y }) => [Math.abs(x), Math.abs(y) * (WIDTH / HEIGHT)]),
  );
  const place = ({ x, y }: { readonly x: number; readonly y: number }) => ({
    left: WIDTH / 2 + (x / reach) * (WIDTH / 2 - EDGE),
    top: HEIGHT / 2 - ((y * (WIDTH / HEIGHT)) / reach) * (HEIGHT / 2 - EDGE),
  });
  return (
    <figure class="plot">
      <figcaption>
        <h3>Map: near is alike (PCA)</h3>
      </figcaption>
      <svg class="map" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} aria-hidden="true">
        {points.map((point, i) => {
          const { left, top } = place(point);
          const isNear = near.value === i;
          return (
            <g
              key={i}
              class={isNear ? "near" : undefined}
              onMouseEnter={() => put(near, i)}
              onMouseLeave={() => put(near, undefined)}
            >
              <circle cx={left} cy={top} r={isNear ? 7 : 5} />
              <text x={left + 11} y={top + 4}>
                {i + 1}
              </text>
            </g>
          );
        })}
      </svg>
      <p class="quiet hint">
        {near.value === undefined
          ? "Point at a dot to read its line."
          : `${near.value + 1} ${lines[near.value]}`}
      </p>
      <details>
        <summary>
          Table<span class="hidden"> of the map of {model}</span>
        </summary>
        <button
          type="button"
          class="plain"
          onClick={() =>
            download(
              `${model} map.csv`,
              rowsOf([["line", "x", "y"], ...points.map(({ x, y }, i) => [quoted(lines[i] ?? ""), x, y])]),
            )
          }
        >
          Download CSV<span class="hidden"> of the map of {model}</span>
        </button>
        <Table
          isQuiet
          caption={`Map of ${model}`}
          rows={points.map((point, i) => ({ ...point, i }))}
          keyOf={({ i }) => String(i)}
          empty=""
          columns={[
            { head: "Line", isName: true, cell: ({ i }) => `${i + 1} ${lines[i]}` },
            { head: "x", isNumber: true, cell: ({ x }) => x.toFixed(3) },
            { head: "y", isNumber: true, cell: ({ y }) => y.toFixed(3) },
          ]}
        />
      </details>
    </figure>
  );
}
