/**
 * API keys in the database: created, listed, rotated, revoked, looked up. The secret is returned once and stored as a hash.
 * The command line and the admin API call these same functions.
 */

import { ACTORS, openAudit } from "../books/audit";
import { OWN_WORKSPACE } from "../books/ledger";
import type { Store } from "../db/open";
import { GatewayError } from "../domain/errors";
import type { Outside } from "../domain/outside";

export interface NewKey {
  readonly id: string;
  /** The secret: shown once, never again. */
  readonly key: string;
  readonly name: string;
  readonly workspace: string;
  readonly admin: boolean;
}

export interface ListedKey {
  readonly id: string;
  readonly name: string;
  readonly workspace: string;
  readonly admin: boolean;
  /** The start of the newest secret, to tell keys apart. */
  readonly hint: string;
  readonly created_at: number;
  readonly revoked_at: number | null;
  /** When the secret before a rotation stops working; null if none is in its grace period. */
  readonly old_secret_until: number | null;
}

export interface KnownKey {
  readonly keyId: string;
  readonly workspace: string;
  readonly isAdmin: boolean;
}

/** The actor is named in the audit trail (src/books/audit.ts): left out, it is the command line. */
export interface Keys {
  /**
   * Call it before `find` if that answers from memory: undefined if the memory is fresh, otherwise it resolves once it is. Left out: not needed.
   * @throws GatewayError ledger_unavailable
   */
  ready?(): Promise<void> | undefined;
  /**
   * Call it before a key is refused if `find` answers from memory: another process may have created it a moment ago. Undefined if memory has
   * the key, or was found not to a moment ago; otherwise resolves once memory has it if it exists. Left out: not needed.
   * @throws GatewayError ledger_unavailable
   */
  ask?(secret: string): Promise<void> | undefined;
  /** @param admin whether the key may also use the operator's paths */
  create(name: string, workspace: string, admin?: boolean, actor?: string): Promise<NewKey>;
  list(): readonly ListedKey[];
  /** Creates a new secret for the same key; older ones work for `graceMs` more. @throws GatewayError invalid */
  rotate(id: string, graceMs: number, actor?: string): Promise<NewKey>;
  /** @throws GatewayError invalid */
  revoke(id: string, actor?: string): Promise<void>;
  /**
   * The key whose secret has this hash becomes an admin's in the default workspace, unless it was revoked; the previous bootstrap key ends.
   * @param sha256 in hexadecimal digits @throws GatewayError database_unavailable
   */
  bootstrap(sha256: string): Promise<void>;
  /** The live key with this secret. Reads the database, so that a key created by another process is known at once. */
  find(secret: string): KnownKey | undefined;
  /** Why a secret that used to work no longer does, as a message for the log. */
  endOf(secret: string): string | undefined;
  /** Records that tokens of an external issuer are accepted; this is remembered for ever. @throws GatewayError database_unavailable */
  tokensTaken(): Promise<void>;
  /** Whether a key ever existed, including revoked ones, or tokens were ever accepted: after that, open mode never returns by itself. */
  everNeeded(): boolean;
}

export const DEFAULT_WORKSPACE = "default";
const PREFIX = "eg-";
/** Prefix of the ids of keys that come from a routing file or the environment. */
const BOOTSTRAP = "key_bootstrap_";

interface KeyRow {
  id: string;
  name: string;
  workspace: string;
  admin: bigint;
  created_at: bigint;
  revoked_at: bigint | null;
  hint: string;
  old_secret_until: bigint | null;
}

