/** Credits of a workspace: what is left, a grant with a note, and every change of the balance. */
import { useSignal } from "@preact/signals";
import type { AdminWorkspaces } from "../../admin/api/workspaces";
import { messageOf, useAnswer } from "./answer";
import { addressOf, change } from "./api";
import { Field, Problem } from "./pieces";
import { count, credits, dayAndClock } from "./say";
import { Table } from "./table";
import { tell } from "./told";

type Workspace = AdminWorkspaces["workspaces"][number];

export function CreditsOf({
  workspace,
  changed,
}: {
  readonly workspace: Workspace;
  readonly changed: () => void;
}) {
  const at = { params: { workspace: workspace.name } };
  const history = useAnswer("/workspaces/{workspace}/credits", at);
  const problem = useSignal<string | undefined>(undefined);
  const isLimited = workspace.credits !== null;
  // Without a limit nothing is taken.
  const lines = (history.said?.history ?? []).filter(
    ({ kind, change: by }) => kind === "grant" || Number(by) !== 0,
  );
  return (
    <form
      class="stack"
      onSubmit={async (event) => {
        event.preventDefault();
        const target = event.currentTarget;
        const form = new FormData(target);
        const amount = String(form.get("amount")).trim();
        const note = String(form.get("note")).trim();
        const address = addressOf("/workspaces/{workspace}/credits", at);
        try {
          if (isLimited) await change("POST", address, { amount, note });
          else await change("PUT", address, { balance: amount, note });
          problem.value = undefined;
          tell("The credits are changed.");
          target.reset();
          changed();
          history.again();
        } catch (thrown) {
          problem.value = messageOf(thrown);
        }
      }}
    >
      <h3>
        Credits: {credits(workspace.credits)}
        {Number(workspace.credits_held) > 0 ? (
          <small> · {credits(workspace.credits_held)} held by requests in flight</small>
        ) : null}
      </h3>
      <div class="row">
        <Field label={isLimited ? "Credits to grant" : "Limit it to"}>
          <input name="amount" required inputMode="decimal" size={10} placeholder="100" />
        </Field>
        <Field label="Note">
          <input name="note" maxLength={500} placeholder="invoice 2026-118" />
        </Field>
        <button type="submit">{isLimited ? "Grant" : "Set limit"}</button>
      </div>
      <Problem text={problem.value ?? history.problem} />
      {lines.length > 0 ? (
        <Table
          caption={`Credits of ${workspace.name}`}
          csv={addressOf("/workspaces/{workspace}/credits", { ...at, query: { format: "csv" } })}
          rows={lines.slice(-12).reverse()}
          keyOf={({ at: time, kind, balance }) => `${time} ${kind} ${balance}`}
          empty=""
          columns={[
            { head: "When", isName: true, cell: (line) => dayAndClock(line.at) },
            {
              head: "What",
              cell: ({ kind, note, requests }) =>
                kind === "grant" ? note || "grant" : `${count(requests)} requests`,
            },
            {
              head: "Change",
              isNumber: true,
              cell: (line) => <span title={line.change}>{credits(line.change)}</span>,
            },
            {
              head: "Balance",
              isNumber: true,
              cell: (line) => <span title={line.balance}>{credits(line.balance)}</span>,
            },
          ]}
        />
      ) : null}
    </form>
  );
}
