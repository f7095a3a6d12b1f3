/**
 * Logs keys that were created, rotated or revoked by whichever process: a running gateway checks when requests come, at most once
 * per second.
 */
import type { Outside } from "../domain/outside";
import type { Keys, ListedKey } from "./keys";

const LOOK_EVERY_MS = 1_000;

/** @returns keys that are checked when a request has one */
export function tellingOfChanges(keys: Keys, { monotonic, log }: Pick<Outside, "monotonic" | "log">): Keys {
  let known = new Map(keys.list().map((key) => [key.id, key]));
  let lookedAt = monotonic();

  function look(): void {
    const now = monotonic();
    if (now - lookedAt < LOOK_EVERY_MS) return;
    lookedAt = now;
    const found = new Map(keys.list().map((key) => [key.id, key]));
    if (known.size === 0 && found.size > 0) log("info", "API keys are required from now on");
    for (const key of found.values()) tell(known.get(key.id), key);
    known = found;
  }

  function tell(
    before: ListedKey | undefined,
    { id, name, workspace, admin, hint, revoked_at }: ListedKey,
  ): void {
    const about = { key: id, name, workspace, admin };
    if (before === undefined) log("info", "a key was created", about);
    else if (before.hint !== hint) log("info", "a key was rotated", about);
    if (revoked_at !== null && (before?.revoked_at ?? null) === null) log("info", "a key was revoked", about);
  }

  return {
    ...keys,
    find(secret) {
      look();
      return keys.find(secret);
    },
  };
}
