/**
 * An issuer's published keys: fetched when first needed, cached, and fetched again when they are old or a token names an unknown key.
 * Whatever callers send, the issuer gets at most one request per cooldown; while it is down, the cached keys stay in use.
 */
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from "jose";
import { GatewayError } from "../domain/errors";
import type { Outside } from "../domain/outside";
import { untrusted } from "../network/connecting";
import { Gathered } from "../network/gathered";

/** A key that the issuer withdraws stops working within this time. */
const OLD_AFTER_MS = 600_000;
/** Minimum time between two fetches, so that made-up key ids do not become requests to the issuer. */
const COOLDOWN_MS = 30_000;
const COOLDOWN_AFTER_FAILURE_MS = 5_000;
const FETCH_MS = 5_000;
/** Enough for hundreds of keys; issuers have two or three. */
const BYTES_MAX = 256 * 1024;

/** @returns finds a token's key; throws GatewayError unavailable if it cannot be determined, and jose's own error if there is none */
export function openJwks(
  url: string,
  outside: Pick<Outside, "fetch" | "monotonic" | "sleep" | "log">,
): JWTVerifyGetKey {
  let kept: { readonly select: JWTVerifyGetKey; readonly at: number } | undefined;
  let asked: { readonly at: number; readonly failed: boolean } | undefined;
  let asking: Promise<void> | undefined;

  /** Joins the fetch in progress, starts one, or does neither during the cooldown. It never rejects: `asked` has the outcome. */
  async function askAgain(): Promise<void> {
    const wait = asked?.failed ? COOLDOWN_AFTER_FAILURE_MS : COOLDOWN_MS;
    if (asking === undefined && asked !== undefined && outside.monotonic() - asked.at < wait) return;
    asking ??= ask().finally(() => {
      asking = undefined;
    });
    await asking;
  }

  async function ask(): Promise<void> {
    try {
      const select = createLocalJWKSet(keySetOf(await fetched(url, outside)));
      kept = { select, at: outside.monotonic() };
      asked = { at: outside.monotonic(), failed: false };
    } catch (cause) {
      asked = { at: outside.monotonic(), failed: true };
      const words = cause instanceof Error ? cause.message : String(cause);
      const about = { cause: untrusted(url, cause, "of auth.jwt in the routing file") ?? words };
      outside.log("warn", "the keys of the tokens' issuer could not be fetched", about);
    }
  }

  return async (header, token) => {
    if (kept === undefined || outside.monotonic() - kept.at >= OLD_AFTER_MS) await askAgain();
    try {
      if (kept !== undefined) return await kept.select(header, token);
    } catch (thrown) {
      if (!(thrown instanceof errors.JWKSNoMatchingKey)) throw thrown;
    }
    await askAgain();
    try {
      if (kept !== undefined) return await kept.select(header, token);
    } catch (thrown) {
      // An unreachable issuer may have a new key.
      if (!(thrown instanceof errors.JWKSNoMatchingKey) || !asked?.failed) throw thrown;
    }
    throw new GatewayError(
      "unavailable",
      "The token cannot be verified now: its issuer's key set could not be fetched. Retry in a few seconds.",
      { retryAfterMs: COOLDOWN_AFTER_FAILURE_MS },
    );
  };
}

/** @throws Error with a message for the log */
async function fetched(url: string, outside: Pick<Outside, "fetch" | "sleep">): Promise<unknown> {
  const over = new AbortController();
  const timer = new AbortController();
  const late = outside.sleep(FETCH_MS, timer.signal).then(() => {
    const reason = new Error(`no answer within ${FETCH_MS} ms`);
    over.abort(reason);
    throw reason;
  });
  try {
    return await Promise.race([late, read(url, over.signal, outside)]);
  } finally {
    timer.abort();
  }
}

async function read(url: string, signal: AbortSignal, outside: Pick<Outside, "fetch">): Promise<unknown> {
  const headers = { accept: "application/jwk-set+json, application/json" };
  // A redirect would let another server act as the issuer.
  const response = await outside.fetch(url, { headers, signal, redirect: "manual" });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`it answered ${response.status}`);
  }
  const gathered = new Gathered();
  // Leaving the loop closes the connection.
  for await (const piece of response.body ?? []) {
    gathered.add(piece);
    if (gathered.size > BYTES_MAX) throw new Error(`it answered more than ${BYTES_MAX} bytes`);
  }
  return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(gathered.bytes()));
}

/** Invalid entries are left to jose, which skips what it cannot use. @throws Error */
function keySetOf(value: unknown): JSONWebKeySet {
  const keys: unknown =
    typeof value === "object" && value !== null && "keys" in value ? value.keys : undefined;
  if (!Array.isArray(keys)) throw new Error("it did not answer a key set: an object with the list 'keys'");
  return { keys };
}
