/**
 * A vendor's own SDK as the oracle of its plugin: its requests are recorded, and ours must be the same.
 * Each plugin's test says how its SDK gets a `fetch`.
 */
import { expect } from "bun:test";
import type { Network } from "../../../src/conformance/network";
import type { Vendor } from "../../../src/conformance/subject";

export interface Sent {
  readonly url: string;
  readonly method: string;
  readonly headers: Headers;
  readonly body: string;
}

/** A `fetch` for an SDK: the fake answers it. */
export function recording(vendor: Pick<Vendor, "fetch">) {
  const sent: Sent[] = [];
  const answer = async (input: RequestInfo | URL, init?: RequestInit) => {
    const request = new Request(input, init);
    const { url, method, headers } = request;
    const body = await request.text();
    sent.push({ url, method, headers, body });
    return vendor.fetch(url, { method, headers, body });
  };
  return { sent, fetch: Object.assign(answer, { preconnect: () => undefined }) };
}

/** The first request of each, without headers other than these. */
export function expectSame(
  { requests: [ours] }: Pick<Network, "requests">,
  [theirs]: readonly Sent[],
  headers: readonly string[] = ["authorization", "content-type"],
): void {
  expect([ours?.method, ours?.url]).toEqual([theirs?.method ?? "", theirs?.url ?? ""]);
  expect(JSON.parse(ours?.body ?? "")).toEqual(JSON.parse(theirs?.body ?? "{}"));
  for (const header of headers) expect(ours?.headers.get(header)).toBe(theirs?.headers.get(header) ?? null);
}
