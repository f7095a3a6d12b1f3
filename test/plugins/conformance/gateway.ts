/**
 * A plugin behind the whole gateway: a routing file over the fake of its API.
 * A plugin's own test has what only its callers see.
 */
import { exactVector } from "../../../plugins/fake";
import { createNetwork } from "../../../src/conformance/network";
import type { Vendor } from "../../../src/conformance/subject";
import { openGateway, type Sent } from "../../gateway";

/** @param environment the variables of the routing file */
export async function openThrough(
  vendor: Pick<Vendor, "fetch">,
  yaml: string,
  environment: Readonly<Record<string, string>> = {},
) {
  const network = createNetwork(vendor.fetch);
  const outside = { fetch: network.fetch, random: () => 0 };
  const gateway = await openGateway({ yaml, environment, outside });
  return { gateway, network, [Symbol.asyncDispose]: () => gateway[Symbol.asyncDispose]() };
}

export const vectorsOf = ({ json }: Pick<Sent, "json">): number[][] =>
  Object(json).data.map(({ embedding }: { embedding: number[] }) => embedding);

/** Of unit length, and the right vector of a text. */
export const cosine = (vector: readonly number[], text: string) =>
  exactVector(text, vector.length).reduce((sum, value, i) => sum + value * (vector[i] ?? 0), 0);