export function openKeys(store: Store, outside: Pick<Outside, "now" | "randomBytes">): Keys {
  const { database, write, read, once } = store;
  const audit = openAudit(store, outside);
  const insertKey = database.query(
    "INSERT INTO keys (id, name, workspace, admin, created_at) VALUES ($id, $name, $workspace, $admin, $now)",
  );
  const insertSecret = database.query(
    "INSERT INTO key_secrets (hash, key_id, hint, created_at) VALUES ($hash, $id, $hint, $now)",
  );
  const expireSecrets = database.query(
    "UPDATE key_secrets SET expires_at = min(coalesce(expires_at, $until), $until) WHERE key_id = $id",
  );
  const selectLive = database.query<{ name: string; workspace: string; admin: bigint }, { id: string }>(
    "SELECT name, workspace, admin FROM keys WHERE id = $id AND revoked_at IS NULL",
  );
  const selectHint = database.query<{ hint: string }, { id: string }>(
    "SELECT hint FROM key_secrets WHERE key_id = $id ORDER BY created_at DESC, expires_at IS NOT NULL LIMIT 1",
  );
  const expireOtherBootstraps = database.query(
    "UPDATE key_secrets SET expires_at = $now WHERE substr(key_id, 1, length($prefix)) = $prefix AND hash <> $hash AND expires_at IS NULL",
  );
  const reviveSecret = database.query(
    "UPDATE key_secrets SET expires_at = NULL WHERE hash = $hash AND key_id = $id",
  );
  const selectSecret = database.query("SELECT 1 FROM key_secrets WHERE hash = $hash");
  const markRevoked = database.query(
    "UPDATE keys SET revoked_at = $now WHERE id = $id AND revoked_at IS NULL",
  );
  const selectAny = database.query("SELECT 1 FROM keys UNION ALL SELECT 1 FROM tokens_taken LIMIT 1");
  const insertTokensTaken = database.query("INSERT OR IGNORE INTO tokens_taken (id, since) VALUES (1, $now)");
  const selectByHash = database.query<
    { key_id: string; workspace: string; admin: bigint; expires_at: bigint | null },
    { hash: Uint8Array }
  >(
    `SELECT s.key_id, k.workspace, k.admin, s.expires_at FROM key_secrets s JOIN keys k ON k.id = s.key_id
     WHERE s.hash = $hash AND k.revoked_at IS NULL`,
  );
  const selectEnded = database.query<
    { key_id: string; workspace: string; revoked_at: bigint | null; expires_at: bigint | null },
    { hash: Uint8Array }
  >(
    `SELECT s.key_id, k.workspace, k.revoked_at, s.expires_at FROM key_secrets s JOIN keys k ON k.id = s.key_id WHERE s.hash = $hash`,
  );
  const selectAll = database.query<KeyRow, { now: number }>(
    `SELECT k.*,
       (SELECT hint FROM key_secrets WHERE key_id = k.id ORDER BY created_at DESC, expires_at IS NOT NULL LIMIT 1) AS hint,
       (SELECT max(expires_at) FROM key_secrets WHERE key_id = k.id AND expires_at > $now) AS old_secret_until
     FROM keys k ORDER BY k.created_at, k.id`,
  );

  const keyOf = once((secret) => {
    const row = read(() => selectByHash.get({ hash: secretHash(secret) }));
    if (!row) return undefined;
    const key = { keyId: row.key_id, workspace: row.workspace, isAdmin: row.admin === 1n };
    // A rotated secret expires by itself.
    return { key, until: row.expires_at === null ? Number.POSITIVE_INFINITY : Number(row.expires_at) };
  });

  return {
    async create(name, workspace, admin = false, actor = ACTORS.commandLine) {
      checkName("name", name);
      checkName("workspace", workspace);
      const id = `key_${outside.randomBytes(9).toBase64({ alphabet: "base64url" })}`;
      const { key, hash, hint } = newSecret(outside);
      const now = outside.now();
      await write(() => {
        insertKey.run({ id, name, workspace, admin: admin ? 1 : 0, now });
        insertSecret.run({ hash, id, hint, now });
        const after = { name, workspace, admin, hint };
        audit.note({ actor, action: "keys.create", target: id, before: null, after });
      });
      return { id, key, name, workspace, admin };
    },
    list() {
      return read(() => selectAll.all({ now: outside.now() })).map((row) => ({
        id: row.id,
        name: row.name,
        workspace: row.workspace,
        admin: row.admin === 1n,
        hint: row.hint,
        created_at: Number(row.created_at),
        revoked_at: row.revoked_at === null ? null : Number(row.revoked_at),
        old_secret_until: row.old_secret_until === null ? null : Number(row.old_secret_until),
      }));
    },
    async rotate(id, graceMs, actor = ACTORS.commandLine) {
      const { key, hash, hint } = newSecret(outside);
      const now = outside.now();
      return write(() => {
        const live = selectLive.get({ id });
        if (!live) throw unknownKey(id);
        const before = { hint: selectHint.get({ id })?.hint ?? null };
        expireSecrets.run({ id, until: now + graceMs });
        insertSecret.run({ hash, id, hint, now });
        const after = { hint, old_secret_until: new Date(now + graceMs).toISOString() };
        audit.note({ actor, action: "keys.rotate", target: id, before, after });
        return { id, key, name: live.name, workspace: live.workspace, admin: live.admin === 1n };
      });
    },
    async revoke(id, actor = ACTORS.commandLine) {
      await write(() => {
        const live = selectLive.get({ id });
        if (markRevoked.run({ id, now: outside.now() }).changes === 0) throw unknownKey(id);
        const before = { name: live?.name, workspace: live?.workspace, admin: live?.admin === 1n };
        audit.note({ actor, action: "keys.revoke", target: id, before, after: null });
      });
    },
    async bootstrap(hex) {
      const hash = Uint8Array.fromHex(hex);
      const id = `${BOOTSTRAP}${hex.slice(0, 12)}`;
      const now = outside.now();
      await write(() => {
        expireOtherBootstraps.run({ now, hash, prefix: BOOTSTRAP });
        // It may have been replaced by another and come back.
        if (selectSecret.get({ hash })) return void reviveSecret.run({ hash, id });
        insertKey.run({ id, name: "bootstrap", workspace: DEFAULT_WORKSPACE, admin: 1, now });
        insertSecret.run({ hash, id, hint: `sha256 ${hex.slice(0, 8)}…`, now });
        const after = { name: "bootstrap", workspace: DEFAULT_WORKSPACE, admin: true };
        audit.note({ actor: ACTORS.routingFile, action: "keys.create", target: id, before: null, after });
      });
    },
    find(secret) {
      const known = keyOf(secret);
      return known !== undefined && outside.now() < known.until ? known.key : undefined;
    },
    endOf(secret) {
      const row = read(() => selectEnded.get({ hash: secretHash(secret) }));
      if (!row) return undefined;
      return wordsOfEnd(row.key_id, row.workspace, row.revoked_at, row.expires_at);
    },
    async tokensTaken() {
      await write(() => insertTokensTaken.run({ now: outside.now() }));
    },
    everNeeded: () => read(() => selectAny.get() !== null),
  };
}

