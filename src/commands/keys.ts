/**
 * `embedgate keys create | list | rotate | revoke`: the functions of src/callers/keys.ts, with words for people and JSON for programs.
 */
import { openKeys } from "../callers/keys";
import { openWorkspaces } from "../callers/workspaces";
import { realOutside } from "../network/real-outside";
import { withStore } from "../serving/configured";
import { table } from "../terminal/table";
import { json } from "./json";

interface Common {
  readonly config?: string;
  readonly json?: boolean;
}

export function createKey(
  options: Common & { name: string; workspace: string; admin?: boolean },
): Promise<number> {
  return withStore(options.config, async (store, { workspaceDefaults }) => {
    const made = await openKeys(store, realOutside).create(options.name, options.workspace, options.admin);
    await openWorkspaces(store, () => workspaceDefaults, realOutside).ensure(options.workspace);
    if (options.json) console.log(json(made));
    else {
      console.log(`${made.key}\n`);
      const role = made.admin ? ", an admin's" : "";
      console.error(
        `Key ${made.id} ("${made.name}", workspace ${made.workspace}${role}). It is not shown again.`,
      );
      console.error("From now on the gateway answers only to callers with a key.");
    }
    return 0;
  });
}

export function listKeys(options: Common): Promise<number> {
  return withStore(options.config, async (store) => {
    const keys = openKeys(store, realOutside).list();
    if (options.json) console.log(json(keys));
    else {
      const rows = keys.map((key) => [
        key.id,
        key.name,
        key.workspace,
        key.admin ? "admin" : "",
        key.hint,
        day(key.created_at),
        key.revoked_at !== null ? `revoked ${day(key.revoked_at)}` : "live",
        key.old_secret_until === null ? "" : `until ${new Date(key.old_secret_until).toISOString()}`,
      ]);
      console.log(
        table([["ID", "NAME", "WORKSPACE", "ROLE", "KEY", "CREATED", "STATE", "OLD SECRET"], ...rows]),
      );
    }
    return 0;
  });
}

export function rotateKey(id: string, options: Common & { grace: number }): Promise<number> {
  return withStore(options.config, async (store) => {
    const made = await openKeys(store, realOutside).rotate(id, options.grace);
    if (options.json) console.log(json(made));
    else {
      console.log(`${made.key}\n`);
      const until = new Date(realOutside.now() + options.grace).toISOString();
      console.error(
        `The new secret of ${made.id} ("${made.name}"). It is not shown again; the old one works until ${until}.`,
      );
    }
    return 0;
  });
}

export function revokeKey(id: string, options: Common): Promise<number> {
  return withStore(options.config, async (store) => {
    await openKeys(store, realOutside).revoke(id);
    if (options.json) console.log(json({ id, revoked: true }));
    else console.error(`Key ${id} is revoked. A running gateway refuses it from now on.`);
    return 0;
  });
}

const day = (time: number) => new Date(time).toISOString().slice(0, 10);
