/** A workspace's invoice of one month; the same as `embedgate invoice`. */

import { useSignal } from "@preact/signals";
import { useAnswer } from "./answer";
import { addressOf } from "./api";
import { into } from "./into";
import { monthName, monthStart } from "./months";
import { Choice, Field, Problem } from "./pieces";
import { count, credits, OWN_WORKSPACE, usd } from "./say";
import { Table } from "./table";

export function Invoice() {
  const workspaces = useAnswer("/workspaces");
  const chosen = useSignal("");
  const month = useSignal(monthName(monthStart(0)));
  const by = useSignal<"model" | "day">("model");
  const names =
    workspaces.said?.workspaces.map(({ name }) => name).filter((name) => name !== OWN_WORKSPACE) ?? [];
  const workspace = names.includes(chosen.value) ? chosen.value : (names[0] ?? "");
  return (
    <section>
      <div class="caption">
        <h2>Invoice</h2>
      </div>
      <div class="row">
        <Field label="Workspace">
          <select value={workspace} onChange={into(chosen)}>
            {names.map((name) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        </Field>
        <Field label="Month (UTC)">
          <select value={month.value} onChange={into(month)}>
            {Array.from({ length: 13 }, (_, before) => monthName(monthStart(before))).map((name) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        </Field>
        <Choice
          label="Lines by"
          value={by.value}
          options={[
            ["model", "By model"],
            ["day", "By day"],
          ]}
          choose={(value) => {
            by.value = value;
          }}
        />
      </div>
      {workspace === "" ? (
        <p class="empty">There is no workspace yet.</p>
      ) : (
        <Lines workspace={workspace} month={month.value} by={by.value} />
      )}
    </section>
  );
}

interface LinesProperties {
  readonly workspace: string;
  readonly month: string;
  readonly by: "model" | "day";
}

function Lines({ workspace, month, by }: LinesProperties) {
  const at = { params: { workspace, month }, query: { by } };
  const { said, problem } = useAnswer("/workspaces/{workspace}/invoices/{month}", at);
  if (!said) return <Problem text={problem} />;
  const { lines, total } = said;
  const csv = addressOf("/workspaces/{workspace}/invoices/{month}", { ...at, query: { by, format: "csv" } });
  const all = { ...total, day: "Total", model: "Total", usd_per_million_tokens: null };
  return (
    <Table
      caption={`${workspace}, ${month}`}
      csv={csv}
      rows={lines.length === 0 ? [] : [...lines, all]}
      keyOf={(line) => (line === all ? "\n" : (line[by] ?? ""))}
      classOf={(line) => (line === all ? "total" : "")}
      empty="Nothing is charged for this month."
      columns={[
        { head: by === "day" ? "Day" : "Model", isName: true, cell: (line) => line[by] },
        { head: "Answered", isNumber: true, cell: ({ requests }) => count(requests) },
        {
          head: "Billed tokens",
          isNumber: true,
          cell: ({ tokens_billed }) => tokens_billed.toLocaleString("en-US"),
        },
        {
          head: "USD per 1 M",
          isNumber: true,
          isWide: true,
          cell: ({ usd_per_million_tokens }) => usd_per_million_tokens ?? "–",
        },
        {
          head: "Cost",
          isNumber: true,
          cell: ({ cost_usd }) => <span title={`${cost_usd} USD`}>{usd(cost_usd)}</span>,
        },
        {
          head: "Credits",
          isNumber: true,
          cell: (line) => <span title={line.credits}>{credits(line.credits)}</span>,
        },
      ]}
    />
  );
}
