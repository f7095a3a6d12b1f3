/**
 * How the contract tests call a path other than /v1/embeddings.
 */
import { PROBES } from "../../src/domain/probes";
import type { Sent } from "../gateway";
import type { Call, Speaking } from "./speaking";

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

/** The bodies that vendors were sent, except for the gateway's own measurements. */
export function callsOf({ calls }: Speaking): readonly Call["body"][] {
  const probes = PROBES.map(({ text }) => JSON.stringify(text));
  return calls
    .map(({ body }) => body)
    .filter((body) => !probes.some((probe) => JSON.stringify(body).includes(probe)));
}
