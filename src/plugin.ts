/**
 * The contract between the gateway and a provider plugin: types and what they promise; nothing here survives compilation.
 * Bundled plugins (plugins/) and files named in gateway.yaml live by the same contract and are handed the same host.
 * When extending: a new member must be optional or answered by every plugin, and test/plugins/ must ask for it.
 */
import type { Static, TSchema, TUnsafe, Type } from "@sinclair/typebox";
import type { KnownFacts, LongInput } from "./domain/facts";
import type { Task } from "./domain/task-words";

export type { KnownFacts, LongInput } from "./domain/facts";
export type { Task } from "./domain/task-words";

/**
 * A plugin file's default export. It is called once, with the host, and returns the provider it makes.
 * Everything a plugin needs of the gateway comes through `host`, so that a plugin file imports types only:
 * inside the executable there is no package called embedgate to import values from.
 */
export type Plugin = (host: Host) => Provider;

/** One vendor's wire, before any configuration. */
export interface Provider<Options extends TSchema = TSchema> {
  /** The word that `plugin:` uses in gateway.yaml: lower case, digits and dashes. */
  readonly id: string;
  /** Whose API it is, as OpenTelemetry's `gen_ai.provider.name` has it. Left out: `id`. */
  readonly telemetryName?: string;
  /**
   * The schema of this plugin's own keys under `providers.<name>`, checked before `open`. An object schema; unknown keys are refused.
   * `plugin`, `timeout_ms`, `retries`, `concurrency`, `max_queue`, `allow_fields`, `coalesce_ms` and `warm` are the gateway's and never reach the plugin.
   */
  readonly options: Options;
  /** This vendor's words for what an embedding is for. A request may say it in any vendor's word; `call.task` has this one's. */
  readonly tasks?: TaskWords;
  /**
   * Request fields beyond OpenAI's that this wire takes (`provider`, …). A field that no plugin declares is refused with 400, but for two
   * that every vendor means alike: `title` is left out, as the answer's headers tell, and `truncate` is done by the gateway (`long_input`).
   * A plugin that declares `truncate` is sent texts of any length. The fields that say a task are not for here, but for `tasks`.
   */
  readonly fields?: Readonly<Record<string, TSchema>>;
  /**
   * Fields of this wire that change the server for everybody (how long a model stays loaded, who is served first), as the vendor spells
   * them: refused in `fields` and `extra_body`, in whatever case and at whatever depth, unless the provider's `allow_fields` names them.
   */
  readonly serverFields?: readonly string[];
  /** true: the plugin counts tokens with the model's own tokenizer and applies `longInput`. false: the gateway counts before it sends. */
  readonly countsTokens?: boolean;
  /** true: the model is part of the gateway, so that nobody can change it behind its name. */
  readonly isBuiltIn?: boolean;
  /**
   * true: this request's inputs are embedded in view of one another (late chunking), so that they must go in one call and none of them
   * may be cached. `extra_body` can ask for it too. Left out: never.
   */
  readonly isIndivisible?: (request: Pick<EmbedCall, "fields" | "extraBody">) => boolean;
  /** Calls at once when the routing file does not say: `concurrency`. */
  readonly concurrency?: number;
  /** Longest time of one attempt when the routing file does not say: `timeout_ms`. More for servers that load models when they are asked. */
  readonly timeoutMs?: number;
  /**
   * true: its places do the work themselves, and a call of several inputs takes less than as many calls. Requests of one input which wait
   * for a place go together then, evenly shared out among the places. The routing file's `coalesce_ms` has requests go together at any
   * provider. Left out: each request's inputs go in calls of their own.
   */
  readonly coalesce?: boolean;
  /** Called once for each provider in the routing file. It must not wait for anything: connect and load on the first call. */
  open(options: Static<Options>): Upstream;
}

export interface TaskWords {
  /** A task without a word here is left out of the call, and the answer's headers say so. */
  readonly words: Readonly<Partial<Record<Task, string>>>;
  /** true: a word that no task has is handed on as it is, for models that name tasks of their own. Left out: it is refused. */
  readonly others?: boolean;
}

/** One configured provider. */
export interface Upstream {
  /** As the provider's `tasks`, where the options say more of them; it stands above those. */
  readonly tasks?: TaskWords;
  /** What this plugin knows of a model itself. The catalogue and the routing file are asked too, and win. */
  describe?(model: string): KnownFacts | undefined;
  /**
   * Embeds at most `max_inputs` inputs in one call to the vendor. It does not split, retry, normalise or cache: the gateway does.
   * It must return one vector for each input and say truly which input each belongs to; the gateway proves it before use.
   * Anything else is thrown as `host.failure(kind, message)`; any other throw is a fault of the plugin.
   */
  embed(call: EmbedCall): Promise<EmbedReply>;
  /** Where the options leave open where the server's API lies: the gateway has it found at the start, before anybody waits for it. */
  readonly address?: ApiAddress;
  /** The vendor's own batch service, for routes that say `batch: upstream`. Left out: it has none. */
  readonly batches?: BatchService;
  /** Frees what `embed` took: connections, workers. No call is under way when it is called. */
  close?(): Promise<void>;
}

