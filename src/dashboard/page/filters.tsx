/** The filters of "Requests", which are in its address. A new one is a member of FILTERS and a control of the form. */
import { useAnswer } from "./answer";
import { Field } from "./pieces";
import { goTo, linkTo } from "./place";
import { workspaceName } from "./say";

export const FILTERS = [
  "workspace",
  "key_id",
  "model",
  "provider",
  "status",
  "code",
  "kind",
  "metadata",
  "since",
  "until",
  "own",
] as const;

export function Filters({ query }: { readonly query: Readonly<Record<string, string>> }) {
  const workspaces = useAnswer("/workspaces");
  const routes = useAnswer("/routes");
  const set = (name: string, value: string) => goTo(linkTo("requests", "", { ...query, [name]: value }));
  const known = (values: readonly string[], now: string | undefined) =>
    [...new Set([...values, ...(now ? [now] : [])])].sort();
  const select = (name: string, label: string, values: readonly string[]) => (
    <Field label={label}>
      <select value={query[name] ?? ""} onChange={({ currentTarget }) => set(name, currentTarget.value)}>
        <option value="">all</option>
        {known(values, query[name]).map((value) => (
          <option key={value} value={value}>
            {workspaceName(value)}
          </option>
        ))}
      </select>
    </Field>
  );
  const text = (name: string, label: string, example: string) => (
    <Field label={label}>
      <input
        value={query[name] ?? ""}
        placeholder={example}
        size={14}
        onChange={({ currentTarget }) => set(name, currentTarget.value.trim())}
      />
    </Field>
  );
  const isFiltered = Object.values(query).some((value) => value !== "");
  return (
    <form class="row filters" onSubmit={(event) => event.preventDefault()}>
      {select("workspace", "Workspace", workspaces.said?.workspaces.map(({ name }) => name) ?? [])}
      {select("model", "Model", routes.said?.routes.map(({ model }) => model) ?? [])}
      {select("provider", "Provider", routes.said?.routes.map(({ provider }) => provider) ?? [])}
      {select("status", "Status", ["200", "failed", "4xx", "5xx", "429"])}
      {text("code", "Error code", "rate_limited")}
      {query.kind ? text("kind", "Error kind", "") : null}
      {text("key_id", "Key id", "key_…")}
      {text("metadata", "Metadata", "team=search")}
      {text("since", "Since", "24h")}
      {text("until", "Until", "1h")}
      <label class="check">
        <input
          type="checkbox"
          checked={query.own !== ""}
          onChange={({ currentTarget }) => set("own", currentTarget.checked ? "shown" : "")}
        />
        The gateway's own probes, too
      </label>
      {isFiltered ? (
        <button
          type="button"
          class="plain"
          onClick={({ currentTarget }) => {
            // This button goes.
            currentTarget.form?.querySelector("select")?.focus();
            goTo(linkTo("requests"));
          }}
        >
          Clear the filters
        </button>
      ) : null}
    </form>
  );
}
