/**
 * A vendor's own SDK as the oracle of its plugin: what it sends is kept, and what ours sends must be the same.
 * How an SDK is handed a `fetch` is each plugin's test to say.
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

/** The first request of each, but for headers beside these. */
export function expectSame(
  { requests: [ours] }: Pick<Network, "requests">,
  [theirs]: readonly Sent[],
  headers: readonly string[] = ["authorization", "content-type"],
): void {
  expect([ours?.method, ours?.url]).toEqual([theirs?.method ?? "", theirs?.url ?? ""]);
  expect(JSON.parse(ours?.body ?? "")).toEqual(JSON.parse(theirs?.body ?? "{}"));
  for (const header of headers) expect(ours?.headers.get(header)).toBe(theirs?.headers.get(header) ?? null);
}
