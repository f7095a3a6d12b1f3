/** Search over the lines of the playground: a query's nearest lines, by each model. */

import { useSignal } from "@preact/signals";
import { messageOf } from "./answer";
import { into } from "./into";
import { cosine } from "./pca";
import { Bar, Field, Problem } from "./pieces";
import { embed, results } from "./playground-state";
import { Table } from "./table";
import { tell } from "./told";

interface Found {
  readonly model: string;
  readonly query: string;
  readonly lines: readonly { readonly line: string; readonly score: number; readonly i: number }[];
}

const SHOWN = 10;

export function Search() {
  const query = useSignal("");
  const found = useSignal<readonly Found[]>([]);
  const problem = useSignal<string | undefined>(undefined);
  return (
    <section>
      <div class="caption">
        <h2>Search the lines</h2>
      </div>
      <form
        class="row"
        onSubmit={async (event) => {
          event.preventDefault();
          const text = query.value.trim();
          if (text === "") return;
          try {
            found.value = await Promise.all(
              results.value.map(async ({ model, lines, vectors }): Promise<Found> => {
                const own = (await embed(model, [text])).vectors[0] ?? new Float32Array();
                return {
                  model,
                  query: text,
                  lines: lines
                    .map((line, i) => ({ line, i, score: cosine(own, vectors[i] ?? []) }))
                    .sort((a, b) => b.score - a.score)
                    .slice(0, SHOWN),
                };
              }),
            );
            problem.value = undefined;
            tell("The nearest lines are listed.");
          } catch (thrown) {
            problem.value = messageOf(thrown);
          }
        }}
      >
        <Field label="Query">
          <input type="search" size={40} value={query.value} onInput={into(query)} />
        </Field>
        <button type="submit" class="second">
          Search
        </button>
      </form>
      <Problem text={problem.value} />
      <div class={found.value.length > 1 ? "columns" : undefined}>
        {found.value.map(({ model, query: asked, lines }) => (
          <div key={model}>
            <Table
              caption={`“${asked}” by ${model}`}
              rows={lines}
              keyOf={({ i }) => String(i)}
              empty="There is no line."
              columns={[
                { head: "Line", isName: true, cell: ({ line, i }) => `${i + 1} ${line}` },
                {
                  head: "Cosine",
                  cell: ({ score }) => <Bar share={score}>{score.toFixed(3)}</Bar>,
                },
              ]}
            />
          </div>
        ))}
      </div>
    </section>
  );
}
