/** "Playground": lines of text as vectors of one or two models: their similarity, a map, and a search among them. */

import { useSignal } from "@preact/signals";
import type { AdminModels } from "../../admin/api/models";
import { messageOf, useAnswer } from "./answer";
import { csvRows, textsOf } from "./csv-rows";
import { into, put } from "./into";
import { Field, Problem } from "./pieces";
import { linkTo } from "./place";
import { callerKey, embed, models, needsKey, results, texts } from "./playground-state";
import { Result } from "./result";
import { Search } from "./search";
import { Snippets } from "./snippet-tabs";
import { tell } from "./told";

const LINES_MAX = 200;

const linesOf = (text: string) =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");

export function Playground() {
  const listed = useAnswer("/models");
  const choices = (listed.said?.models ?? []).filter(({ kind }) => kind === "model" || kind === "alias");
  const first = models.value[0] || (choices[0]?.model ?? "");
  const second = models.value[1];
  const problem = useSignal<string | undefined>(undefined);
  const isBusy = useSignal(false);
  const lines = linesOf(texts.value);
  const used = lines.slice(0, LINES_MAX);

  const run = async () => {
    isBusy.value = true;
    problem.value = undefined;
    try {
      const wanted = [...new Set([first, second])].filter((model) => model !== "");
      results.value = await Promise.all(wanted.map((model) => embed(model, used)));
      tell(`${used.length} lines are embedded.`);
    } catch (thrown) {
      problem.value = messageOf(thrown);
    }
    isBusy.value = false;
  };
  return (
    <>
      <header class="headline">
        <div>
          <h1>Playground</h1>
          <p class="lead">
            Each line is a text. They go through the gateway as a caller's would: counted, billed, cached.
          </p>
        </div>
      </header>
      <form
        class="playground"
        onSubmit={(event) => {
          event.preventDefault();
          void run();
        }}
      >
        <Texts />
        <div class="stack">
          <ModelChoice
            label="Model"
            value={first}
            choices={choices}
            choose={(model) => put(models, [model, second])}
          />
          <ModelChoice
            label="Beside it"
            value={second}
            choices={choices}
            none="no other"
            choose={(model) => put(models, [first, model])}
          />
          {needsKey() ? (
            <Field
              label="A caller's key"
              hint="An admin key's session cannot embed. It is kept while this page is open."
            >
              <input type="password" autocomplete="off" value={callerKey.value} onInput={into(callerKey)} />
            </Field>
          ) : null}
          <button type="submit" disabled={isBusy.value || used.length === 0 || first === ""}>
            {isBusy.value ? "Embedding …" : `Embed ${used.length} ${used.length === 1 ? "line" : "lines"}`}
          </button>
          {lines.length > LINES_MAX ? (
            <p class="quiet">
              Only the first {LINES_MAX} lines. For files there is <code>embedgate embed</code>.
            </p>
          ) : null}
          {needsKey() && callerKey.value === "" ? (
            <a class="small" href={linkTo("access")}>
              Make a key
            </a>
          ) : null}
        </div>
      </form>
      <Problem text={problem.value ?? listed.problem} />
      {results.value.length > 0 ? (
        <>
          <div class={results.value.length > 1 ? "columns" : undefined}>
            {results.value.map((result) => (
              <Result key={result.model} result={result} price={priceOf(result.model, choices)} />
            ))}
          </div>
          <Search />
          <Snippets />
        </>
      ) : null}
    </>
  );
}

function priceOf(id: string, choices: AdminModels["models"]): number | null {
  const own = choices.find(({ model }) => model === id);
  const meant = choices.find(({ model }) => model === own?.alias_of) ?? own;
  return meant?.price_usd_per_million_tokens ?? null;
}

function Texts() {
  const isOver = useSignal(false);
  const take = async (file: File | undefined) => {
    isOver.value = false;
    if (!file) return;
    const text = await file.text();
    if (!/\.csv$/i.test(file.name)) {
      texts.value = text;
      return;
    }
    texts.value = textsOf(csvRows(text)).join("\n");
  };
  return (
    <div
      class={isOver.value ? "texts over" : "texts"}
      onDragOver={(event) => {
        event.preventDefault();
        isOver.value = true;
      }}
      onDragLeave={() => put(isOver, false)}
      onDrop={(event) => {
        event.preventDefault();
        void take(event.dataTransfer?.files[0]);
      }}
    >
      <Field label="Texts, one a line">
        <textarea rows={9} value={texts.value} onInput={into(texts)} />
      </Field>
      <Field label="Or a file, dropped or chosen: of a CSV, the column with the longest texts">
        <input
          type="file"
          accept=".csv,.txt,text/plain,text/csv"
          onChange={({ currentTarget }) => void take(currentTarget.files?.[0])}
        />
      </Field>
    </div>
  );
}

interface ChoiceProperties {
  readonly label: string;
  readonly value: string;
  readonly choices: AdminModels["models"];
  readonly none?: string;
  readonly choose: (model: string) => void;
}

const ModelChoice = ({ label, value, choices, none, choose }: ChoiceProperties) => (
  <Field label={label}>
    <select value={value} onChange={({ currentTarget }) => choose(currentTarget.value)}>
      {none === undefined ? null : <option value="">{none}</option>}
      {choices.map(({ model, dimensions }) => (
        <option key={model} value={model}>
          {model}
          {dimensions === null ? "" : ` (${dimensions})`}
        </option>
      ))}
    </select>
  </Field>
);
