/**
 * /admin/v1/keys: API keys; the same as `embedgate keys`. A secret is only in the answer that created it.
 */
import { type Static, Type } from "@sinclair/typebox";
import { DEFAULT_WORKSPACE, type ListedKey, type NewKey } from "../../callers/keys";
import { GatewayError } from "../../domain/errors";
import { nearestName } from "../../domain/nearest";
import { type AdminPath, adminPath, type Named, NO_BODY } from "./admin-path";
import type { AdminParts } from "./parts";
import { closed, iso, isoOrNull, OrNull, Time } from "./values";

const Key = Type.Object({
  id: Type.String(),
  name: Type.String(),
  workspace: Type.String(),
  admin: Type.Boolean({ description: "Whether the key is for the Admin API instead of requests." }),
  hint: Type.String({ description: "The first characters of its newest secret." }),
  created_at: Time("When it was made."),
  revoked_at: OrNull(Time("When it was revoked.")),
  old_secret_until: OrNull(Time("When the secret before the last rotation stops working.")),
});

const KEY: Static<typeof Key> = {
  id: "key_Xb3kQ9",
  name: "ci",
  workspace: "default",
  admin: false,
  hint: "eg-4fGh…",
  created_at: "2026-11-28T09:00:00.000Z",
  revoked_at: null,
  old_secret_until: null,
};

const Keys = {
  name: "AdminKeys",
  schema: Type.Object({ keys: Type.Array(Key) }, { examples: [{ keys: [KEY] }] }),
} satisfies Named;

const OneKey = {
  name: "AdminKey",
  schema: Type.Object({ key: Key }, { examples: [{ key: KEY }] }),
} satisfies Named;

const Minted = {
  name: "AdminNewKey",
  schema: Type.Object(
    {
      key: Key,
      secret: Type.String({ description: "The secret that callers send. It is shown only once." }),
    },
    { examples: [{ key: KEY, secret: "eg-4fGh-what-callers-send" }] },
  ),
} satisfies Named;

const Minting = {
  name: "AdminKeyToMake",
  schema: Type.Object(
    {
      name: Type.String({ minLength: 1, maxLength: 200 }),
      workspace: Type.Optional(
        Type.String({ minLength: 1, maxLength: 200, description: "Left out: default." }),
      ),
      admin: Type.Optional(Type.Boolean({ description: "Opens the Admin API, too. Left out: no." })),
      create_workspace: Type.Optional(
        Type.Boolean({ description: "Creates the workspace if it does not exist. Left out: no." }),
      ),
    },
    { ...closed, examples: [{ name: "ci", workspace: "default" }] },
  ),
} satisfies Named;

const Rotation = {
  name: "AdminKeyRotation",
  schema: Type.Object(
    {
      grace_seconds: Type.Optional(
        Type.Integer({
          minimum: 0,
          maximum: 31_536_000,
          default: 86_400,
          description: "How long earlier secrets stay valid.",
        }),
      ),
    },
    { ...closed, examples: [{ grace_seconds: 86_400 }] },
  ),
} satisfies Named;

const GRACE_SECONDS = 86_400;

const told = (key: ListedKey): Static<typeof Key> => ({
  id: key.id,
  name: key.name,
  workspace: key.workspace,
  admin: key.admin,
  hint: key.hint,
  created_at: iso(key.created_at),
  revoked_at: isoOrNull(key.revoked_at),
  old_secret_until: isoOrNull(key.old_secret_until),
});

function found(id: string, { keys }: AdminParts): Static<typeof Key> {
  const key = keys.list().find((one) => one.id === id);
  if (key) return told(key);
  throw new GatewayError("unknown_resource", `There is no key '${id.slice(0, 100)}'.`, { field: "key" });
}

const minted = ({ id, key: secret }: NewKey, parts: AdminParts) => ({ key: found(id, parts), secret });

/** A misspelt name must not create a workspace without limits. */
async function provide(workspace: string, mayCreate: boolean, { workspaces }: AdminParts): Promise<void> {
  if (workspace === DEFAULT_WORKSPACE || mayCreate) return void (await workspaces.ensure(workspace));
  if (workspaces.exists(workspace)) return;
  const near = nearestName(
    workspace,
    (await workspaces.list()).map(({ name }) => name),
  );
  const hint = near === undefined ? "" : ` Did you mean '${near}'?`;
  throw new GatewayError(
    "invalid",
    `There is no workspace '${workspace}'.${hint} Create it first, or send create_workspace: true.`,
    { field: "workspace" },
  );
}

export const KEY_PATHS: readonly AdminPath[] = [
  adminPath({
    method: "GET",
    path: "/keys",
    operationId: "adminListKeys",
    summary: "List all keys, revoked ones too",
    query: {
      workspace: Type.Optional(Type.String({ maxLength: 200, description: "Only this workspace's." })),
    },
    request: NO_BODY,
    answer: Keys,
    work: ({ query: { workspace } }, { keys }) => ({
      keys: keys
        .list()
        .filter((key) => workspace === undefined || key.workspace === workspace)
        .map(told),
    }),
  }),
  adminPath({
    method: "POST",
    path: "/keys",
    operationId: "adminCreateKey",
    summary: "Make a key; its secret is in this answer only",
    query: {},
    request: Minting,
    answer: Minted,
    status: 201,
    async work({ body, operator }, parts) {
      const { name, workspace = DEFAULT_WORKSPACE, admin = false, create_workspace = false } = body;
      await provide(workspace, create_workspace, parts);
      return minted(await parts.keys.create(name, workspace, admin, operator.actor), parts);
    },
  }),
  adminPath({
    method: "GET",
    path: "/keys/{key}",
    operationId: "adminShowKey",
    summary: "Show one key",
    query: {},
    request: NO_BODY,
    answer: OneKey,
    work: ({ param }, parts) => ({ key: found(param("key"), parts) }),
  }),
  adminPath({
    method: "POST",
    path: "/keys/{key}/rotate",
    operationId: "adminRotateKey",
    summary: "Give a key another secret; the one before works for a grace period",
    query: {},
    request: Rotation,
    answer: Minted,
    async work({ param, body, operator }, parts) {
      found(param("key"), parts);
      const graceMs = (body.grace_seconds ?? GRACE_SECONDS) * 1_000;
      return minted(await parts.keys.rotate(param("key"), graceMs, operator.actor), parts);
    },
  }),
  adminPath({
    method: "DELETE",
    path: "/keys/{key}",
    operationId: "adminRevokeKey",
    summary: "Revoke a key: it is refused from now on",
    query: {},
    request: NO_BODY,
    answer: OneKey,
    async work({ param, operator }, parts) {
      found(param("key"), parts);
      await parts.keys.revoke(param("key"), operator.actor);
      return { key: found(param("key"), parts) };
    },
  }),
];

export type AdminKeys = Static<typeof Keys.schema>;
export type AdminKey = Static<typeof OneKey.schema>;
export type AdminNewKey = Static<typeof Minted.schema>;

export const KEY_SCHEMAS: readonly Named[] = [Keys, OneKey, Minted, Minting, Rotation];
