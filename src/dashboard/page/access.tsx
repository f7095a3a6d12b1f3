/** "Workspaces and keys": permissions, limits and spending. One workspace at a time beside the list of all. */

import { useSignal } from "@preact/signals";
import type { AdminWorkspaces } from "../../admin/api/workspaces";
import { messageOf, useAnswer } from "./answer";
import { change } from "./api";
import { CreditsOf } from "./credits";
import { into } from "./into";
import { Keys } from "./keys";
import { LimitsOf } from "./limits";
import { Field, Problem, Waiting } from "./pieces";
import { goTo, linkTo, place } from "./place";
import { credits, OWN_WORKSPACE, usd } from "./say";
import { Table } from "./table";

type Workspace = AdminWorkspaces["workspaces"][number];

export function Access() {
  const { said, problem, again } = useAnswer("/workspaces", {}, 30);
  const chosen = place.value.rest;
  const workspaces = said?.workspaces.filter(({ name }) => name !== OWN_WORKSPACE) ?? [];
  const workspace = workspaces.find(({ name }) => name === chosen);
  return (
    <>
      <header class="headline">
        <div>
          <h1>Workspaces and keys</h1>
          <p class="lead">A key belongs to a workspace; limits, caps and credits are the workspace's.</p>
        </div>
        <NewWorkspace made={again} />
      </header>
      <Problem text={problem} />
      {said ? <List workspaces={workspaces} chosen={chosen} /> : <Waiting />}
      {workspace ? (
        <section key={workspace.name} class="detail" aria-label={`Workspace ${workspace.name}`}>
          <div class="caption">
            <h2>{workspace.name}</h2>
            <a class="small" href={linkTo("requests", "", { workspace: workspace.name })}>
              Its requests
            </a>
            <a class="small" href={linkTo("access")}>
              All keys
            </a>
          </div>
          <div class="columns">
            <LimitsOf workspace={workspace} changed={again} />
            <CreditsOf workspace={workspace} changed={again} />
          </div>
        </section>
      ) : chosen !== "" && said ? (
        <Problem text={`There is no workspace '${chosen}'.`} />
      ) : null}
      {said ? (
        <Keys workspace={workspace?.name} workspaces={workspaces.map(({ name }) => name)} changed={again} />
      ) : null}
    </>
  );
}

function List({
  workspaces,
  chosen,
}: {
  readonly workspaces: readonly Workspace[];
  readonly chosen: string;
}) {
  return (
    <Table
      caption="Workspaces"
      rows={workspaces}
      keyOf={({ name }) => name}
      classOf={({ name }) => (name === chosen ? "chosen" : "")}
      empty="There is none yet. Create one with the form above, or create a key."
      columns={[
        {
          head: "Workspace",
          isName: true,
          cell: ({ name }) => (
            <a href={linkTo("access", name)} aria-current={name === chosen ? "true" : undefined}>
              {name}
            </a>
          ),
        },
        { head: "Keys", isNumber: true, cell: ({ live_keys }) => live_keys },
        {
          head: "Today",
          isNumber: true,
          cell: (one) => <span title={`${one.spent_today_usd} USD`}>{usd(one.spent_today_usd)}</span>,
        },
        { head: "Day cap", isNumber: true, isWide: true, cell: (one) => limit(one, "cap_usd_per_day", usd) },
        {
          head: "Month",
          isNumber: true,
          cell: (one) => (
            <span title={`${one.spent_this_month_usd} USD`}>{usd(one.spent_this_month_usd)}</span>
          ),
        },
        {
          head: "Month cap",
          isNumber: true,
          isWide: true,
          cell: (one) => limit(one, "cap_usd_per_month", usd),
        },
        {
          head: "Credits",
          isNumber: true,
          cell: (one) =>
            one.credits === null ? (
              <span class="quiet">no limit</span>
            ) : (
              <span title={one.credits}>{credits(one.credits)}</span>
            ),
        },
        {
          head: "Requests a minute",
          isNumber: true,
          isDesk: true,
          cell: (one) => limit(one, "requests_per_minute", (value) => value.toLocaleString("en-US")),
        },
        {
          head: "Tokens a minute",
          isNumber: true,
          isDesk: true,
          cell: (one) => limit(one, "tokens_per_minute", (value) => value.toLocaleString("en-US")),
        },
      ]}
    />
  );
}

function limit({ settings }: Workspace, name: string, say: (value: number) => string) {
  const shown = settings[name];
  return typeof shown?.value === "number" ? (
    <span title={shown.from === "own" ? "Its own" : `From ${shown.from}`}>{say(shown.value)}</span>
  ) : (
    <span class="quiet">–</span>
  );
}

function NewWorkspace({ made }: { readonly made: () => void }) {
  const name = useSignal("");
  const problem = useSignal<string | undefined>(undefined);
  return (
    <form
      class="row"
      onSubmit={async (event) => {
        event.preventDefault();
        try {
          await change("POST", "/admin/v1/workspaces", { name: name.value.trim() });
          problem.value = undefined;
          made();
          goTo(linkTo("access", name.value.trim()));
          name.value = "";
        } catch (thrown) {
          problem.value = messageOf(thrown);
        }
      }}
    >
      <Field label="New workspace">
        <input required maxLength={200} value={name.value} onInput={into(name)} />
      </Field>
      <button type="submit" class="second">
        Create workspace
      </button>
      <Problem text={problem.value} />
    </form>
  );
}
