/**
 * The contract between the gateway and a provider plugin. Types only.
 * Bundled plugins (plugins/) and plugin files named in gateway.yaml have the same contract and get the same host.
 * To extend it, add a member that is optional or implemented by every plugin, and test it in test/plugins/.
 */
import type { Static, TSchema, TUnsafe, Type } from "@sinclair/typebox";
import type { KnownFacts, LongInput } from "./domain/facts";
import type { Task } from "./domain/task-words";

export type { KnownFacts, LongInput } from "./domain/facts";
export type { Task } from "./domain/task-words";

/**
 * A plugin file's default export. It is called once, with the host, and returns its provider.
 * Everything that a plugin needs from the gateway is in `host`, so a plugin file imports only types:
 * the executable has no package named embedgate from which values could be imported.
 */
export type Plugin = (host: Host) => Provider;

/** One vendor's API, before any configuration. */
export interface Provider<Options extends TSchema = TSchema> {
  /** The name for `plugin:` in gateway.yaml: lower-case letters, digits and dashes. */
  readonly id: string;
  /** The vendor's name for OpenTelemetry's `gen_ai.provider.name`. Left out: `id`. */
  readonly telemetryName?: string;
  /**
   * The schema of this plugin's own keys under `providers.<name>`, checked before `open`. An object schema; unknown keys are refused.
   * `plugin`, `timeout_ms`, `retries`, `concurrency`, `max_queue`, `allow_fields`, `coalesce_ms` and `warm` are the gateway's and never reach the plugin.
   */
  readonly options: Options;
  /** This vendor's words for tasks. A request may use any vendor's word; `call.task` has this vendor's. */
  readonly tasks?: TaskWords;
  /**
   * Request fields beyond OpenAI's that this API supports (`provider`, …). A field that no plugin declares is refused with 400, except for two
   * with the same meaning at all vendors: `title` is left out, which the answer's headers report, and `truncate` is done by the gateway
   * (`long_input`). A plugin that declares `truncate` is sent texts of any length. Fields for the task belong to `tasks`, not here.
   */
  readonly fields?: Readonly<Record<string, TSchema>>;
  /**
   * Fields of this API that change the server for all callers (how long a model stays loaded, who is served first), in the vendor's spelling.
   * They are refused in `fields` and `extra_body`, in any case and at any depth, unless the provider's `allow_fields` names them.
   */
  readonly serverFields?: readonly string[];
  /** true: the plugin counts tokens with the model's own tokenizer and applies `longInput`. Left out: the gateway counts before it sends. */
  readonly countsTokens?: boolean;
  /** true: the model is part of the gateway, so it cannot change under the same name. */
  readonly isBuiltIn?: boolean;
  /**
   * true: the inputs of this request are embedded in the context of each other (late chunking), so they must be in one call and cannot be
   * cached. `extra_body` can request that too. Left out: never.
   */
  readonly isIndivisible?: (request: Pick<EmbedCall, "fields" | "extraBody">) => boolean;
  /** The default of the routing file's `concurrency`: maximum calls in flight. */
  readonly concurrency?: number;
  /** The default of the routing file's `timeout_ms`, the timeout of one attempt. Longer for servers that load models on demand. */
  readonly timeoutMs?: number;
  /**
   * true: the plugin's slots compute the vectors themselves, and one call with several inputs is faster than several calls. Requests with one
   * input that wait for a slot then share calls, distributed evenly over the slots. The routing file's `coalesce_ms` does that for any
   * provider. Left out: requests do not share calls.
   */
  readonly coalesce?: boolean;
  /** Called once for each provider in the routing file. It must not wait for anything: connect and load at the first call. */
  open(options: Static<Options>): Upstream;
}

export interface TaskWords {
  /** A task without a word here is left out of the call, which the answer's headers report. */
  readonly words: Readonly<Partial<Record<Task, string>>>;
  /** true: an unknown word is passed on unchanged, for models with their own names of tasks. Left out: it is refused. */
  readonly others?: boolean;
}

/** One configured provider. */
export interface Upstream {
  /** Replaces the plugin's `tasks` if the options define other words. */
  readonly tasks?: TaskWords;
  /** What this plugin knows about a model. The catalogue and the routing file take precedence. */
  describe?(model: string): KnownFacts | undefined;
  /**
   * Embeds at most `max_inputs` inputs in one call to the vendor. The gateway does splitting, retries, normalisation and caching.
   * It must return one vector for each input, with the index of that input; the gateway checks the vectors before it uses them.
   * @throws `host.failure(kind, message)`; anything else that is thrown counts as a bug of the plugin
   */
  embed(call: EmbedCall): Promise<EmbedReply>;
  /** For options that do not fix the API's URL: the gateway looks for it at the start, before the first request. */
  readonly address?: ApiAddress;
  /** The vendor's own batch service, for routes with `batch: upstream`. Left out: it has none. */
  readonly batches?: BatchService;
  /** Releases what `embed` uses, such as connections and workers. No call is in flight when it is called. */
  close?(): Promise<void>;
}

