/**
 * API keys in PostgreSQL: looked up in memory, changed in the database. The interface is in src/callers/keys.ts.
 */

import { ACTORS } from "../../books/audit";
import {
  checkName,
  DEFAULT_WORKSPACE,
  type Keys,
  type KnownKey,
  type ListedKey,
  newSecret,
  secretHash,
  unknownKey,
  wordsOfEnd,
} from "../../callers/keys";
import type { Outside } from "../../domain/outside";
import { noteChange } from "./audit";
import type { Base } from "./base";
import { timeOf } from "./clock";
import type { Connection } from "./connection";
import type { Mirror, Part } from "./mirror";
import { createAsking } from "./unknown-keys";

interface KeyRow {
  readonly id: string;
  readonly name: string;
  readonly workspace: string;
  readonly admin: boolean;
  readonly created_at: bigint;
  readonly revoked_at: bigint | null;
}

interface SecretRow {
  readonly hash: Uint8Array;
  readonly key_id: string;
  readonly hint: string;
  readonly created_at: bigint;
  readonly expires_at: bigint | null;
}

interface Key extends KeyRow {
  readonly secrets: readonly SecretRow[];
}

/** The copy of all keys in memory, including revoked ones. */
export interface KnownKeys {
  readonly parts: readonly Part[];
  readonly byId: ReadonlyMap<string, Key>;
  /** By the hash of a secret, in hexadecimal digits. */
  readonly bySecret: ReadonlyMap<string, { readonly key: Key; readonly secret: SecretRow }>;
  tokensWereTaken(): boolean;
}

export function createKnownKeys(): KnownKeys {
  const byId = new Map<string, Key>();
  const bySecret = new Map<string, { key: Key; secret: SecretRow }>();
  let tokensWereTaken = false;

  function forget(ids: readonly string[]): void {
    for (const id of ids) {
      for (const { hash } of byId.get(id)?.secrets ?? []) bySecret.delete(hash.toHex());
      byId.delete(id);
    }
  }

  async function read(connection: Connection, names: readonly string[] | undefined): Promise<void> {
    const [which, whose, wanted] =
      names === undefined
        ? ["", "", []]
        : [
            "WHERE id IN (SELECT json_array_elements_text($1::text::json))",
            "WHERE key_id IN (SELECT json_array_elements_text($1::text::json))",
            [JSON.stringify(names)],
          ];
    const keys = await connection.query<KeyRow>(`SELECT * FROM @keys ${which}`, wanted);
    const secrets = await connection.query<SecretRow>(`SELECT * FROM @key_secrets ${whose}`, wanted);
    const byKey = Map.groupBy(secrets, ({ key_id }) => key_id);
    // Replaced within one turn of the event loop, so that no request misses a key that exists.
    forget(names ?? [...byId.keys()]);
    for (const row of keys) {
      const key = { ...row, secrets: byKey.get(row.id) ?? [] };
      byId.set(key.id, key);
      for (const secret of key.secrets) bySecret.set(secret.hash.toHex(), { key, secret });
    }
  }

  const taken = async (connection: Connection): Promise<void> => {
    const rows = await connection.query("SELECT 1 FROM @tokens_taken");
    tokensWereTaken = rows.length > 0;
  };
  const parts = [
    { what: "key", read },
    { what: "tokens", read: taken },
  ];
  return { parts, byId, bySecret, tokensWereTaken: () => tokensWereTaken };
}

/** How many recent secrets' hashes are kept, so that a secret is not hashed for each request. */
const HASHES_MAX = 10_000;

