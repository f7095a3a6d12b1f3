/**
 * `embedgate credits grant | show | history`: what a workspace may still spend, and every change of it, exact to the micro-credit.
 */
import { creditsOf } from "../books/money";
import type { Workspace } from "../callers/workspaces";
import { printTable } from "../terminal/screen";
import { json } from "./json";
import { type StoreOptions, withStore } from "./with-store";

export function grantCredits(
  name: string,
  amount: bigint,
  options: StoreOptions & { note: string; limit?: boolean },
): Promise<number> {
  return withStore(options, async (stores, { workspaceDefaults }) => {
    const workspaces = stores.openWorkspaces(() => workspaceDefaults);
    // For a workspace without a limit any grant sets one; that must not happen by mistake.
    const starts = options.limit && (await workspaces.show(name)).micro_credits === null;
    const workspace = starts
      ? await workspaces.setCredits(name, amount, options.note)
      : await workspaces.grant(name, amount, options.note);
    if (options.json) console.log(json({ granted: creditsOf(amount), ...balanceOf(workspace) }));
    else {
      const what =
        amount < 0n ? `${creditsOf(-amount)} credits taken from` : `${creditsOf(amount)} credits for`;
      console.log(`${what} "${name}": ${inWords(workspace)}.`);
    }
    return 0;
  });
}

export function showCredits(name: string, options: StoreOptions): Promise<number> {
  return withStore(options, async (stores, { workspaceDefaults }) => {
    const workspace = await stores.openWorkspaces(() => workspaceDefaults).show(name);
    if (options.json) console.log(json(balanceOf(workspace)));
    else console.log(`"${name}": ${inWords(workspace)}.`);
    return 0;
  });
}

export function showHistory(name: string, options: StoreOptions): Promise<number> {
  return withStore(options, async (stores, { workspaceDefaults }) => {
    const workspace = await stores.openWorkspaces(() => workspaceDefaults).show(name);
    const lines = await stores.openStatements().history(name);
    if (options.json) {
      const told = lines.map(({ at, kind, note, requests, cost, change, balance }) => ({
        at: new Date(at).toISOString(),
        kind,
        note,
        requests: Number(requests),
        cost: creditsOf(cost),
        change: creditsOf(change),
        balance: creditsOf(balance),
      }));
      console.log(json({ ...balanceOf(workspace), history: told }));
      return 0;
    }
    const rows = lines.map(({ at, kind, note, requests, cost, change, balance }) => [
      new Date(at).toISOString().slice(0, 16).replace("T", " "),
      kind === "requests" ? `${requests} requests` : note || (change < 0n ? "taken back" : "granted"),
      { right: kind === "grant" ? "" : creditsOf(cost) },
      { right: creditsOf(change) },
      { right: creditsOf(balance) },
    ]);
    printTable([
      ["FROM (UTC)", "WHAT", { right: "COST" }, { right: "CHANGE" }, { right: "BALANCE" }],
      ...rows,
    ]);
    if (workspace.micro_credits === null) console.log(`\n"${name}" has no limit now.`);
    return 0;
  });
}

/** Amounts are text, because a program that reads them as floats would lose digits. */
function balanceOf({ name, micro_credits, micro_credits_held }: Workspace) {
  return {
    workspace: name,
    credits: micro_credits === null ? null : creditsOf(micro_credits),
    credits_held: creditsOf(micro_credits_held),
  };
}

export function inWords({ micro_credits, micro_credits_held }: Workspace): string {
  if (micro_credits === null) return "no limit";
  const held =
    micro_credits_held === 0n ? "" : `, ${creditsOf(micro_credits_held)} of them held by requests in flight`;
  return `${creditsOf(micro_credits)} credits left${held}`;
}