export interface ApiAddress {
  /** The URLs that are tried, in this order. */
  readonly tried: readonly string[];
  /** Resolves with the one that calls go to, once `find` or a call has found it. */
  readonly found: Promise<string>;
  /** Tries them by a request without a text, which costs nothing. Throws `wrong_address` where it lies at none; where nothing was found out, why. */
  find(signal: AbortSignal): Promise<void>;
}

/**
 * A vendor's service for many calls that may take hours. The gateway decides what goes into a batch, asks for it until it has ended, and proves
 * each reply as it proves those of `embed`; failures are thrown as there.
 */
export interface BatchService {
  /** Calls in one batch, and bytes of all of them together. */
  readonly maxCalls: number;
  readonly maxBytes: number;
  /** Throws what is wrong with a call, as `host.failure` makes it, before anything is submitted. Left out: nothing is. */
  readonly check?: ((call: EmbedCall) => void) | undefined;
  /** Inputs of one of its calls, where that is another number than the model's `max_inputs`. */
  readonly maxInputs?: number;
  /** @returns the vendor's id of it. The tag must be kept there with it, so that `find` finds it: a batch is paid for, and never submitted twice. */
  submit(batch: BatchSubmission): Promise<string>;
  /** The vendor's id of the batch with that tag; undefined where there is none. */
  find(tag: string, signal: AbortSignal): Promise<string | undefined>;
  /** ended: no further result will come, for whatever reason; `why` says it where that is not that all was done. */
  look(
    id: string,
    signal: AbortSignal,
  ): Promise<{ readonly state: "running" | "ended"; readonly why?: string }>;
  /** Of one that has ended: each of its calls at most once, in any order. What is not among them was not done. */
  results(id: string, signal: AbortSignal): Promise<readonly BatchResult[]>;
  /** Asks for its end; what is done by then is kept. */
  cancel(id: string, signal: AbortSignal): Promise<void>;
}

export interface BatchSubmission {
  readonly tag: string;
  /** All of one model, by its name at the vendor, and alike in all but their inputs. */
  readonly model: string;
  readonly calls: readonly BatchCall[];
  readonly signal: AbortSignal;
}

export interface BatchCall {
  /** By which its result is told apart. */
  readonly id: string;
  /** Its signal never fires. */
  readonly call: EmbedCall;
}

export type BatchResult =
  | { readonly id: string; readonly reply: EmbedReply }
  /** As `host.failure` makes it. */
  | { readonly id: string; readonly failure: Error };

/** One text, or the ids of one text's tokens. Ids come only where the model's `token_ids` is `native`. */
export type Input = string | Uint32Array;

export interface EmbedCall {
  /** The model's name at the vendor. */
  readonly model: string;
  readonly inputs: readonly Input[];
  /** Present only when the vendor itself is to make another size than its own. */
  readonly dimensions: number | undefined;
  /** The caller's end user, as the OpenAI field means it. */
  readonly user: string | undefined;
  /** What the embeddings are for, as this plugin's `tasks` word it; undefined where nothing was said, or nothing that it has a word for. */
  readonly task: string | undefined;
  /** The request's values for the fields that this plugin declared, checked against their schemas. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** The request's `extra_body`: merged into the body that goes to the vendor, under everything the plugin itself sets. What
   * is another spelling of a name that the plugin sets is refused by `host.post`. */
  readonly extraBody: Readonly<Record<string, unknown>>;
  /** What to do with an input past the model's limit, for a plugin that counts tokens itself. Others may ignore it. */
  readonly longInput: LongInput;
  /** How to ask for vectors, where the wire knows both. */
  readonly wireEncoding: "float" | "base64";
  /** Further types that each vector is wanted in, beside float: of those alone that the model's `embedding_types` names. Left out: none. */
  readonly types?: readonly VectorType[];
  /** Fires when the attempt's time is over or the client has gone. */
  readonly signal: AbortSignal;
}

export interface EmbedReply {
  /** One for each input, in any order. `index` is the place in `call.inputs`; a wire without an index gives the place in its list. */
  readonly vectors: readonly IndexedVector[];
  /** The model's name as the reply gave it, where the wire has one: a different model of the catalogue is refused. */
  readonly model?: string;
  /** Tokens of all inputs together; undefined where nobody knows (the gateway then estimates, and says so). */
  readonly tokens: number | undefined;
  /** Where `tokens` came from: the reply's body, its headers, or counted with the model's own tokenizer. */
  readonly tokensSource: "provider" | "header" | "counted";
  /** Tokens of each input, in the order of `call.inputs`, where that is known exactly: they add up to `tokens`. */
  readonly tokensByInput?: readonly number[];
  /** Places in `call.inputs` of the texts that were cut to the limit. */
  readonly truncated?: readonly number[];
  /** Places in `call.inputs` of the texts that were embedded in pieces and averaged. */
  readonly averaged?: readonly number[];
}

export interface IndexedVector {
  readonly index: number;
  readonly values: Float32Array;
  /** The same vector in each type that `types` asked for. */
  readonly typed?: TypedVector;
}

