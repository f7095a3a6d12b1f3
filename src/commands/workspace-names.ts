/** `embedgate workspaces rename | delete`: the functions of src/callers/workspace-names.ts, with text for people and JSON for programs. */
import { GatewayError } from "../domain/errors";
import { inWords } from "./credits";
import { json } from "./json";
import { type StoreOptions, withStore } from "./with-store";

export function renameWorkspace(name: string, newName: string, options: StoreOptions): Promise<number> {
  return withStore(options, async (stores, { workspaceDefaults }) => {
    // Called for its error, which suggests the nearest name.
    await stores.openWorkspaces(() => workspaceDefaults).show(name);
    await stores.openWorkspaceNames().rename(name, newName);
    if (options.json) console.log(json({ workspace: newName, before: name }));
    else console.error(`The workspace ${name} is called ${newName} now, with its keys, credits and usage.`);
    return 0;
  });
}

export function deleteWorkspace(
  name: string,
  options: StoreOptions & { readonly yes?: boolean },
): Promise<number> {
  return withStore(options, async (stores, { workspaceDefaults }) => {
    const workspace = await stores.openWorkspaces(() => workspaceDefaults).show(name);
    const live = stores
      .openKeys()
      .list()
      .filter((key) => key.workspace === name && key.revoked_at === null).length;
    if (!options.yes && (live > 0 || (workspace.micro_credits ?? 0n) > 0n))
      throw new GatewayError(
        "invalid",
        `The workspace ${name} has ${live} live ${live === 1 ? "key" : "keys"}; credits: ${inWords(workspace)}. Add --yes to revoke the keys and end the credits.`,
      );
    const revoked = await stores.openWorkspaceNames().remove(name);
    if (options.json) console.log(json({ workspace: name, deleted: true, revoked_keys: revoked }));
    else
      console.error(
        `The workspace ${name} is deleted, and ${revoked} of its keys revoked. Its usage stays in the ledger.`,
      );
    return 0;
  });
}