/** As stored: secrets are random, so they need no salt. */
export function secretHash(secret: string): Uint8Array {
  return new Bun.CryptoHasher("sha256").update(secret).digest();
}

export function newSecret(outside: Pick<Outside, "randomBytes">): {
  readonly key: string;
  readonly hash: Uint8Array;
  readonly hint: string;
} {
  const key = PREFIX + outside.randomBytes(32).toBase64({ alphabet: "base64url", omitPadding: true });
  return { key, hash: secretHash(key), hint: `${key.slice(0, PREFIX.length + 4)}…` };
}

export const unknownKey = (id: string) =>
  new GatewayError("invalid", `There is no live key "${id}": 'embedgate keys list' shows them.`);

/** Why a secret does not work. */
export function wordsOfEnd(
  id: string,
  workspace: string,
  revokedAt: bigint | null,
  expiresAt: bigint | null,
): string {
  const how = revokedAt === null ? "was rotated out" : "was revoked";
  const at = revokedAt ?? expiresAt;
  const when = at === null ? "" : ` on ${new Date(Number(at)).toISOString()}`;
  return `The key ${id} of the workspace "${workspace}" ${how}${when}.`;
}

/**
 * Valid names of new workspaces: names are used in commands, URLs and CSV. Existing workspaces keep their names.
 * @throws GatewayError invalid
 */
export function checkNewWorkspace(name: string): void {
  checkName("workspace", name);
  if (/^[\p{L}\p{N}][\p{L}\p{N}._@:|+~-]*$/u.test(name)) return;
  throw new GatewayError(
    "invalid",
    `The workspace's name ${JSON.stringify(name.slice(0, 200))} is refused: use letters, digits and . _ - @ : | + ~, beginning with a letter or a digit.`,
    { field: "workspace" },
  );
}

/** @throws GatewayError invalid */
export function checkName(what: "name" | "workspace", value: string): void {
  if (what === "workspace" && value === OWN_WORKSPACE)
    throw new GatewayError("invalid", `"${OWN_WORKSPACE}" is reserved for the gateway; use another name.`, {
      field: what,
    });
  if (/^[^\p{C}]{1,200}$/u.test(value) && value.trim() === value) return;
  throw new GatewayError(
    "invalid",
    `The ${what} must have 1 to 200 printable characters, and no space at its ends.`,
    {
      field: what,
    },
  );
}
