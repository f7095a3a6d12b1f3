/**
 * What the conformance suite knows about a plugin and its upstream: a fake, or the live upstream.
 * A new question that depends on the upstream's API is a member of `Vendor`; a check that needs it must do without, or be skipped.
 */
import { Value } from "@sinclair/typebox/value";
import { GatewayError } from "../domain/errors";
import type { Outside } from "../domain/outside";
import type { EmbedCall, IndexedVector, Plugin, Provider, Upstream } from "../plugin";
import { createHost } from "../upstream/host";
import { Breach, demand } from "./breach";
import { createNetwork, type Network } from "./network";

export interface Subject {
  readonly plugin: Plugin;
  /** The plugin's own keys under `providers.<name>`, as in a routing file. */
  readonly options: Readonly<Record<string, unknown>>;
  /** A model that answers correctly. */
  readonly model: string;
  /** The upstream; left out for a plugin that uses no network. */
  readonly vendor?: Answering;
  /** The right vector of a text; left out if unknown: then a text must get the same alone and in a batch. */
  readonly vectorOf?: (text: string) => Float32Array;
  /** The values in `options` that must leave the process in headers only, and must never be shown. */
  readonly secrets?: readonly string[];
  /** Changed options, and the URL that a call then goes to. */
  readonly addresses?: readonly (readonly [options: Readonly<Record<string, unknown>>, url: string])[];
  /** Inputs per call, if `describe` does not say. */
  readonly maxInputs?: number;
}

/** A fake of the vendor's API, as strict as the vendor. */
export interface Vendor {
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
  readonly vectorOf: (text: string) => Float32Array;
  /** Tokens that a good reply reports; undefined if the API reports none. */
  readonly tokensOf: (texts: readonly string[]) => number | undefined;
  /** The body of a reply with these vectors. */
  readonly replyBody: (vectors: readonly IndexedVector[]) => string;
  /** The body of an error in the vendor's own envelope. */
  readonly errorBody: (message: string) => string;
  /** Whether a reply says which input each vector belongs to. */
  readonly indexed: boolean;
}

/** A live upstream is only known to answer. */
export type Answering = Pick<Vendor, "fetch"> & Partial<Vendor>;

export interface Opened {
  readonly provider: Provider;
  readonly upstream: Upstream;
  readonly network: Network;
}

/** Makes and opens the plugin as the gateway does: options checked, defaults applied, the real host over the given network. */
export function openPlugin(
  subject: Subject,
  outside: Outside,
  changedOptions: Readonly<Record<string, unknown>> = {},
): Opened {
  const network = createNetwork(subject.vendor?.fetch);
  const provider = subject.plugin(createHost({ ...outside, fetch: network.fetch }));
  const options = Value.Default(provider.options, { ...subject.options, ...changedOptions });
  const [wrong] = Value.Errors(provider.options, options);
  demand(!wrong, `The options do not fit its schema: ${wrong?.path.slice(1)} ${wrong?.message}.`);
  return { provider, upstream: provider.open(options), network };
}

export function callFor(
  { model }: Pick<Subject, "model">,
  inputs: EmbedCall["inputs"],
  changed: Partial<EmbedCall> = {},
): EmbedCall {
  return {
    model,
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

/** The failure of a call. An exception that the host did not make is a bug of the plugin. */
export async function failureOf(work: Promise<unknown>): Promise<GatewayError> {
  const thrown = await work.then(
    (value) => new Breach(`It returned a reply where it must fail: ${JSON.stringify(value)?.slice(0, 200)}`),
    (reason: unknown) => reason,
  );
  if (thrown instanceof GatewayError || thrown instanceof Breach) {
    if (thrown instanceof Breach) throw thrown;
    return thrown;
  }
  throw new Breach(
    `It threw an error that was not made with host.failure(kind, message): ${String(thrown).slice(0, 300)}`,
    { cause: thrown },
  );
}