/**
 * int8, uint8: a number for each dimension. binary, ubinary: eight dimensions a byte, the first in its highest bit; or, as some vendors
 * write binary, a Uint8Array of zeros and ones, one for each dimension.
 */
export type VectorType = "int8" | "uint8" | "binary" | "ubinary";

export interface TypedVector {
  readonly int8?: Int8Array;
  readonly uint8?: Uint8Array;
  readonly binary?: Int8Array | Uint8Array;
  readonly ubinary?: Uint8Array;
}

/** What is in a reply for a vector; where the schema says `host.wireVector` it mostly is one already. */
export type WireVector = Float32Array | readonly number[] | string;

/** What the gateway gives a plugin. */
export interface Host {
  /** TypeBox's builder, for `options`, `fields` and replies. */
  readonly t: typeof Type;
  /** Returns its argument; it is there so that TypeScript infers the options' type. */
  provider<Options extends TSchema>(provider: Provider<Options>): Provider;
  /**
   * POSTs a JSON body and returns the answer's bytes. Any status but 2xx is thrown as the failure it means
   * (429 overloaded, 401/403 unauthorized, 404 not_found, other 4xx invalid, 5xx unavailable), with `explain`'s correction.
   * Redirects are not followed. What the caller sees of an error is cleared of the headers' secrets.
   */
  post(call: PostCall): Promise<Posted>;
  /** As `post`, for what is no POST of JSON, and for a body whose very bytes matter, such as one that is signed. */
  send(call: SendCall): Promise<Posted>;
  /**
   * A schema's word for a vector, `t.Array(host.wireVector)`: `read` makes float32 of it on its way through the bytes, which takes a third
   * of the time and a fraction of the memory that a list of numbers does. `vector` then gives it.
   */
  readonly wireVector: TUnsafe<WireVector>;
  /** Parses bytes as JSON and checks them against `schema`; a breach is thrown as `malformed`, naming the place. */
  read<Schema extends TSchema>(schema: Schema, bytes: Uint8Array): Static<Schema>;
  /**
   * As `read`, for a reply that holds vectors: a large one is read on another thread, so that no other request waits for it. It takes the
   * bytes: those of a large reply are gone afterwards.
   */
  readReply<Schema extends TSchema>(schema: Schema, bytes: Uint8Array): Promise<Static<Schema>>;
  /** A vector from what a reply carries: numbers, or base64 of little-endian float32. A breach is thrown as `malformed`. */
  vector(value: WireVector): Float32Array;
  /** An error the gateway understands: it decides by `kind` whether to try again, elsewhere, or tell the caller. */
  failure(kind: FailureKind, message: string, about?: FailureAbout): Error;
  /** Resolves after `ms`, or rejects when `signal` fires. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** A line in the log, for the operator: a choice that the plugin made and the routing file had better say. */
  tell(message: string, about?: Readonly<Record<string, unknown>>): void;
  /** Milliseconds since 1970. */
  now(): number;
  /** A number in [0, 1). */
  random(): number;
  /** Cores that this process may count on: where several processes serve, its part of what there is. */
  readonly cores: number;
  /** A variable of the environment; undefined where it is unset or empty. What a routing file can say in an option is better said there. */
  variable(name: string): string | undefined;
  /** The text of a file, such as the one where a vendor's own tools keep credentials; undefined where there is none, or none to be read. */
  readFile(path: string): Promise<string | undefined>;
}

interface Call {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** Reads the vendor's error body, for what the status alone does not tell. Undefined: the status decides. */
  readonly explain?: (refusal: Posted) => Explanation | undefined;
}

export interface PostCall extends Call {
  /** Written as JSON. */
  readonly body: unknown;
}

export interface SendCall extends Call {
  readonly method: "GET" | "POST" | "PUT";
  /** Sent as it is, in UTF-8. */
  readonly body?: string;
}

export interface Posted {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Uint8Array;
}

export interface Explanation extends FailureAbout {
  readonly kind?: FailureKind;
  /** The vendor's words for what was wrong. */
  readonly message?: string;
}

export interface FailureAbout {
  /** The place in `call.inputs` of the one input at fault. */
  readonly input?: number;
  /** The request field at fault, by OpenAI's name. */
  readonly field?: string;
  /** Tokens of the input at fault, by the vendor's own count. */
  readonly tokens?: number;
  /** The most that the vendor takes in one input, by its own word. */
  readonly tokensMax?: number;
  /** When the vendor wants to be asked again. */
  readonly retryAfterMs?: number;
  readonly cause?: unknown;
}

/**
 * invalid: the request is wrong and will stay so · input_too_long: one input is over the model's limit ·
 * too_many_tokens: the call is over the vendor's limit, a smaller one may pass · unauthorized: our key was refused ·
 * not_found: the vendor has no such model · wrong_address: there is no such path (told by the words of a 404) · overloaded: the vendor limits us · unavailable: down, or the connection broke ·
 * timeout: no answer in time · malformed: an answer that is not what the wire promises
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
