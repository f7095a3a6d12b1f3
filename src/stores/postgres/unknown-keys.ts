/**
 * A key that another machine has just created is not in memory yet (mirror.ts): before it is refused, the database is asked once. Somebody who
 * guesses keys must not load it, so all that are unknown share one look, there are few of them a second, and what is unknown is remembered.
 */
import type { Outside } from "../../domain/outside";

/** Twenty looks a second at most, each of one row where nothing has changed. */
const LOOK_EVERY_MS = 50;
/** After that, memory has what was created meanwhile, or is too old to be used. */
const REMEMBERED_MS = 1_000;
const REMEMBERED_MAX = 10_000;

interface World extends Pick<Outside, "monotonic" | "sleep"> {
  /** Whether memory has the key's hash. */
  readonly isKnown: (hash: string) => boolean;
  /** Resolves once memory has everything that was committed before the call. @throws GatewayError ledger_unavailable */
  readonly look: () => Promise<void>;
}

/**
 * @returns a function that resolves once memory has the key, or it is known that there was none when it was called; undefined where that is
 * known already. It rejects with what `look` throws
 */
export function createAsking({
  isKnown,
  look,
  monotonic,
  sleep,
}: World): (hash: string) => Promise<void> | undefined {
  /** When the database was asked for a hash that it did not have. */
  const unknown = new Map<string, number>();
  let lookedAt = Number.NEGATIVE_INFINITY;
  /** The look that has not begun yet. */
  let next: Promise<number> | undefined;

  async function nextLook(): Promise<number> {
    await sleep(Math.max(0, lookedAt + LOOK_EVERY_MS - monotonic()));
    next = undefined;
    const at = monotonic();
    lookedAt = at;
    await look();
    return at;
  }

  async function ask(hash: string): Promise<void> {
    next ??= nextLook();
    const at = await next;
    if (isKnown(hash)) return;
    if (unknown.size >= REMEMBERED_MAX) unknown.clear();
    unknown.set(hash, at);
  }

  return (hash) => {
    if (isKnown(hash)) return undefined;
    const askedAt = unknown.get(hash);
    if (askedAt !== undefined && monotonic() - askedAt < REMEMBERED_MS) return undefined;
    return ask(hash);
  };
}
