/** Keys: created with the secret shown once, rotated with a grace period, revoked. */

import { signal, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { AdminKeys, AdminNewKey } from "../../admin/api/keys";
import { messageOf, useAnswer } from "./answer";
import { addressOf, change, session, signIn } from "./api";
import { now } from "./browser";
import { into, put } from "./into";
import { Copied, Field, Problem, Waiting } from "./pieces";
import { linkTo } from "./place";
import { callerKey } from "./playground-state";
import { dayAndClock } from "./say";
import { Table } from "./table";

type Key = AdminKeys["keys"][number];

/** A new key: shown until it is dismissed. */
const minted = signal<AdminNewKey | undefined>(undefined);

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

type Act = (work: () => Promise<void>) => Promise<void>;

function Mint({ workspace, workspaces, act }: Omit<Properties, "changed"> & { readonly act: Act }) {
  const isOpen = session.value?.mode === "open";
  return (
    <form
      class="stack"
      onSubmit={(event) => {
        event.preventDefault();
        const target = event.currentTarget;
        const form = new FormData(target);
        const admin = form.get("admin") !== null;
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
          make an admin key first.
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
          <input type="checkbox" name="admin" defaultChecked={isOpen} /> Admin key
        </label>
        <button type="submit">Create key</button>
      </div>
    </form>
  );
}

/** The secret in a dialog, because it is shown only once. */
function Secret() {
  const dialog = useRef<HTMLDialogElement>(null);
  const made = minted.value;
  useEffect(() => {
    if (made) dialog.current?.showModal();
  }, [made]);
  const close = () => {
    minted.value = undefined;
  };
  if (!made) return null;
  return (
    <dialog ref={dialog} aria-labelledby="secret-title" onClose={close}>
      <h2 id="secret-title">The secret of {made.key.name}</h2>
      <p class="lead">It is shown once. Nobody can read it again, the gateway keeps only its hash.</p>
      <p class="secret">
        <code>{made.secret}</code>
      </p>
      <div class="row">
        <Copied text={made.secret} label="Copy the secret" />
        {made.key.admin ? null : (
          <a
            href={linkTo("playground")}
            onClick={() => {
              callerKey.value = made.secret;
              close();
            }}
          >
            Try it in the playground
          </a>
        )}
        <button type="button" onClick={() => dialog.current?.close()}>
          I have stored it
        </button>
      </div>
    </dialog>
  );
}

const GRACES = [
  ["0", "at once"],
  ["3600", "in 1 hour"],
  ["86400", "in 1 day"],
  ["604800", "in 7 days"],
] as const;

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
          cell: ({ name, id }) => (
            <span class="two">
              <b>{name}</b>
              <small>{id}</small>
            </span>
          ),
        },
        {
          head: "Workspace",
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
  const grace = useSignal("86400");
  const asked = useSignal<"rotate" | "revoke" | undefined>(undefined);
  const address = addressOf("/keys/{key}", { params: { key: key.id } });
  if (asked.value === undefined)
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
      </span>
    );
  const done = () => {
    asked.value = undefined;
  };
  return (
    <span class="row tight">
      {asked.value === "rotate" ? (
        <>
          <label>
            Old secret ends{" "}
            <select value={grace.value} onChange={into(grace)}>
              {GRACES.map(([seconds, words]) => (
                <option key={seconds} value={seconds}>
                  {words}
                </option>
              ))}
            </select>
          </label>
          <button
            type="button"
            onClick={() =>
              void act(async () => {
                minted.value = await change<AdminNewKey>("POST", `${address}/rotate`, {
                  grace_seconds: Number(grace.value),
                });
                done();
              })
            }
          >
            Rotate {key.name}
          </button>
        </>
      ) : (
        <button
          type="button"
          class="second danger"
          onClick={() =>
            void act(async () => {
              await change("DELETE", address);
              done();
            })
          }
        >
          Revoke {key.name} now
        </button>
      )}
      <button type="button" class="plain" onClick={done}>
        Cancel
      </button>
    </span>
  );
}
