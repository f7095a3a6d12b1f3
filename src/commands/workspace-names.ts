/** `embedgate workspaces rename | delete`: the functions of src/callers/workspace-names.ts, with words for people and JSON for programs. */
import { openKeys } from "../callers/keys";
import { openWorkspaceNames } from "../callers/workspace-names";
import { openWorkspaces } from "../callers/workspaces";
import { GatewayError } from "../domain/errors";
import { realOutside } from "../network/real-outside";
import { inWords } from "./credits";
import { json } from "./json";
import { type StoreOptions, withStore } from "./with-store";

export function renameWorkspace(name: string, newName: string, options: StoreOptions): Promise<number> {
  return withStore(options, async (store, { workspaceDefaults }) => {
    // Here for its words, which name the nearest.
    openWorkspaces(store, () => workspaceDefaults, realOutside).show(name);
    await openWorkspaceNames(store, realOutside).rename(name, newName);
    if (options.json) console.log(json({ workspace: newName, before: name }));
    else console.error(`The workspace ${name} is called ${newName} now, with its keys, credits and usage.`);
    return 0;
  });
}

export function deleteWorkspace(
  name: string,
  options: StoreOptions & { readonly yes?: boolean },
): Promise<number> {
  return withStore(options, async (store, { workspaceDefaults }) => {
    const workspace = openWorkspaces(store, () => workspaceDefaults, realOutside).show(name);
    const live = openKeys(store, realOutside)
      .list()
      .filter((key) => key.workspace === name && key.revoked_at === null).length;
    if (!options.yes && (live > 0 || (workspace.micro_credits ?? 0n) > 0n))
      throw new GatewayError(
        "invalid",
        `The workspace ${name} has ${live} live ${live === 1 ? "key" : "keys"}; credits: ${inWords(workspace)}. Add --yes to revoke the keys and end the credits.`,
      );
    const revoked = await openWorkspaceNames(store, realOutside).remove(name);
    if (options.json) console.log(json({ workspace: name, deleted: true, revoked_keys: revoked }));
    else
      console.error(
        `The workspace ${name} is deleted, and ${revoked} of its keys revoked. Its usage stays in the ledger.`,
      );
    return 0;
  });
}
