/**
 * Finds the path of a server's API below its address. A base_url with a path is used unchanged; for one without, the usual path is tried first and
 * then the other one (the bare address, or /v1): infinity-emb 0.0.78 has its API at /embeddings, unless it was started with --url-prefix /v1.
 */
import type { ApiAddress, Host } from "../src/plugin";
import { withoutSlash } from "./base-url";
import { type Query, withQuery } from "./options";

export interface Address {
  /**
   * Sends a request below the known path, or finds the path first.
   * @param ask makes one request to a URL; it throws `wrong_address` if the API is not there
   */
  reached<Reply>(ask: (url: string) => Promise<Reply>): Promise<Reply>;
  /** For `Upstream.address`; empty where `base_url` already fixes the path. */
  readonly toFind: { readonly address?: ApiAddress };
}

/**
 * @param usual the API's path, unless the URL has one @param call the path of the call below it
 * @param headers to send while looking for it
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

  /** Tries each address until `ask` does not throw `wrong_address`. @throws any other failure at once; the first refusal, where all refuse */
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
        // A server that answers 200 to an empty call may answer 200 to anything, so the first real call decides.
        throw host.failure("malformed", "It took a call without a text.");
      });
    },
  };

  return {
    reached: (ask) => (found ? ask(found.url) : first(ask)),
    toFind: hasPath ? {} : { address: toFind },
  };
}

/** A refusal of the body comes from an API; a refusal of our key, or by a proxy whose server is down, would come from any path. */
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