export interface ApiAddress {
  /** The URLs to try, in this order. */
  readonly tried: readonly string[];
  /** Resolves with the URL for calls, once `find` or a call has found it. */
  readonly found: Promise<string>;
  /**
   * Tries them with a request without a text, which costs nothing.
   * @throws wrong_address if the API is at none of them; another failure if that could not be determined
   */
  find(signal: AbortSignal): Promise<void>;
}

/**
 * A vendor's service for many calls that may take hours. The gateway decides what goes into a batch, polls it until it has ended, and checks each
 * reply like those of `embed`. Failures are thrown as in `embed`.
 */
export interface BatchService {
  /** The most calls of one batch, and the most bytes of all its calls together. */
  readonly maxCalls: number;
  readonly maxBytes: number;
  /** Checks a call before anything is submitted. Left out: every call is valid. @throws `host.failure` */
  readonly check?: ((call: EmbedCall) => void) | undefined;
  /** The most inputs of one of its calls, if it differs from the model's `max_inputs`. */
  readonly maxInputs?: number;
  /** @returns the vendor's id. The vendor must store the tag with it for `find`: a batch costs money, and must not be submitted twice. */
  submit(batch: BatchSubmission): Promise<string>;
  /** @returns the vendor's id of the batch with this tag; undefined if there is none */
  find(tag: string, signal: AbortSignal): Promise<string | undefined>;
  /** The batch's state. ended: no more results will come; `why` is the reason if not everything was done. */
  look(
    id: string,
    signal: AbortSignal,
  ): Promise<{ readonly state: "running" | "ended"; readonly why?: string }>;
  /** The results of a batch that has ended: each call at most once, in any order. Calls without a result were not done. */
  results(id: string, signal: AbortSignal): Promise<readonly BatchResult[]>;
  /** Cancels the batch; calls that are done by then keep their results. */
  cancel(id: string, signal: AbortSignal): Promise<void>;
}

export interface BatchSubmission {
  readonly tag: string;
  /** The model's name at the vendor. All calls have this model, and differ only in their inputs. */
  readonly model: string;
  readonly calls: readonly BatchCall[];
  readonly signal: AbortSignal;
}

export interface BatchCall {
  /** Identifies the call's result. */
  readonly id: string;
  /** Its signal never fires. */
  readonly call: EmbedCall;
}

export type BatchResult =
  | { readonly id: string; readonly reply: EmbedReply }
  /** Made by `host.failure`. */
  | { readonly id: string; readonly failure: Error };

/** One text, or the token ids of one text. Ids are only sent if the model's `token_ids` is `native`. */
export type Input = string | Uint32Array;

export interface EmbedCall {
  /** The model's name at the vendor. */
  readonly model: string;
  readonly inputs: readonly Input[];
  /** Only set if the vendor must return other dimensions than the model's own. */
  readonly dimensions: number | undefined;
  /** The caller's end user: OpenAI's field `user`. */
  readonly user: string | undefined;
  /** The task in this plugin's words (`tasks`); undefined if the request has none, or one without a word here. */
  readonly task: string | undefined;
  /** The request's values for the fields that this plugin declares, checked against their schemas. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** The request's `extra_body`, to be merged into the vendor's body; fields that the plugin sets take precedence. `host.post`
   * refuses other spellings of names that the plugin sets. */
  readonly extraBody: Readonly<Record<string, unknown>>;
  /** What to do with an input that exceeds the model's limit, for plugins that count tokens themselves. Others may ignore it. */
  readonly longInput: LongInput;
  /** How to request vectors, if the API supports both. */
  readonly wireEncoding: "float" | "base64";
  /** Types in which each vector is requested in addition to float, all from the model's `embedding_types`. Left out: none. */
  readonly types?: readonly VectorType[];
  /** Fires at the attempt's timeout, or when the client disconnects. */
  readonly signal: AbortSignal;
}

export interface EmbedReply {
  /** One for each input, in any order. `index` is that of `call.inputs`; for an API without an index it is the place in its list. */
  readonly vectors: readonly IndexedVector[];
  /** The model's name in the reply, if the API returns one: a different model of the catalogue is refused. */
  readonly model?: string;
  /** Tokens of all inputs together; undefined if unknown: the gateway then estimates them, and reports that. */
  readonly tokens: number | undefined;
  /** The source of `tokens`: the reply's body, its headers, or the model's own tokenizer. */
  readonly tokensSource: "provider" | "header" | "counted";
  /** Tokens of each input, in the order of `call.inputs`, if known exactly: they add up to `tokens`. */
  readonly tokensByInput?: readonly number[];
  /** Indices in `call.inputs` of the texts that were cut to the limit. */
  readonly truncated?: readonly number[];
  /** Indices in `call.inputs` of the texts that were embedded in pieces and averaged. */
  readonly averaged?: readonly number[];
}

export interface IndexedVector {
  readonly index: number;
  readonly values: Float32Array;
  /** The same vector in each of the requested `types`. */
  readonly typed?: TypedVector;
}

/**
 * int8, uint8: one number per dimension. binary, ubinary: eight dimensions per byte, the first in the highest bit; or, as some vendors
 * return binary, a Uint8Array with a zero or one per dimension.
 */
