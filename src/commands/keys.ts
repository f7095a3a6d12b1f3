/**
 * `embedgate keys create | list | rotate | revoke`: the functions of src/callers/keys.ts, with text for people and JSON for programs.
 */
import { DEFAULT_WORKSPACE, type ListedKey } from "../callers/keys";
import type { Workspaces } from "../callers/workspaces";
import { GatewayError } from "../domain/errors";
import { nearestName } from "../domain/nearest";
import { realOutside } from "../network/real-outside";
import { printTable } from "../terminal/screen";
import { inWords } from "./credits";
import { json } from "./json";
import { type StoreOptions, withStore } from "./with-store";

interface CreateOptions extends StoreOptions {
  readonly name: string;
  readonly workspace: string;
  readonly createWorkspace?: boolean;
  readonly admin?: boolean;
}

export function createKey(options: CreateOptions): Promise<number> {
  return withStore(
    options,
    async (stores, { workspaceDefaults, auth }) => {
      const workspaces = stores.openWorkspaces(() => workspaceDefaults);
      await provideWorkspace(workspaces, options);
      const keys = stores.openKeys();
      const before = keys.list();
      const namesake = before.find(({ name, revoked_at }) => name === options.name && revoked_at === null);
      if (namesake)
        console.error(
          `note: the key ${namesake.id} has the name "${namesake.name}" too; tell them apart by id`,
        );
      const made = await keys.create(options.name, options.workspace, options.admin);
      if (options.json) console.log(json(made));
      else {
        console.log(made.key);
        const role = made.admin ? ", admin" : "";
        console.error(
          `\nKey ${made.id} ("${made.name}", workspace ${made.workspace}${role}). It is not shown again.`,
        );
        if (before.length === 0 && auth.mode === "auto")
          console.error("From now on the gateway accepts only requests with a key.");
      }
      return 0;
    },
    true,
  );
}

/** A misspelt name must not create a workspace without limits. The default workspace always exists. */
async function provideWorkspace(
  workspaces: Workspaces,
  { workspace, createWorkspace }: CreateOptions,
): Promise<void> {
  if (workspace !== DEFAULT_WORKSPACE && !createWorkspace && !workspaces.exists(workspace)) {
    const near = nearestName(
      workspace,
      (await workspaces.list()).map(({ name }) => name),
    );
    throw new GatewayError(
      "invalid",
      `There is no workspace "${workspace}"${near === undefined ? "" : ` (did you mean "${near}"?)`}. ` +
        `Create it with 'embedgate workspaces create ${workspace}', or add --create-workspace.`,
    );
  }
  if ((await workspaces.ensure(workspace)) && workspace !== DEFAULT_WORKSPACE)
    console.error(`The workspace ${workspace} was created: ${inWords(await workspaces.show(workspace))}.`);
}

export function listKeys(options: StoreOptions): Promise<number> {
  return withStore(options, async (stores) => {
    const keys = stores.openKeys().list();
    if (options.json) console.log(json(keys.map(withTimes)));
    else {
      const rows = keys.map((key) => [
        key.id,
        key.name,
        key.workspace,
        key.admin ? "admin" : "",
        key.hint,
        day(key.created_at),
        key.revoked_at !== null ? `revoked ${day(key.revoked_at)}` : "live",
        key.old_secret_until === null ? "" : `until ${iso(key.old_secret_until)}`,
      ]);
      printTable([["ID", "NAME", "WORKSPACE", "ROLE", "KEY", "CREATED", "STATE", "OLD SECRET"], ...rows]);
    }
    return 0;
  });
}

export function rotateKey(id: string, options: StoreOptions & { grace: number }): Promise<number> {
  return withStore(options, async (stores) => {
    const made = await stores.openKeys().rotate(id, options.grace);
    if (options.json) console.log(json(made));
    else {
      console.log(made.key);
      const until = iso(realOutside.now() + options.grace);
      console.error(
        `\nThe new secret of ${made.id} ("${made.name}"). It is not shown again; the old one works until ${until}.`,
      );
    }
    return 0;
  });
}

export function revokeKey(id: string, options: StoreOptions): Promise<number> {
  return withStore(options, async (stores) => {
    await stores.openKeys().revoke(id);
    if (options.json) console.log(json({ id, revoked: true }));
    else console.error(`Key ${id} is revoked; a running gateway refuses it at once.`);
    return 0;
  });
}

/** Times as every command prints them for programs. */
const withTimes = (key: ListedKey) => ({
  ...key,
  created_at: iso(key.created_at),
  revoked_at: key.revoked_at === null ? null : iso(key.revoked_at),
  old_secret_until: key.old_secret_until === null ? null : iso(key.old_secret_until),
});

const iso = (time: number) => new Date(time).toISOString();
const day = (time: number) => new Date(time).toISOString().slice(0, 10);
