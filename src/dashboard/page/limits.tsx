/** A form for a workspace's caps and limits. Empty fields use workspace_defaults of the routing file. */
import { useSignal } from "@preact/signals";
import type { AdminWorkspaces } from "../../admin/api/workspaces";
import { messageOf } from "./answer";
import { addressOf, change } from "./api";
import { Field, Problem } from "./pieces";

type Workspace = AdminWorkspaces["workspaces"][number];

/** The form's settings; all others are for the command line. */
const NUMBERS = [
  ["cap_usd_per_day", "Cap a day, USD", "any"],
  ["cap_usd_per_month", "Cap a month, USD", "any"],
  ["requests_per_minute", "Requests a minute", "1"],
  ["tokens_per_minute", "Tokens a minute", "1"],
] as const;

const ownText = ({ settings }: Workspace, name: string): string => {
  const shown = settings[name];
  if (shown?.from !== "own") return "";
  return Array.isArray(shown.value) ? shown.value.join(", ") : String(shown.value);
};

const inherited = ({ settings }: Workspace, name: string): string => {
  const shown = settings[name];
  if (shown?.from === "own") return "Empty it for workspace_defaults.";
  if (shown === undefined || shown.value === null) return "No limit.";
  return `${Array.isArray(shown.value) ? shown.value.join(", ") : String(shown.value)}, from workspace_defaults.`;
};

export function LimitsOf({
  workspace,
  changed,
}: {
  readonly workspace: Workspace;
  readonly changed: () => void;
}) {
  const problem = useSignal<string | undefined>(undefined);
  const saved = useSignal(false);
  return (
    <form
      class="stack"
      onInput={() => {
        saved.value = false;
      }}
      onSubmit={async (event) => {
        event.preventDefault();
        const form = new FormData(event.currentTarget);
        const text = (name: string) => String(form.get(name) ?? "").trim();
        const models = text("models")
          .split(",")
          .map((id) => id.trim())
          .filter(Boolean);
        try {
          await change(
            "PATCH",
            addressOf("/workspaces/{workspace}", { params: { workspace: workspace.name } }),
            {
              settings: {
                ...Object.fromEntries(
                  NUMBERS.map(([name]) => [name, text(name) === "" ? null : Number(text(name))]),
                ),
                models: models.length === 0 ? null : models,
              },
            },
          );
          problem.value = undefined;
          saved.value = true;
          changed();
        } catch (thrown) {
          problem.value = messageOf(thrown);
        }
      }}
    >
      <h3>Caps and limits</h3>
      <div class="fields">
        {NUMBERS.map(([name, label, step]) => (
          <Field key={name} label={label} hint={inherited(workspace, name)}>
            <input name={name} type="number" min="0" step={step} defaultValue={ownText(workspace, name)} />
          </Field>
        ))}
      </div>
      <Field
        label="Models it may use"
        hint={`Ids or patterns with *, separated by commas. ${inherited(workspace, "models")}`}
      >
        <input name="models" defaultValue={ownText(workspace, "models")} />
      </Field>
      <div class="row">
        <button type="submit">Save limits</button>
        <span role="status">{saved.value ? "Saved; it holds from now on." : ""}</span>
      </div>
      <Problem text={problem.value} />
    </form>
  );
}