export type VectorType = "int8" | "uint8" | "binary" | "ubinary";

export interface TypedVector {
  readonly int8?: Int8Array;
  readonly uint8?: Uint8Array;
  readonly binary?: Int8Array | Uint8Array;
  readonly ubinary?: Uint8Array;
}

/** A vector in a reply; with `host.wireVector` in the schema it is usually a Float32Array already. */
export type WireVector = Float32Array | readonly number[] | string;

/** What the gateway provides to a plugin. */
export interface Host {
  /** TypeBox's builder, for `options`, `fields` and replies. */
  readonly t: typeof Type;
  /** Returns its argument, so that TypeScript infers the type of the options. */
  provider<Options extends TSchema>(provider: Provider<Options>): Provider;
  /**
   * POSTs a JSON body and returns the answer's bytes. A status other than 2xx is thrown as a failure
   * (429 overloaded, 401/403 unauthorized, 404 not_found, other 4xx invalid, 5xx unavailable), which `explain` can correct.
   * Redirects are not followed. Secrets in headers are removed from errors that callers see.
   */
  post(call: PostCall): Promise<Posted>;
  /** Like `post`, for other requests than a POST of JSON, and for a body whose exact bytes matter, such as a signed one. */
  send(call: SendCall): Promise<Posted>;
  /**
   * The schema of a vector, as in `t.Array(host.wireVector)`: `read` converts it directly to float32, in a third of the time and a fraction of
   * the memory that a list of numbers takes. `vector` then returns it.
   */
  readonly wireVector: TUnsafe<WireVector>;
  /** Parses bytes as JSON and checks them against `schema`. @throws malformed, with the place of the error */
  read<Schema extends TSchema>(schema: Schema, bytes: Uint8Array): Static<Schema>;
  /**
   * Like `read`, for a reply with vectors: a large one is read in slices or on another thread, so that other requests need not wait. The
   * bytes of a large reply cannot be used afterwards, nor its vectors once the caller's answer was sent: keep copies.
   */
  readReply<Schema extends TSchema>(schema: Schema, bytes: Uint8Array): Promise<Static<Schema>>;
  /** Converts a reply's vector: numbers, or base64 of little-endian float32. @throws malformed if it is neither */
  vector(value: WireVector): Float32Array;
  /** An error for the gateway, which decides by `kind` whether to retry, to use another provider, or to return it to the caller. */
  failure(kind: FailureKind, message: string, about?: FailureAbout): Error;
  /** Resolves after `ms`, or rejects when `signal` fires. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Writes a log line for the operator, such as about a choice of the plugin that should be in the routing file. */
  tell(message: string, about?: Readonly<Record<string, unknown>>): void;
  /** Milliseconds since 1970. */
  now(): number;
  /** A number in [0, 1). */
  random(): number;
  /** The cores that this process can use: its share, if there are several processes. */
  readonly cores: number;
  /** A variable of the environment; undefined if it is unset or empty. Prefer options in the routing file. */
  variable(name: string): string | undefined;
  /** The text of a file, such as one with credentials of a vendor's own tools; undefined if it does not exist or cannot be read. */
  readFile(path: string): Promise<string | undefined>;
}

interface Call {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** Reads the vendor's error body, which may say more than the status. Undefined: the status decides. */
  readonly explain?: (refusal: Posted) => Explanation | undefined;
}

export interface PostCall extends Call {
  /** Written as JSON. */
  readonly body: unknown;
}

export interface SendCall extends Call {
  readonly method: "GET" | "POST" | "PUT";
  /** Sent unchanged, in UTF-8. */
  readonly body?: string;
}

export interface Posted {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Uint8Array;
}

export interface Explanation extends FailureAbout {
  readonly kind?: FailureKind;
  /** The vendor's error message. */
  readonly message?: string;
}

export interface FailureAbout {
  /** The index in `call.inputs` of the input at fault. */
  readonly input?: number;
  /** The request field at fault, by OpenAI's name. */
  readonly field?: string;
  /** Tokens of the input at fault, by the vendor's own count. */
  readonly tokens?: number;
  /** The vendor's limit for one input, as it reports it. */
  readonly tokensMax?: number;
  /** After how long the vendor allows a retry. */
  readonly retryAfterMs?: number;
  readonly cause?: unknown;
}

/**
 * invalid: the request is invalid, and a retry cannot succeed · input_too_long: one input exceeds the model's limit ·
 * too_many_tokens: the call exceeds the vendor's limit, a smaller one may succeed · unauthorized: our key was refused ·
 * not_found: the vendor does not have the model · wrong_address: the path does not exist (from the text of a 404) ·
 * overloaded: the vendor's rate limit · unavailable: the vendor is down, or the connection failed · timeout: no answer in time ·
 * malformed: the answer does not have the API's format
 */
export type FailureKind =
  | "invalid"
  | "input_too_long"
  | "too_many_tokens"
  | "unauthorized"
  | "not_found"
  | "wrong_address"
  | "overloaded"
  | "unavailable"
  | "timeout"
  | "malformed";
