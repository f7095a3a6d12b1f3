/**
 * Sessions of the dashboard: an admin key once, then a cookie that scripts cannot read. A session is valid as long as the secret that started it:
 * it ends when that is rotated or its key revoked. Several processes share sessions, so they are in the database.
 *
 * Three defences against other sites' pages, each sufficient by itself: the cookie is SameSite=Strict; a request by cookie is refused
 * if the browser says that another origin made it (including another port of this machine, which SameSite treats as the same site); and changes
 * need a token in a header, which another origin's page can neither read nor send.
 */
import type { Audit } from "../books/audit";
import type { Store } from "../db/open";
import { GatewayError } from "../domain/errors";
import type { Outside } from "../domain/outside";
import { isOfOwnOrigin } from "../domain/this-machine";
import { bearerOf } from "./secret";

export const SESSION_COOKIE = "embedgate_session";
export const CSRF_HEADER = "x-embedgate-csrf";

export interface Session {
  readonly keyId: string;
  readonly workspace: string;
  readonly csrfToken: string;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

export interface Sessions {
  /** @param request contains the admin key @returns the cookie's value @throws GatewayError */
  begin(
    request: Request,
    actor: string,
  ): Promise<{ readonly secret: string; readonly csrfToken: string; readonly expiresAt: number }>;
  /** The session of the request's cookie; undefined if there is none or it is invalid. */
  of(request: Request): Promise<Session | undefined>;
  /** Like `of`, for access control. @throws GatewayError forbidden for another origin's page, and for a change without the token */
  admit(request: Request): Promise<Session | undefined>;
  /** @returns whether there was one */
  end(request: Request, actor: string): Promise<boolean>;
}

const LIFE_MS = 12 * 3_600_000;

/** The store of sessions; `at` is the current time. */
export interface KeptSessions {
  /** Deletes expired sessions. @param secret hash of the secret that started the session, and the session's own hash */
  begin(hash: Uint8Array, secret: Uint8Array, at: number, until: number, actor: string): Promise<void>;
  find(hash: Uint8Array, at: number): Promise<KeptSession | undefined>;
  /** @returns whether there was one */
  end(hash: Uint8Array, actor: string): Promise<boolean>;
}

export interface KeptSession {
  readonly key_id: string;
  readonly workspace: string;
  readonly expires_at: bigint;
}

export function openSessions(
  store: Store,
  audit: Audit,
  outside: Pick<Outside, "now" | "randomBytes">,
): Sessions {
  return sessionsOn(sqliteSessions(store, audit), outside);
}

function sqliteSessions({ database, read, write }: Store, audit: Audit): KeptSessions {
  const insert = database.query<unknown, [Uint8Array, Uint8Array, number, number]>(
    "INSERT INTO admin_sessions (hash, secret, created_at, expires_at) VALUES (?1, ?2, ?3, ?4)",
  );
  const select = database.query<KeptSession, [Uint8Array, number]>(
    `SELECT k.id AS key_id, k.workspace, a.expires_at FROM admin_sessions a JOIN key_secrets s ON s.hash = a.secret JOIN keys k ON k.id = s.key_id
     WHERE a.hash = ?1 AND a.expires_at > ?2 AND k.revoked_at IS NULL AND k.admin = 1 AND (s.expires_at IS NULL OR s.expires_at > ?2)`,
  );
  const drop = database.query<unknown, [Uint8Array]>("DELETE FROM admin_sessions WHERE hash = ?1");
  const dropOver = database.query<unknown, [number]>("DELETE FROM admin_sessions WHERE expires_at <= ?1");

  const note = (actor: string, action: string) =>
    audit.note({ actor, action, target: actor, before: null, after: null });
  return {
    begin: (hash, secret, at, until, actor) =>
      write(() => {
        dropOver.run(at);
        insert.run(hash, secret, at, until);
        note(actor, "sessions.begin");
      }),
    find: async (hash, at) => read(() => select.get(hash, at)) ?? undefined,
    end: (hash, actor) =>
      write(() => {
        if (drop.run(hash).changes === 0) return false;
        note(actor, "sessions.end");
        return true;
      }),
  };
}

export function sessionsOn(
  kept: KeptSessions,
  { now, randomBytes }: Pick<Outside, "now" | "randomBytes">,
): Sessions {
  async function of(request: Request): Promise<Session | undefined> {
    const secret = cookieOf(request);
    if (secret === undefined) return undefined;
    const row = await kept.find(sha256(secret), now());
    if (!row) return undefined;
    return {
      keyId: row.key_id,
      workspace: row.workspace,
      csrfToken: csrfTokenOf(secret),
      expiresAt: Number(row.expires_at),
    };
  }

  return {
    async begin(request, actor) {
      const key = bearerOf(request);
      if (key === undefined)
        throw new GatewayError(
          "no_key",
          "A session is begun with an admin key in the header 'Authorization: Bearer KEY'.",
        );
      const secret = randomBytes(32).toBase64({ alphabet: "base64url", omitPadding: true });
      const at = now();
      await kept.begin(sha256(secret), sha256(key), at, at + LIFE_MS, actor);
      return { secret, csrfToken: csrfTokenOf(secret), expiresAt: at + LIFE_MS };
    },
    of,
    async admit(request) {
      const session = await of(request);
      if (session === undefined) return undefined;
      if (!isOfOwnOrigin(request))
        throw new GatewayError(
          "forbidden",
          "A session's cookie is not taken from another origin's web page.",
        );
      const isChange = request.method !== "GET" && request.method !== "HEAD";
      if (isChange && request.headers.get(CSRF_HEADER) !== session.csrfToken)
        throw new GatewayError(
          "forbidden",
          `A change by a session's cookie needs its token in the header '${CSRF_HEADER}': GET /admin/v1/session tells it.`,
        );
      return session;
    },
    async end(request, actor) {
      const secret = cookieOf(request);
      return secret !== undefined && kept.end(sha256(secret), actor);
    },
  };
}

/** It reveals nothing about the cookie, and needs no column of its own. */
const csrfTokenOf = (secret: string) =>
  sha256(`csrf ${secret}`).toBase64({ alphabet: "base64url", omitPadding: true });

const sha256 = (text: string) => new Bun.CryptoHasher("sha256").update(text).digest();

function cookieOf({ headers }: Pick<Request, "headers">): string | undefined {
  for (const pair of (headers.get("cookie") ?? "").split(";")) {
    const at = pair.indexOf("=");
    if (pair.slice(0, at).trim() === SESSION_COOKIE) return pair.slice(at + 1).trim() || undefined;
  }
  return undefined;
}
