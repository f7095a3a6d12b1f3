/**
 * What the conformance suite needs to be told of a plugin, and what it asks of a vendor's fake.
 * A new question of the suite that only the vendor's wire can answer is a new member of `Vendor`.
 */
import { expect } from "bun:test";
import { Value } from "@sinclair/typebox/value";
import { GatewayError } from "../../../src/errors";
import type { EmbedCall, IndexedVector, Plugin, Provider, Upstream } from "../../../src/plugin";
import { createHost } from "../../../src/upstream/host";
import { type FakeOutside, fakeOutside } from "../../fake-outside";
import { createNetwork, type Network } from "./network";

export interface Subject {
  readonly plugin: Plugin;
  /** The plugin's own keys under `providers.<name>`, as a routing file gives them. */
  readonly options: Readonly<Record<string, unknown>>;
  /** A model that answers well. */
  readonly model: string;
  /** The fake of the vendor's wire; left out for a plugin that uses no network. */
  readonly vendor?: Vendor;
  /** The right vector of a text; left out where none can be told: then a text alone and in a batch must have the same. */
  readonly vectorOf?: (text: string) => Float32Array;
  /** What in `options` must leave the process in headers only, and never be told. */
  readonly secrets?: readonly string[];
  /** Changed options, and the address that a call then goes to. */
  readonly addresses?: readonly (readonly [options: Readonly<Record<string, unknown>>, url: string])[];
}

/** Stands where the network stands, as strict as the vendor, and writes what the vendor would. */
export interface Vendor {
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
  readonly vectorOf: (text: string) => Float32Array;
  /** Tokens that a good reply reports; undefined where the wire reports none. */
  readonly tokensOf: (texts: readonly string[]) => number | undefined;
  /** The body of a reply with these vectors. */
  readonly replyBody: (vectors: readonly IndexedVector[]) => string;
  /** The body of an error in the vendor's own envelope. */
  readonly errorBody: (message: string) => string;
  /** Whether a reply says which input each vector belongs to. */
  readonly indexed: boolean;
}

export interface Opened {
  readonly provider: Provider;
  readonly upstream: Upstream;
  readonly network: Network;
  readonly clock: FakeOutside;
}

/** Makes and opens the plugin as the gateway does: options checked, defaults applied, the real host over the fake network. */
export function openSubject(
  subject: Subject,
  changedOptions: Readonly<Record<string, unknown>> = {},
): Opened {
  const network = createNetwork(subject.vendor?.fetch);
  const clock = fakeOutside({ fetch: network.fetch });
  const provider = subject.plugin(createHost(clock.outside));
  const options = Value.Default(provider.options, { ...subject.options, ...changedOptions });
  expect([...Value.Errors(provider.options, options)]).toEqual([]);
  return { provider, upstream: provider.open(options), network, clock };
}

export function callFor(
  subject: Subject,
  inputs: EmbedCall["inputs"],
  changed: Partial<EmbedCall> = {},
): EmbedCall {
  return {
    model: subject.model,
    inputs,
    dimensions: undefined,
    user: undefined,
    task: undefined,
    fields: {},
    extraBody: {},
    longInput: "reject",
    wireEncoding: "float",
    signal: new AbortController().signal,
    ...changed,
  };
}

/** The failure that a call ends in. Anything thrown that the host did not make is a fault of the plugin. */
export async function failureOf(work: Promise<unknown>): Promise<GatewayError> {
  const thrown = await work.then(
    (value) => new Error(`It answered: ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  );
  if (thrown instanceof GatewayError) return thrown;
  throw new Error(`Not a failure made with host.failure: ${String(thrown)}`, { cause: thrown });
}
