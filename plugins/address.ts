/**
 * Where a server's API lies below its address. A base_url with a path is taken as it is; of one without, the usual path is tried first and
 * the other one after it (the bare address, or /v1): infinity-emb 0.0.78 has its API at /embeddings, unless it was started with --url-prefix /v1.
 */
import type { ApiAddress, Host } from "../src/plugin";
import { withoutSlash } from "./base-url";
import { type Query, withQuery } from "./options";

export interface Address {
  /**
   * Asks below the path that was found, or finds it.
   * @param ask one request to a URL; it throws `wrong_address` where nothing lies there
   */
  reached<Reply>(ask: (url: string) => Promise<Reply>): Promise<Reply>;
  /** For `Upstream.address`; empty where `base_url` leaves nothing open. */
  readonly toFind: { readonly address?: ApiAddress };
}

/**
 * @param usual the path where the API lies unless the address has one @param call the path of the call below it
 * @param headers sent where it is looked for
 */
export function addressOf(
  host: Pick<Host, "post" | "failure">,
  { base_url, query }: { readonly base_url: string; readonly query?: Query },
  usual: string,
  call: string,
  headers: Readonly<Record<string, string>>,
): Address {
  const [address = ""] = base_url.split("?", 1);
  const trimmed = withoutSlash(address);
  const hasPath = new URL(trimmed).pathname !== "/";
  const bases = hasPath
    ? [trimmed]
    : (usual === "" ? ["", "/v1"] : [usual, ""]).map((path) => trimmed + path);
  const candidates = bases.map((base) => ({
    shown: base + call,
    url: withQuery(base_url, query, () => base + call),
  }));
  let found = hasPath ? candidates[0] : undefined;
  const { promise: whenFound, resolve } = Promise.withResolvers<string>();

  /** The first that `ask` does not throw `wrong_address` at. @throws what it throws otherwise; the first refusal, where all are refused */
  async function first<Reply>(ask: (url: string) => Promise<Reply>): Promise<Reply> {
    let missed: unknown;
    for (const candidate of candidates) {
      try {
        const reply = await ask(candidate.url);
        found ??= candidate;
        resolve(found.shown);
        return reply;
      } catch (thrown) {
        if (kindOf(thrown) !== "wrong_address") throw thrown;
        missed ??= thrown;
      }
    }
    throw missed;
  }

  const toFind: ApiAddress = {
    tried: candidates.map(({ shown }) => shown),
    found: whenFound,
    async find(signal) {
      if (found) return;
      await first(async (url) => {
        try {
          await host.post({ url, headers, body: {}, signal });
        } catch (thrown) {
          if (!isAnsweredThere(thrown)) throw thrown;
          return;
        }
        // A server that answers 200 to an empty call may answer so to anything: the first real call decides.
        throw host.failure("malformed", "It took a call without a text.");
      });
    },
  };

  return {
    reached: (ask) => (found ? ask(found.url) : first(ask)),
    toFind: hasPath ? {} : { address: toFind },
  };
}

/** A refusal of the body comes from an API; one of our key, or of a proxy whose server is down, would come from any path. */
function isAnsweredThere(thrown: unknown): boolean {
  const kind = kindOf(thrown);
  const isBroken =
    kind === "unavailable" &&
    thrown instanceof Error &&
    "upstreamStatus" in thrown &&
    thrown.upstreamStatus === 500;
  return kind === "invalid" || kind === "not_found" || isBroken;
}

const kindOf = (thrown: unknown) => (thrown instanceof Error && "kind" in thrown ? thrown.kind : undefined);
