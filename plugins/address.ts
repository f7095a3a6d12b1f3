/**
 * Where a server's API lies below its address. A base_url with a path is taken as it is; of one without, the usual path is tried first and
 * the other one after it (the bare address, or /v1): infinity-emb 0.0.78 has its API at /embeddings, unless it was started with --url-prefix /v1.
 */
import type { Host } from "../src/plugin";
import { withoutSlash } from "./base-url";
import { type Query, withQuery } from "./options";

export interface Address {
  /**
   * Asks below the path that was found, or finds it.
   * @param ask one request to a URL; it throws `wrong_address` where nothing lies there
   */
  reached<Reply>(ask: (url: string) => Promise<Reply>): Promise<Reply>;
}

/** @param usual the path where the API lies unless the address has one @param call the path of the call below it */
export function addressOf(
  host: Pick<Host, "tell">,
  { base_url, query }: { readonly base_url: string; readonly query?: Query },
  usual: string,
  call: string,
): Address {
  const [address = ""] = base_url.split("?", 1);
  const trimmed = withoutSlash(address);
  const urlOf = (base: string) => withQuery(base_url, query, () => base + call);
  const hasPath = new URL(trimmed).pathname !== "/";
  const candidates = hasPath
    ? [trimmed]
    : (usual === "" ? ["", "/v1"] : [usual, ""]).map((path) => trimmed + path);
  let [found = trimmed] = candidates;
  let isFound = candidates.length === 1;
  return {
    async reached(ask) {
      if (isFound) return ask(urlOf(found));
      let missed: unknown;
      for (const base of candidates) {
        try {
          const reply = await ask(urlOf(base));
          if (base !== candidates[0] && !isFound) {
            host.tell("a server's API has a path of its own: put it in base_url", {
              usually: candidates[0],
              here: base,
            });
          }
          found = base;
          isFound = true;
          return reply;
        } catch (thrown) {
          if (!isWrongAddress(thrown)) throw thrown;
          missed ??= thrown;
        }
      }
      throw missed;
    },
  };
}

const isWrongAddress = (thrown: unknown) =>
  thrown instanceof Error && "kind" in thrown && thrown.kind === "wrong_address";
