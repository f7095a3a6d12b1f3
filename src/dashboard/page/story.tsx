/** One request in full detail: its outcome, each upstream call, and the source of each token count. */
import type { AdminRequest } from "../../admin/api/requests";
import { useAnswer } from "./answer";
import { Copied, Problem, Waiting } from "./pieces";
import { linkTo } from "./place";
import { count, milliseconds, moment, usd } from "./say";
import { Table } from "./table";

type Detail = AdminRequest["request"];

export function Story({ id }: { readonly id: string }) {
  const { said, problem } = useAnswer("/requests/{request}", { params: { request: id } });
  return (
    <>
      <p>
        <a href={linkTo("requests")}>← Requests</a>
      </p>
      <header class="headline">
        <h1 class="id">
          {id} <Copied text={id} />
        </h1>
      </header>
      <Problem text={problem} />
      {said ? <Told request={said.request} /> : problem ? null : <Waiting />}
    </>
  );
}

function Told({ request }: { readonly request: Detail }) {
  const facts: readonly (readonly [name: string, value: string | null])[] = [
    ["Came", moment(request.time)],
    ["Took", milliseconds(request.latency_ms)],
    ["Workspace", request.workspace],
    ["Key", request.key ?? "none"],
    ["Model", request.model],
    ["Provider", request.provider ?? (request.cache_hits > 0 ? "none: from the cache" : "none")],
    ["User", request.user],
    ["Metadata", metadataOf(request.metadata)],
    ["Refused alike", request.refused_alike === null ? null : `${request.refused_alike} within the minute`],
  ];
  return (
    <>
      <p class={request.state === "answered" ? "outcome" : "outcome bad"}>{outcomeOf(request)}</p>
      {request.cause ? (
        <p class="lead">
          {request.cause.split("`").map((words, i) => (i % 2 === 1 ? <code key={i}>{words}</code> : words))}
        </p>
      ) : null}
      <dl class="facts-list">
        {facts.map(([name, value]) =>
          value === null ? null : (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ),
        )}
      </dl>
      <Calls request={request} />
      <div class="columns">
        <div>
          <Tokens request={request} />
        </div>
        <div>
          <Table
            caption="Owed to providers"
            rows={request.by_provider}
            keyOf={({ provider }) => provider}
            empty="No provider counted anything."
            columns={[
              { head: "Provider", isName: true, cell: ({ provider }) => provider },
              { head: "Tokens", isNumber: true, cell: ({ tokens }) => tokens.toLocaleString("en-US") },
              {
                head: "Owed",
                isNumber: true,
                cell: (share) => <span title={`${share.usd} USD`}>{usd(share.usd)}</span>,
              },
            ]}
          />
        </div>
      </div>
    </>
  );
}

const metadataOf = (metadata: Detail["metadata"]) =>
  metadata === null
    ? null
    : Object.entries(Object(metadata))
        .map(([name, value]) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`)
        .join(", ");

function outcomeOf({ state, status, inputs, cache_hits, code, kind, upstream_status }: Detail): string {
  const what = `${count(inputs)} ${inputs === 1 ? "input" : "inputs"}`;
  if (state === "under_way") return `${what}, in flight`;
  if (state === "interrupted") return `${what}, interrupted: the gateway ended meanwhile`;
  if (state === "answered")
    return `${what}, answered${cache_hits > 0 ? `, ${count(cache_hits)} from the cache` : ""}`;
  const upstream = upstream_status === null ? "" : `; the provider answered ${upstream_status}`;
  return `${what}, failed with ${status} ${code}${kind && kind !== code ? ` (${kind})` : ""}${upstream}`;
}

function Calls({ request: { calls, calls_made, latency_ms } }: { readonly request: Detail }) {
  const whole = Math.max(1, latency_ms, ...calls.map((call) => call.began_ms + call.latency_ms));
  const hidden = calls_made - calls.length;
  return (
    <>
      <Table
        caption={`Calls to providers${calls.length > 1 ? `: ${calls_made}` : ""}`}
        rows={calls.map((call, i) => ({ ...call, i }))}
        keyOf={({ i }) => String(i)}
        classOf={({ outcome }) => (outcome === "ok" ? "" : "failed")}
        empty="None: it was answered from the cache, or refused before."
        columns={[
          {
            head: "Provider",
            isName: true,
            cell: ({ provider, model }) => (
              <span class="two">
                <b>{provider}</b>
                <small>{model}</small>
              </span>
            ),
          },
          {
            head: "Outcome",
            cell: ({ outcome }) => <span class={outcome === "ok" ? "quiet" : "bad"}>{outcome}</span>,
          },
          { head: "Inputs", isNumber: true, isWide: true, cell: ({ inputs }) => count(inputs) },
          { head: "After", isNumber: true, isWide: true, cell: ({ began_ms }) => milliseconds(began_ms) },
          { head: "Took", isNumber: true, cell: (call) => milliseconds(call.latency_ms) },
          {
            head: "When",
            isDesk: true,
            cell: (call) => (
              <span class="timeline" aria-hidden="true">
                <i
                  class={call.outcome === "ok" ? "one" : "failed"}
                  style={{
                    marginLeft: `${(call.began_ms / whole) * 100}%`,
                    width: `${Math.max(0.5, (call.latency_ms / whole) * 100)}%`,
                  }}
                />
              </span>
            ),
          },
          {
            head: "Tokens",
            isNumber: true,
            cell: ({ tokens, tokens_source }) => (
              <span class="two">
                <span>{tokens === null ? "–" : tokens.toLocaleString("en-US")}</span>
                <small class="narrow">{tokens === null ? "" : sourceOf(tokens_source)}</small>
              </span>
            ),
          },
          { head: "Counted by", isWide: true, cell: ({ tokens_source }) => sourceOf(tokens_source) },
        ]}
      />
      {hidden > 0 ? <p class="quiet">The other {hidden} calls were not kept.</p> : null}
    </>
  );
}

const SOURCES: Readonly<Record<string, string>> = {
  provider: "the provider",
  header: "a header of the provider's",
  counted: "the gateway, exactly",
  estimated: "an estimate",
};
const sourceOf = (source: string | null) => (source === null ? "–" : (SOURCES[source] ?? source));

function Tokens({ request }: { readonly request: Detail }) {
  const rows = [
    ["In the answer", request.tokens, sourceOf(request.tokens_source)],
    [
      "Counted by providers",
      request.tokens_upstream,
      request.tokens_abandoned > 0
        ? `${request.tokens_abandoned} of them estimated, of calls not waited for`
        : "",
    ],
    [
      "Not asked of any provider",
      request.tokens_cached,
      request.tokens_cached > 0 ? `saved ${usd(request.saved_usd)}` : "",
    ],
    [
      "Billed",
      request.tokens_billed,
      `${usd(request.cost_usd)} · ${request.credits} credits${Number(request.credits_short) > 0 ? `, ${request.credits_short} not covered` : ""}`,
    ],
  ] as const;
  return (
    <Table
      caption="Tokens and money"
      rows={rows}
      keyOf={([name]) => name}
      empty=""
      columns={[
        { head: "Tokens", isName: true, cell: ([name]) => name },
        { head: "Count", isNumber: true, cell: ([, value]) => value.toLocaleString("en-US") },
        { head: "From", cell: ([, , words]) => <span class="quiet">{words}</span> },
      ]}
    />
  );
}
