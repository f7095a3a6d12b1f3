/**
 * How the contracts' tests ask a path other than /v1/embeddings.
 */
import type { Sent } from "../gateway";
import type { Speaking } from "./speaking";

/** As a caller with the gateway's key, unless the headers say otherwise. */
export function askAt(
  open: Speaking,
  path: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = { authorization: `Bearer ${open.key}` },
): Promise<Sent> {
  return open.send(path, {
    method: "POST",
    headers: { ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}