export function openPostgresKeys(
  { pool, clock }: Base,
  mirror: Mirror,
  known: KnownKeys,
  outside: Pick<Outside, "randomBytes" | "monotonic" | "sleep">,
): Keys {
  const hashes = new Map<string, string>();

  function hashOf(secret: string): string {
    let hash = hashes.get(secret);
    if (hash === undefined) {
      hash = secretHash(secret).toHex();
      if (hashes.size >= HASHES_MAX) hashes.clear();
      hashes.set(secret, hash);
    }
    return hash;
  }

  const ask = createAsking({
    isKnown: (hash) => known.bySecret.has(hash),
    look: mirror.refreshInTime,
    monotonic: outside.monotonic,
    sleep: outside.sleep,
  });

  /** @param work may run more than once */
  async function change(work: (connection: Connection) => Promise<void>): Promise<void> {
    await pool.transact(work);
    await mirror.refresh();
  }

  const NOW = timeOf("$1");
  const insertKey = `INSERT INTO @keys (created_at, id, name, workspace, admin) VALUES (${NOW}, $2, $3, $4, $5) ON CONFLICT DO NOTHING`;
  const insertSecret = `INSERT INTO @key_secrets (created_at, hash, key_id, hint) VALUES (${NOW}, $2, $3, $4) ON CONFLICT DO NOTHING`;

  return {
    ready: () => mirror.fresh(),
    ask: (secret) => ask(hashOf(secret)),
    async create(name, workspace, admin = false, actor = ACTORS.commandLine) {
      checkName("name", name);
      checkName("workspace", workspace);
      const id = `key_${outside.randomBytes(9).toBase64({ alphabet: "base64url" })}`;
      const { key, hash, hint } = newSecret(outside);
      await change(async (connection) => {
        const { query } = connection;
        const made = await query(`${insertKey} RETURNING 1`, [clock.at(), id, name, workspace, admin]);
        // An earlier try's acknowledgement may have been lost.
        if (made.length === 0) return;
        await query(insertSecret, [clock.at(), hash, id, hint]);
        const after = { name, workspace, admin, hint };
        await noteChange(connection, clock, {
          actor,
          action: "keys.create",
          target: id,
          before: null,
          after,
        });
      });
      return { id, key, name, workspace, admin };
    },
    list() {
      const now = clock.now();
      return [...known.byId.values()]
        .map((key) => listed(key, now))
        .sort((a, b) => a.created_at - b.created_at || (a.id < b.id ? -1 : 1));
    },
    async rotate(id, graceMs, actor = ACTORS.commandLine) {
      const { key, hash, hint } = newSecret(outside);
      return pool
        .transact(async (connection) => {
          const { query } = connection;
          const [live] = await query<KeyRow>(
            "SELECT * FROM @keys WHERE id = $1 AND revoked_at IS NULL FOR UPDATE",
            [id],
          );
          if (!live) throw unknownKey(id);
          await query(
            `UPDATE @key_secrets SET expires_at = least(coalesce(expires_at, ${NOW} + $3), ${NOW} + $3) WHERE key_id = $2 AND hash <> $4`,
            [clock.at(), id, graceMs, hash],
          );
          const made = await query(`${insertSecret} RETURNING 1`, [clock.at(), hash, id, hint]);
          if (made.length > 0) {
            const old = known.byId.get(id);
            const before = { hint: old ? listed(old, clock.now()).hint : null };
            const after = { hint, old_secret_until: new Date(clock.now() + graceMs).toISOString() };
            await noteChange(connection, clock, { actor, action: "keys.rotate", target: id, before, after });
          }
          return { id, key, name: live.name, workspace: live.workspace, admin: live.admin };
        })
        .finally(() => mirror.refresh());
    },
    async revoke(id, actor = ACTORS.commandLine) {
      let isSecondTry = false;
      await change(async (connection) => {
        const rows = await connection.query<KeyRow>(
          `UPDATE @keys SET revoked_at = ${NOW} WHERE id = $2 AND revoked_at IS NULL RETURNING *`,
          [clock.at(), id],
        );
        // The first try's acknowledgement may have been lost.
        if (rows.length === 0 && !(isSecondTry && known.byId.has(id))) throw unknownKey(id);
        isSecondTry = true;
        for (const { name, workspace, admin } of rows)
          await noteChange(connection, clock, {
            actor,
            action: "keys.revoke",
            target: id,
            before: { name, workspace, admin },
            after: null,
          });
      });
    },
    async bootstrap(hex) {
      const hash = Uint8Array.fromHex(hex);
      const id = `key_bootstrap_${hex.slice(0, 12)}`;
      await change(async (connection) => {
        const { query } = connection;
        await query(
          `UPDATE @key_secrets SET expires_at = ${NOW}
           WHERE starts_with(key_id, 'key_bootstrap_') AND hash <> $2 AND expires_at IS NULL`,
          [clock.at(), hash],
        );
        // Another change may have replaced this secret and set it again.
        await query("UPDATE @key_secrets SET expires_at = NULL WHERE hash = $1 AND key_id = $2", [hash, id]);
        const there = await query("SELECT 1 FROM @key_secrets WHERE hash = $1", [hash]);
        if (there.length > 0) return;
        await query(insertKey, [clock.at(), id, "bootstrap", DEFAULT_WORKSPACE, true]);
        await query(insertSecret, [clock.at(), hash, id, `sha256 ${hex.slice(0, 8)}…`]);
        const after = { name: "bootstrap", workspace: DEFAULT_WORKSPACE, admin: true };
        await noteChange(connection, clock, {
          actor: ACTORS.routingFile,
          action: "keys.create",
          target: id,
          before: null,
          after,
        });
      });
    },
    find(secret): KnownKey | undefined {
      mirror.assertFresh();
      const found = known.bySecret.get(hashOf(secret));
      if (found === undefined || found.key.revoked_at !== null) return undefined;
      const { expires_at } = found.secret;
      if (expires_at !== null && clock.now() >= Number(expires_at)) return undefined;
      const { id, workspace, admin } = found.key;
      return { keyId: id, workspace, isAdmin: admin };
    },
    endOf(secret) {
      const found = known.bySecret.get(hashOf(secret));
      if (found === undefined) return undefined;
      const { id, workspace, revoked_at } = found.key;
      return wordsOfEnd(id, workspace, revoked_at, found.secret.expires_at);
    },
    tokensTaken: () =>
      change(async ({ query }) => {
        await query(`INSERT INTO @tokens_taken (id, since) VALUES (1, ${NOW}) ON CONFLICT DO NOTHING`, [
          clock.at(),
        ]);
      }),
    everNeeded() {
      mirror.assertFresh();
      return known.byId.size > 0 || known.tokensWereTaken();
    },
  };
}

function listed({ secrets, ...key }: Key, now: number): ListedKey {
  const newest = secrets.toSorted(
    (a, b) =>
      Number(b.created_at - a.created_at) || Number(a.expires_at !== null) - Number(b.expires_at !== null),
  )[0];
  const ends = secrets.flatMap(({ expires_at }) =>
    expires_at !== null && Number(expires_at) > now ? [Number(expires_at)] : [],
  );
  return {
    id: key.id,
    name: key.name,
    workspace: key.workspace,
    admin: key.admin,
    hint: newest?.hint ?? "",
    created_at: Number(key.created_at),
    revoked_at: key.revoked_at === null ? null : Number(key.revoked_at),
    old_secret_until: ends.length === 0 ? null : Math.max(...ends),
  };
}
