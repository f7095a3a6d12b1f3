/**
 * `embedgate requests list | show`: single requests from the ledger, found by id or time, with their outcome.
 * A new column of the list goes to the end of COLUMNS; a single request is shown with all its members.
 */
import { OWN_WORKSPACE } from "../books/ledger";
import { creditsOf, usdOf } from "../books/money";
import type { RecordedRequest, Statuses } from "../books/requests";
import { CAUSES } from "../domain/causes";
import { isErrorKind } from "../domain/errors";
import { realOutside } from "../network/real-outside";
import { screen } from "../terminal/screen";
import { table } from "../terminal/table";
import { json } from "./json";
import { withStore } from "./with-store";

interface Common {
  readonly config?: string;
  readonly json?: boolean;
}

interface ListOptions extends Common {
  /** How many milliseconds before now. */
  readonly since: number;
  readonly status?: Statuses;
  readonly workspace?: string;
  readonly model?: string;
  readonly provider?: string;
  readonly code?: string;
  readonly limit: number;
}

export function listRequests(options: ListOptions): Promise<number> {
  return withStore(options, async (stores, { workspaceDefaults }) => {
    const { since, status: statuses, workspace, model, provider, code, limit } = options;
    // A misspelt workspace has no requests, which would look like a valid answer.
    if (workspace !== undefined && workspace !== OWN_WORKSPACE)
      await stores.openWorkspaces(() => workspaceDefaults).show(workspace);
    const filter = { since: realOutside.now() - since, statuses, workspace, model, provider, code };
    // One row more than is shown tells whether there are more.
    const found = await stores.openRequests().list(filter, limit + 1);
    const shown = found.slice(0, limit);
    if (options.json) console.log(json(shown.map(asRecord)));
    else {
      console.log(inTable(shown));
      if (found.length > limit)
        console.error(`The latest ${limit} are shown; --limit shows more, or a shorter --since fewer.`);
    }
    return 0;
  });
}

export function showRequest(id: string, options: Common): Promise<number> {
  return withStore(options, async (stores) => {
    const requests = stores.openRequests();
    const found = await requests.show(id);
    if (found) {
      console.log(options.json ? json(asRecord(found)) : inLines(found));
      return 0;
    }
    const near = await requests.refusedWith(id);
    const refused = near.length === 0 ? "" : `\n\nRefused in that request's minute:\n\n${inTable(near)}`;
    console.error(
      `The ledger has no request '${id}'. Requests without a valid key have no row, and of those refused alike within a minute only the last has one: look for the id in the gateway's log ('request failed').${refused}`,
    );
    return 1;
  });
}

const COLUMNS: readonly (readonly [heading: string, of: (row: RecordedRequest) => string | bigint])[] = [
  ["TIME (UTC)", ({ started_at }) => isoOf(started_at).slice(0, 19).replace("T", " ")],
  ["REQUEST", ({ request_id }) => request_id],
  ["STATUS", ({ status, error }) => (status === 0n && error === null ? "in flight" : status)],
  ["CODE", ({ error }) => error ?? ""],
  ["PROVIDER", ({ provider }) => provider ?? ""],
  ["MODEL", ({ model }) => model],
  ["WORKSPACE", ({ workspace }) => workspace],
  ["MS", ({ latency_ms }) => latency_ms],
  ["TIMES", ({ refusals }) => refusals ?? 1n],
];

function inTable(rows: readonly RecordedRequest[]): string {
  return table(
    [COLUMNS.map(([heading]) => heading), ...rows.map((row) => COLUMNS.map(([, of]) => of(row)))],
    screen(),
  );
}

/** Amounts are text, because a program that reads them as floats would lose digits. */
function asRecord(row: RecordedRequest) {
  const { metadata, started_at, upstream_status, refusals } = row;
  const said: unknown = metadata === null ? null : JSON.parse(metadata);
  return {
    request: row.request_id,
    time: isoOf(started_at),
    workspace: row.workspace,
    key: row.key_id,
    model: row.model,
    provider: row.provider,
    status: Number(row.status),
    code: row.error,
    kind: row.kind,
    cause: causeOf(row),
    upstream_status: upstream_status === null ? null : Number(upstream_status),
    latency_ms: Number(row.latency_ms),
    inputs: Number(row.inputs),
    cache_hits: Number(row.cache_hits),
    tokens: Number(row.tokens),
    tokens_upstream: Number(row.tokens_upstream),
    tokens_abandoned: Number(row.tokens_abandoned),
    tokens_billed: Number(row.tokens_billed),
    tokens_source: row.tokens_source,
    cost_usd: usdOf(row.cost_pico_usd),
    upstream_usd: usdOf(row.upstream_pico_usd),
    credits: creditsOf(row.micro_credits),
    user: row.user,
    metadata: said,
    // For a row that stands for several refusals.
    refused_alike: refusals === null ? null : Number(refusals),
  };
}

function inLines(row: RecordedRequest): string {
  const lines = Object.entries(asRecord(row)).flatMap(([name, value]) => {
    if (value === null || value === "") return [];
    return [[name, typeof value === "object" ? JSON.stringify(value) : String(value)]];
  });
  const more =
    row.status === 200n
      ? ""
      : `\n\nThe gateway's log has its message: search for ${row.request_id} ('request failed').`;
  return `${table(lines)}${more}`;
}

/** The cause and what to look at; null for an answered request. */
function causeOf({ status, error, kind }: RecordedRequest): string | null {
  if (kind !== null && isErrorKind(kind)) return CAUSES[kind];
  if (status === 0n)
    return error === null
      ? "It is in flight."
      : "The gateway ended, or was killed, while the request was in flight.";
  return null;
}

const isoOf = (at: bigint) => new Date(Number(at)).toISOString();
