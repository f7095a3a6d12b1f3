/** Keys: created with the secret shown once, rotated with a grace period, revoked (key-dialogs.tsx). */

import { useSignal } from "@preact/signals";
import type { AdminNewKey } from "../../admin/api/keys";
import { messageOf, useAnswer } from "./answer";
import { change, session, signIn } from "./api";
import { now } from "./browser";
import { put } from "./into";
import { type Act, type Key, minted, Revoke, Rotate, Secret } from "./key-dialogs";
import { Field, Problem, Waiting } from "./pieces";
import { linkTo } from "./place";
import { dayAndClock } from "./say";
import { Table } from "./table";

interface Properties {
  readonly workspace: string | undefined;
  readonly workspaces: readonly string[];
  readonly changed: () => void;
}

export function Keys({ workspace, workspaces, changed }: Properties) {
  const { said, problem, again } = useAnswer("/keys", { query: { workspace } });
  const failed = useSignal<string | undefined>(undefined);
  const isAllShown = useSignal(false);
  const anew = () => {
    again();
    changed();
  };
  const act = async (work: () => Promise<void>) => {
    try {
      await work();
      failed.value = undefined;
      anew();
    } catch (thrown) {
      failed.value = messageOf(thrown);
    }
  };
  const keys = said?.keys.filter(({ revoked_at }) => isAllShown.value || revoked_at === null) ?? [];
  const revoked =
    (said?.keys.length ?? 0) - (said?.keys.filter(({ revoked_at }) => revoked_at === null).length ?? 0);
  return (
    <section>
      <Mint workspace={workspace} workspaces={workspaces} act={act} />
      <Secret />
      <Problem text={failed.value ?? problem} />
      {said ? (
        <KeyTable keys={keys} caption={workspace ? `Keys of ${workspace}` : "Keys"} act={act} />
      ) : (
        <Waiting />
      )}
      {revoked > 0 ? (
        <button
          type="button"
          class="plain"
          onClick={() => {
            isAllShown.value = !isAllShown.value;
          }}
        >
          {isAllShown.value ? "Hide revoked keys" : `Show ${revoked} revoked`}
        </button>
      ) : null}
    </section>
  );
}

function Mint({ workspace, workspaces, act }: Omit<Properties, "changed"> & { readonly act: Act }) {
  const isOpen = session.value?.mode === "open";
  return (
    <form
      class="stack"
      onSubmit={(event) => {
        event.preventDefault();
        const target = event.currentTarget;
        const form = new FormData(target);
        const admin = isOpen || form.get("admin") !== null;
        void act(async () => {
          const made = await change<AdminNewKey>("POST", "/admin/v1/keys", {
            name: String(form.get("name")).trim(),
            workspace: String(form.get("workspace")),
            admin,
          });
          minted.value = made;
          target.reset();
          // The first key ends open mode: its creator is signed in with it.
          if (isOpen && admin) await signIn(made.secret);
        });
      }}
    >
      <h2>New key</h2>
      {isOpen ? (
        <p class="lead">
          No key exists yet, so nobody needs one. <b>From the first key on, everybody does</b>, this page too:
          make an admin key first, then keys for callers.
        </p>
      ) : null}
      <div class="row">
        <Field label="Name">
          <input name="name" required maxLength={200} placeholder="search-prod" />
        </Field>
        <Field label="Workspace">
          <select name="workspace" key={workspace} defaultValue={workspace ?? "default"}>
            {[...new Set([workspace ?? "default", ...workspaces, "default"])].map((name) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        </Field>
        <label class="check">
          <input type="checkbox" name="admin" defaultChecked={isOpen} disabled={isOpen} /> Admin key
        </label>
        <button type="submit">Create key</button>
      </div>
    </form>
  );
}

function KeyTable({
  keys,
  caption,
  act,
}: {
  readonly keys: readonly Key[];
  readonly caption: string;
  readonly act: Act;
}) {
  return (
    <Table
      caption={caption}
      rows={keys}
      keyOf={({ id }) => id}
      empty="There is no key yet."
      columns={[
        {
          head: "Key",
          isName: true,
          cell: ({ name, id, admin, workspace }) => (
            <span class="two">
              <b>{name}</b>
              <small>{id}</small>
              <small class="narrow">{admin ? "admin" : workspace}</small>
            </span>
          ),
        },
        {
          head: "Workspace",
          isWide: true,
          cell: ({ workspace, admin }) =>
            admin ? (
              <span class="mark good">admin</span>
            ) : (
              <a href={linkTo("access", workspace)}>{workspace}</a>
            ),
        },
        { head: "Begins with", isWide: true, cell: ({ hint }) => <code>{hint}</code> },
        { head: "Made", isWide: true, cell: ({ created_at }) => dayAndClock(created_at) },
        { head: "State", cell: (key) => <KeyState of={key} /> },
        { head: "Change", cell: (key) => (key.revoked_at === null ? <Changes of={key} act={act} /> : null) },
      ]}
    />
  );
}

function KeyState({ of: { revoked_at, old_secret_until } }: { readonly of: Key }) {
  if (revoked_at !== null) return <span class="bad">revoked {dayAndClock(revoked_at)}</span>;
  if (old_secret_until !== null && Date.parse(old_secret_until) > now())
    return <span class="warn">old secret until {dayAndClock(old_secret_until)}</span>;
  return <span class="quiet">live</span>;
}

function Changes({ of: key, act }: { readonly of: Key; readonly act: Act }) {
  const asked = useSignal<"rotate" | "revoke" | undefined>(undefined);
  const closed = () => put(asked, undefined);
  return (
    <span class="row tight">
      <button
        type="button"
        class="plain"
        aria-label={`Rotate ${key.name}`}
        onClick={() => put(asked, "rotate")}
      >
        Rotate
      </button>
      <button
        type="button"
        class="plain danger"
        aria-label={`Revoke ${key.name}`}
        onClick={() => put(asked, "revoke")}
      >
        Revoke
      </button>
      {asked.value === "rotate" ? <Rotate of={key} act={act} closed={closed} /> : null}
      {asked.value === "revoke" ? <Revoke of={key} act={act} closed={closed} /> : null}
    </span>
  );
}
