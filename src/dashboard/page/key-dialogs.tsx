/** The dialogs of keys: a new secret, shown once; rotate; revoke. */
import { signal, useSignal } from "@preact/signals";
import type { AdminKeys, AdminNewKey } from "../../admin/api/keys";
import { addressOf, change } from "./api";
import { into } from "./into";
import { Copied, Dialog, Field } from "./pieces";
import { linkTo } from "./place";
import { callerKey } from "./playground-state";
import { tell } from "./told";

export type Key = AdminKeys["keys"][number];
/** Does the work, shows its failure, and reads the keys anew. */
export type Act = (work: () => Promise<void>) => Promise<void>;

/** A new key: shown until it is dismissed. */
export const minted = signal<AdminNewKey | undefined>(undefined);

/** The secret in a dialog, because it is shown only once. */
export function Secret() {
  const made = minted.value;
  if (!made) return null;
  const { key, secret } = made;
  return (
    <Dialog
      key={secret}
      title={`The secret of ${key.name}`}
      closed={() => {
        minted.value = undefined;
      }}
    >
      {(close) => (
        <>
          <p class="lead">It is shown once. Nobody can read it again: the gateway keeps only its hash.</p>
          <p class="secret">
            <code>{secret}</code>
          </p>
          <div class="row">
            <Copied text={secret} label="Copy the secret" />
            {key.admin ? null : (
              <a
                href={linkTo("playground")}
                onClick={() => {
                  callerKey.value = secret;
                  close();
                }}
              >
                Try it in the playground
              </a>
            )}
            <button type="button" onClick={close}>
              I have stored it
            </button>
          </div>
        </>
      )}
    </Dialog>
  );
}

const GRACES = [
  ["0", "at once"],
  ["3600", "in 1 hour"],
  ["86400", "in 1 day"],
  ["604800", "in 7 days"],
] as const;

interface AskedProperties {
  readonly of: Key;
  readonly act: Act;
  readonly closed: () => void;
}

const addressOfKey = ({ id }: Key) => addressOf("/keys/{key}", { params: { key: id } });

interface SureProperties {
  readonly words: string;
  readonly look?: "danger";
  readonly close: () => void;
  readonly confirmed: () => Promise<void>;
}

/** The last row of a dialog: do it, or not. */
const Sure = ({ words, look, close, confirmed }: SureProperties) => (
  <div class="row">
    <button type="button" class="plain" onClick={close}>
      Cancel
    </button>
    <button
      type="button"
      class={look}
      onClick={() => {
        close();
        void confirmed();
      }}
    >
      {words}
    </button>
  </div>
);

export function Rotate({ of: key, act, closed }: AskedProperties) {
  const grace = useSignal("86400");
  return (
    <Dialog title={`Rotate ${key.name}`} closed={closed}>
      {(close) => (
        <>
          <p class="lead">It gets a new secret, which is shown once. Until the old one ends, both work.</p>
          <Field label="The old secret ends">
            <select value={grace.value} onChange={into(grace)}>
              {GRACES.map(([seconds, words]) => (
                <option key={seconds} value={seconds}>
                  {words}
                </option>
              ))}
            </select>
          </Field>
          <Sure
            words="Rotate"
            close={close}
            confirmed={() =>
              act(async () => {
                minted.value = await change<AdminNewKey>("POST", `${addressOfKey(key)}/rotate`, {
                  grace_seconds: Number(grace.value),
                });
              })
            }
          />
        </>
      )}
    </Dialog>
  );
}

export const Revoke = ({ of: key, act, closed }: AskedProperties) => (
  <Dialog title={`Revoke ${key.name}`} closed={closed}>
    {(close) => (
      <>
        <p class="lead">Its requests are refused from now on. This cannot be undone.</p>
        <Sure
          words="Revoke"
          look="danger"
          close={close}
          confirmed={() =>
            act(async () => {
              await change("DELETE", addressOfKey(key));
              tell(`${key.name} is revoked.`);
            })
          }
        />
      </>
    )}
  </Dialog>
);
