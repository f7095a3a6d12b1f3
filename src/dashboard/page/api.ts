/**
 * The page's access to the Admin API: paths with the types of their answers, from the API itself. A path that a view needs is a member of `Reads`.
 */
import { signal } from "@preact/signals";
import type { AdminCredits } from "../../admin/api/credits";
import type { AdminGateway } from "../../admin/api/gateway";
import type { AdminInvoice } from "../../admin/api/invoices";
import type { AdminKeys } from "../../admin/api/keys";
import type { AdminModels } from "../../admin/api/models";
import type { AdminNotices } from "../../admin/api/notices";
import type { AdminRequest, AdminRequests } from "../../admin/api/requests";
import type { AdminRoutes } from "../../admin/api/routes";
import type { AdminSeries } from "../../admin/api/series";
import type { AdminSession } from "../../admin/api/session";
import type { AdminUsage } from "../../admin/api/usage";
import type { AdminWorkspace, AdminWorkspaces } from "../../admin/api/workspaces";
import { rememberSession, send } from "./browser";

export interface Reads {
  readonly "/gateway": AdminGateway;
  readonly "/session": AdminSession;
  readonly "/notices": AdminNotices;
  readonly "/routes": AdminRoutes;
  readonly "/series": AdminSeries;
  readonly "/usage": AdminUsage;
  readonly "/requests": AdminRequests;
  readonly "/requests/{request}": AdminRequest;
  readonly "/keys": AdminKeys;
  readonly "/workspaces": AdminWorkspaces;
  readonly "/workspaces/{workspace}": AdminWorkspace;
  readonly "/workspaces/{workspace}/credits": AdminCredits;
  readonly "/workspaces/{workspace}/invoices/{month}": AdminInvoice;
  readonly "/models": AdminModels;
}

export interface At {
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string | readonly string[] | undefined>>;
}

/** The session; null: none; undefined: unknown yet. */
export const session = signal<AdminSession | null | undefined>(undefined);

/** Why there is none any more. */
export const ended = signal("");

export class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

export function addressOf(path: string, { params = {}, query = {} }: At = {}): string {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(params[name] ?? ""));
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query))
    for (const one of typeof value === "string" ? [value] : (value ?? []))
      if (one !== "") search.append(name, one);
  const text = search.toString();
  return `/admin/v1${filled}${text === "" ? "" : `?${text}`}`;
}

/** @throws Refused */
export async function read<Path extends keyof Reads>(path: Path, at?: At): Promise<Reads[Path]> {
  const said: Reads[Path] = await ask(addressOf(path, at));
  return said;
}

/** @throws Refused */
export async function change<Said>(
  method: "POST" | "PUT" | "PATCH" | "DELETE",
  address: string,
  body?: unknown,
): Promise<Said> {
  const token = session.value?.csrf_token;
  const said: Said = await ask(address, {
    method,
    headers: {
      ...(token && { "x-embedgate-csrf": token }),
      ...(body !== undefined && { "content-type": "application/json" }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return said;
}

/** Starts a session with an admin key. @throws Refused */
export async function signIn(key: string): Promise<void> {
  session.value = await ask("/admin/v1/session", {
    method: "POST",
    headers: { authorization: `Bearer ${key.trim()}` },
  });
  rememberSession(true);
}

/** Ends the session. */
export function forget(why = ""): void {
  rememberSession(false);
  ended.value = why;
  session.value = null;
}

export async function ask(address: string, init?: RequestInit) {
  const answer = await sent(address, init);
  if (answer.ok) return answer.json();
  if (answer.status === 401 && !new Headers(init?.headers).has("authorization"))
    forget(session.value ? "The session has ended: sign in again." : ended.value);
  throw new Refused(answer.status, await messageOf(answer));
}

async function sent(address: string, init?: RequestInit): Promise<Response> {
  try {
    return await send(address, init);
  } catch {
    throw new Refused(0, "The gateway does not answer. Is it running?");
  }
}

async function messageOf(answer: Response): Promise<string> {
  const text = await answer.text();
  try {
    const said: { readonly error?: { readonly message?: string } } = JSON.parse(text);
    return said.error?.message ?? text;
  } catch {
    return text || `The gateway answered ${answer.status}.`;
  }
}
