/**
 * "Requests": the ledger's rows, the latest first, with filters and pages; one of them in full detail (story.tsx). They contain no texts.
 * A new column is an entry of `columns`, with its value from src/admin/api/requests.ts.
 */
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import type { AdminRequests } from "../../admin/api/requests";
import { messageOf } from "./answer";
import { addressOf, read } from "./api";
import { now, whileSeen } from "./browser";
import { FILTERS, Filters } from "./filters";
import { Problem, Waiting } from "./pieces";
import { linkTo, place } from "./place";
import { count, dayAndClock, milliseconds, OWN_WORKSPACE, recent, usd, workspaceName } from "./say";
import { Story } from "./story";
import { Table } from "./table";
import { tell } from "./told";

type Request = AdminRequests["requests"][number];

const TAIL_SECONDS = 2;
const PAGE = "50";

/** The request that was shown last: its link gets the focus back. */
let shown = "";

export function Requests() {
  const { rest } = place.value;
  shown = rest || shown;
  return rest === "" ? <List /> : <Story id={rest} />;
}

/** Polls the latest ones, unless older ones are shown. */
function List() {
  const filters = Object.fromEntries(FILTERS.map((name) => [name, place.value.query[name] ?? ""]));
  const { own, ...others } = filters;
  // The gateway's own requests are shown if they are asked for.
  const query = {
    ...others,
    not_workspace: own || filters.workspace === OWN_WORKSPACE ? "" : OWN_WORKSPACE,
  };
  const page = useSignal<AdminRequests | undefined>(undefined);
  const older = useSignal<readonly Request[]>([]);
  const problem = useSignal<string | undefined>(undefined);
  const isPaused = useSignal(false);
  const isTail = !isPaused.value && older.value.length === 0 && filters.until === "";
  const address = addressOf("/requests", { query });

  useEffect(() => {
    older.value = [];
  }, [address]);
  useEffect(() => {
    let isOver = false;
    let isFirst = true;
    const load = async () => {
      try {
        const said = await read("/requests", { query: { ...query, limit: PAGE } });
        if (isOver) return;
        page.value = said;
        problem.value = undefined;
        if (isFirst) tell(`${said.requests.length} requests are shown.`);
        isFirst = false;
      } catch (thrown) {
        if (!isOver) problem.value = messageOf(thrown);
      }
    };
    // Finished requests are fetched once, and the first page stays while older ones are shown.
    if (older.value.length === 0) void load();
    const stop = isTail ? whileSeen(TAIL_SECONDS, load) : undefined;
    return () => {
      isOver = true;
      stop?.();
    };
  }, [address, isTail]);

  useEffect(() => {
    if (page.value === undefined || shown === "") return;
    const link = document.querySelector<HTMLElement>(`a[href="${linkTo("requests", shown)}"]`);
    shown = "";
    if (document.activeElement?.contains(link)) link?.focus();
  }, [page.value]);

  const next = useSignal<string | null | undefined>(undefined);
  const goOn = async () => {
    const cursor = older.value.length === 0 ? page.value?.next : next.value;
    if (!cursor) return;
    try {
      const said = await read("/requests", { query: { ...query, limit: PAGE, cursor } });
      next.value = said.next;
      older.value = [...older.value, ...said.requests];
    } catch (thrown) {
      problem.value = messageOf(thrown);
    }
  };
  const more = older.value.length === 0 ? page.value?.next : next.value;
  const rows = [...(page.value?.requests ?? []), ...older.value];
  return (
    <>
      <header class="headline">
        <div>
          <h1>Requests</h1>
          <p class="lead">
            {isTail ? "Live, every 2 seconds while you look." : "Paused."}{" "}
            {older.value.length > 0 ? (
              <button
                type="button"
                class="plain"
                onClick={() => {
                  older.value = [];
                }}
              >
                Back to the latest
              </button>
            ) : (
              <button
                type="button"
                class="plain"
                onClick={() => {
                  isPaused.value = !isPaused.value;
                }}
              >
                {isPaused.value ? "Go on" : "Pause"}
              </button>
            )}
          </p>
        </div>
      </header>
      <Filters query={filters} />
      <Problem text={problem.value} />
      {page.value === undefined ? (
        <Waiting />
      ) : (
        <RequestTable
          rows={rows}
          empty={
            Object.values(filters).some((value) => value !== "") ? (
              "No request fits."
            ) : (
              <>
                Nobody has asked for anything yet. Try it in the <a href={linkTo("playground")}>playground</a>
                .
              </>
            )
          }
          csv={addressOf("/requests", { query: { ...query, limit: "500", format: "csv" } })}
        />
      )}
      {more ? (
        <p class="more">
          <button type="button" class="second" onClick={goOn}>
            Older
          </button>
        </p>
      ) : null}
    </>
  );
}

interface RequestTableProperties {
  readonly rows: readonly Request[];
  readonly empty: ComponentChildren;
  readonly csv: string;
}

function RequestTable({ rows, empty, csv }: RequestTableProperties) {
  return (
    <Table
      caption="Latest first"
      csv={csv}
      rows={rows}
      keyOf={({ request }) => request}
      classOf={({ state }) => (state === "failed" || state === "interrupted" ? "failed" : "")}
      empty={empty}
      columns={[
        {
          head: "Time",
          isName: true,
          cell: ({ request, time }) => (
            <a href={linkTo("requests", request)} title={`${dayAndClock(time)} · ${request}`}>
              {recent(time, now())}
            </a>
          ),
        },
        {
          head: "Workspace",
          isWide: true,
          cell: ({ workspace }) => <span class="cut">{workspaceName(workspace)}</span>,
        },
        {
          head: "Model",
          cell: ({ model, workspace }) => (
            <span class="two">
              <span class="cut">{model || "–"}</span>
              <small class="narrow">{workspaceName(workspace)}</small>
            </span>
          ),
        },
        { head: "Provider", isDesk: true, cell: ({ provider }) => provider ?? <span class="quiet">–</span> },
        { head: "Status", cell: (request) => <State request={request} /> },
        {
          head: "Took",
          isNumber: true,
          cell: ({ latency_ms, state }) => (state === "under_way" ? "…" : milliseconds(latency_ms)),
        },
        { head: "Inputs", isNumber: true, isDesk: true, cell: ({ inputs }) => count(inputs) },
        {
          head: "Cached",
          isNumber: true,
          isDesk: true,
          cell: ({ cache_hits }) => (cache_hits ? count(cache_hits) : <span class="quiet">0</span>),
        },
        { head: "Tokens", isNumber: true, isDesk: true, cell: ({ tokens }) => count(tokens) },
        {
          head: "Cost",
          isNumber: true,
          isWide: true,
          cell: ({ cost_usd }) => <span title={`${cost_usd} USD`}>{usd(cost_usd)}</span>,
        },
      ]}
    />
  );
}

/** Allows a line break after each word of an error code. */
const broken = (code: string) =>
  code.split("_").map((word, i) => (i === 0 ? word : ["_", <wbr key={word} />, word]));

export function State({ request: { state, status, code, refused_alike } }: { readonly request: Request }) {
  if (state === "answered") return <span class="quiet">{status}</span>;
  if (state === "under_way") return <span class="mark good">in flight</span>;
  if (state === "interrupted") return <span class="mark warning">interrupted</span>;
  return (
    <span class={status >= 500 ? "bad" : "caution"}>
      {status} <span class="code">{broken(code ?? "")}</span>
      {refused_alike !== null && refused_alike > 1 ? ` × ${refused_alike}` : ""}
    </span>
  );
}
