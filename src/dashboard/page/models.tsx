/**
 * "Models": sizes, limits, prices, embedding spaces with their neighbours, and end of life. A new column is an entry of `columns`, with its value
 * from src/admin/api/models.ts.
 */
import type { AdminModels } from "../../admin/api/models";
import { useAnswer } from "./answer";
import { Command, Problem, Waiting } from "./pieces";
import { linkTo } from "./place";
import { count, day } from "./say";
import { Table } from "./table";

type Model = AdminModels["models"][number];

export function Models() {
  const { said, problem } = useAnswer("/models", {}, 30);
  const models = said?.models ?? [];
  const ending = models.filter(({ end_of_life_stage }) => end_of_life_stage !== "active");
  return (
    <>
      <header class="headline">
        <div>
          <h1>Models</h1>
          <p class="lead">
            Vectors of one embedding space can be compared; those of two cannot. The gateway measures which is
            which.
          </p>
        </div>
      </header>
      <Problem text={problem} />
      {ending.length > 0 ? (
        <ul class="notices" aria-label="Models that end">
          {ending.map((model) => (
            <li key={model.model} class={model.end_of_life_stage === "ended" ? "error" : "warning"}>
              <strong>{model.model}</strong>
              <p>{countdown(model)}: embed stored texts with another model in time.</p>
              <code>embedgate embed IN --model OTHER --out OUT</code>
            </li>
          ))}
        </ul>
      ) : null}
      {said ? (
        <>
          <List models={models} />
          <Adding isOpen={models.length < 2} />
        </>
      ) : (
        <Waiting />
      )}
    </>
  );
}

const EXAMPLE = `providers:
  local: { plugin: local }
  openai: { plugin: openai, api_key: "\${OPENAI_API_KEY}" }
models:
  all-MiniLM-L6-v2: { routes: [ { provider: local } ] }
  text-embedding-3-small: { routes: [ { provider: openai } ] }`;

/** The page changes no routing file. */
const Adding = ({ isOpen }: { readonly isOpen: boolean }) => (
  <details class="adding" open={isOpen}>
    <summary>Add a model or a provider</summary>
    <p class="lead">
      Both are in the routing file, <code>gateway.yaml</code> in the folder where the gateway runs. For
      example:
    </p>
    <pre class="scroll" tabIndex={0}>
      <code>{EXAMPLE}</code>
    </pre>
    <p class="lead">The gateway uses the file as soon as it is saved. What is wrong with it:</p>
    <Command text="embedgate check" />
  </details>
);

function countdown({ end_of_life, end_of_life_days }: Model): string {
  const days = end_of_life_days ?? 0;
  const when = end_of_life === null ? "" : day(end_of_life);
  return days >= 0 ? `Ends in ${days} days, on ${when}` : `Ended ${-days} days ago, on ${when}`;
}

function List({ models }: { readonly models: readonly Model[] }) {
  return (
    <Table
      caption="Models of the routing file"
      rows={models}
      keyOf={({ model }) => model}
      empty={
        <>
          The routing file has no model. See <code>embedgate models</code>.
        </>
      }
      columns={[
        {
          head: "Model",
          isName: true,
          cell: (model) => (
            <span class="two">
              <b>{model.model}</b>
              <small>{kindOf(model)}</small>
            </span>
          ),
        },
        { head: "Dimensions", isNumber: true, cell: (model) => <Sizes model={model} /> },
        {
          head: "Tokens an input",
          isNumber: true,
          isDesk: true,
          cell: ({ max_input_tokens }) => limit(max_input_tokens),
        },
        { head: "Inputs a call", isNumber: true, isDesk: true, cell: ({ max_inputs }) => limit(max_inputs) },
        {
          head: "Longer inputs",
          isDesk: true,
          cell: ({ long_input }) => long_input ?? <span class="quiet">–</span>,
        },
        {
          head: "USD per 1 M",
          isNumber: true,
          cell: ({ price_usd_per_million_tokens: price, alias_of }) =>
            price ?? <span class="quiet">{alias_of === null ? "unpriced" : "–"}</span>,
        },
        { head: "Embedding space", isWide: true, cell: (model) => <Space model={model} /> },
        { head: "Nearest spaces", isDesk: true, cell: (model) => <Neighbours model={model} /> },
        { head: "Routes", isDesk: true, cell: (model) => <Ways model={model} /> },
        { head: "End of life", cell: (model) => <End model={model} /> },
      ]}
    />
  );
}

const limit = (value: number | null) => (value === null ? <span class="quiet">–</span> : count(value));

function kindOf({ kind, alias_of }: Model): string {
  if (kind === "alias") return `another name of ${alias_of}`;
  if (kind === "pattern") return "a pattern, for any id like it";
  if (kind === "cannot_embed") return "cannot embed";
  return kind === "not_configured" ? "no provider is configured" : "";
}

function Sizes({ model: { dimensions, dimensions_allowed } }: { readonly model: Model }) {
  if (dimensions === null) return <span class="quiet">–</span>;
  const allowed =
    dimensions_allowed === null
      ? undefined
      : Array.isArray(dimensions_allowed)
        ? dimensions_allowed.join(", ")
        : JSON.stringify(dimensions_allowed)
            .replaceAll(/["{}]/g, "")
            .replaceAll(":", " ")
            .replaceAll(",", ", ");
  return (
    <span class="two">
      {dimensions.toLocaleString("en-US")}
      {allowed ? <small class="wide">{allowed}</small> : null}
    </span>
  );
}

const Space = ({ model: { space, space_is_verified, alias_of } }: { readonly model: Model }) =>
  space === null ? (
    <span class="quiet">{alias_of === null ? "not measured" : "–"}</span>
  ) : (
    <span class="two">
      {space}
      <small>{space_is_verified ? "measured" : "one route alone has said so"}</small>
    </span>
  );

const Neighbours = ({ model: { neighbours } }: { readonly model: Model }) =>
  neighbours.length === 0 ? (
    <span class="quiet">–</span>
  ) : (
    <span class="two">
      {neighbours.slice(0, 2).map(({ space, cosine }) => (
        <small key={space}>
          {cosine.toFixed(3)} {space}
        </small>
      ))}
    </span>
  );

const Ways = ({ model: { routes } }: { readonly model: Model }) => (
  <span class="two">
    {routes.map(({ provider, upstream_model, weight, missing_variables }) => (
      <small key={`${provider} ${upstream_model}`} class={missing_variables.length > 0 ? "warn" : undefined}>
        {provider}
        {weight === null ? "" : ` × ${weight}`}
        {missing_variables.length > 0 ? `: ${missing_variables.join(", ")} not set` : ""}
      </small>
    ))}
  </span>
);

function End({ model }: { readonly model: Model }) {
  if (model.end_of_life === null) return <span class="quiet">–</span>;
  const days = model.end_of_life_days ?? 0;
  return (
    <a
      href={linkTo("requests", "", { model: model.model })}
      class={model.end_of_life_stage === "active" ? undefined : "warn"}
      title={`${day(model.end_of_life)}: its requests`}
    >
      {days >= 0 ? `in ${days.toLocaleString("en-US")} days` : `${-days} days ago`}
    </a>
  );
}
