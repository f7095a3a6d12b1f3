/**
 * The words of the spine: caller, request, route, result. Types only.
 * A step of src/request/embed.ts takes some of these and gives the next; a new step usually needs a new word here first.
 */

import type { Input, TaskWords, TypedVector, Upstream, VectorType } from "../plugin";
import type { EndSignal } from "./ending";
import type { LongInput, ModelFacts } from "./facts";
import type { Health } from "./health";
import type { AskedTask } from "./task-words";
import type { RequestTrace } from "./trace";

/** Who asks. */
export interface Caller {
  readonly workspace: string;
  /** Null in open mode, where nobody needs a key. */
  readonly keyId: string | null;
  /** An admin's key, or open mode. */
  readonly isAdmin?: boolean;
}

/** What is asked, whatever wire it came by. */
export interface EmbedRequest {
  /** The id as the caller wrote it: the answer repeats it. */
  readonly model: string;
  readonly inputs: readonly Input[];
  /** How the caller wants vectors written; it never decides what the provider is asked. */
  readonly encoding: "float" | "base64";
  readonly dimensions: number | undefined;
  /** Types that each vector is wanted in beside float. Left out: none. */
  readonly types?: readonly VectorType[];
  readonly user: string | undefined;
  readonly metadata: Readonly<Record<string, unknown>> | undefined;
  /** Merged into the body that goes upstream. */
  readonly extraBody: Readonly<Record<string, unknown>>;
  /** What the embeddings are for, where the request says it. */
  readonly task?: AskedTask;
  /** What becomes of a text that is too long where neither the request's `truncate` nor the routing file says: the wire's custom. */
  readonly longInput?: "truncate";
  /** Fields that the dialect does not know; the route's plugin must have declared them. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** Names of fields that the wire's clients send unasked: a target without a use for one does without it, and the answer tells. */
  readonly unasked?: readonly string[];
}

/** One provider with the model's name there, and what is known of the model at that provider. */
export interface Target {
  readonly provider: ConfiguredUpstream;
  readonly model: string;
  readonly facts: ModelFacts;
  /** Groups serve in their order: one only when those before it cannot. Within a group, requests are shared out by weight. */
  readonly group: number;
  readonly weight: number;
  /** What the provider asks for a million tokens there, in USD; left out: not known. */
  readonly costPrice?: number | undefined;
  /** Lines of batches go by the provider's own batch service, at this price where it is said. Left out: they are calls like others. */
  readonly batch?: { readonly price: number | undefined } | undefined;
  /**
   * Whether its vectors are known to be in the route's space, as far as was measured. One that may not is never asked. Where a caller
   * insists on it, it is enough that they are not known to lie elsewhere.
   */
  readonly mayServe: (isForced?: boolean) => boolean;
}

/** A provider of the routing file, opened. */
export interface ConfiguredUpstream {
  readonly name: string;
  /** The catalogue's facts are by plugin. */
  readonly pluginId: string;
  /** Whose API it is, as OpenTelemetry calls it. Left out: as the plugin. */
  readonly telemetryName?: string | undefined;
  readonly upstream: Upstream;
  /** Names and checks of the request fields that its plugin declares. */
  readonly accepts: (field: string) => FieldCheck | undefined;
  readonly fieldNames: readonly string[];
  /** Fields that callers may not send it, since they would change its server for everybody. */
  readonly guardedFields: readonly string[];
  /** Its plugin's words for tasks. */
  readonly tasks?: TaskWords | undefined;
  /** Its models are part of the gateway. */
  readonly isBuiltIn: boolean;
  /** Whether a request's inputs are embedded in view of one another, so that they may be neither divided nor cached. */
  readonly isIndivisible: (request: Pick<EmbedRequest, "fields" | "extraBody">) => boolean;
  /** The plugin counts tokens and applies `long_input` itself. */
  readonly countsTokens: boolean;
  /** Bounds the calls in flight at this provider, for all callers. */
  readonly gate: Gate;
  /** How requests of one input share calls to it; undefined: not at all. */
  readonly coalescing: Coalescing | undefined;
  /** How a model there is doing, by its name there; kept from request to request. */
  readonly healthOf: (model: string) => Health;
  /** A hash of what the routing file says of a model there. Left out: not known. */
  readonly configuration?: (model: string) => string;
  /** Writes down what was seen of a model's limit, for as long as the configuration stands. Left out: it is forgotten with the process. */
  readonly keepLimit?: (model: string, space: string) => void;
  readonly timeoutMs: number;
  /** Its models are asked once when the gateway starts. */
  readonly warm?: boolean;
  readonly retries: number;
}

export interface Coalescing {
  /** How long a call waits for others to join it. At 0 only those go together that come in one turn or have to wait for a place. */
  readonly windowMs: number;
  /** Its places do the work themselves: each is given as many inputs as the others, so that none is idle while another has many. */
  readonly isSpread: boolean;
}

/** Null when the value is right, else what was expected. */
export type FieldCheck = (value: unknown) => string | null;

/** Whether a client waits for this one answer, or for the whole of a large piece of work. */
export type Lane = "interactive" | "bulk";

/** The places at a provider, shared by the lanes. */
export interface Gate {
  readonly places: number;
  /** Waits for a place, or rejects with the signal's reason. */
  enter(signal: EndSignal, lane: Lane): Promise<void>;
  leave(lane: Lane): void;
  /** So many wait that a further request had better be refused. */
  isFull(lane: Lane): boolean;
  /** Calls that wait for a place. */
  waiting(lane: Lane): number;
  /** Calls that have one. */
  inside(): number;
}

/** What a model id leads to. */
export interface Route {
  /** The model's own id, behind any alias. */
  readonly id: string;
  /** The routing file says the id. Else a caller chose it, and a pattern took it. */
  readonly isNamed: boolean;
  readonly space: string;
  /** What is promised of the model: its first target's facts. */
  readonly facts: ModelFacts;
  /** What happens to the first route when its vectors change (drift). */
  readonly onDrift: "stop" | "warn";
  /** The least cosine between a probe text's vector and the space's own with which a target serves. */
  readonly agreementMin: number;
  /** Whether another route than the first may serve before two were measured to agree. */
  readonly unmeasured: "serve" | "refuse";
  /** Asked once when the gateway starts, so that the first caller finds it loaded. */
  readonly warm?: boolean;
  /** A request for one input that is not answered by then is sent a second time; undefined: never. */
  readonly hedgeAfterMs: number | undefined;
  /** All routes to it, in the routing file's order: all in one space. */
  readonly targets: readonly [Target, ...Target[]];
}

/** What is to be embedded, and how the vectors must come out. How it is cut into calls is each target's own matter. */
export interface Plan {
  readonly pieces: readonly Piece[];
  /** Size that the request asks for; undefined where the model's own is right. */
  readonly requestedDimensions: number | undefined;
  /** Size that every vector must have once assembled; undefined where it is unknown. */
  readonly dimensions: number | undefined;
  /** Types that each vector is wanted in beside float. */
  readonly types?: readonly VectorType[] | undefined;
  /** What the texts of the pieces begin with, put there by the gateway or by the caller. Left out: nothing. */
  readonly prompt?: Prompt;
  /** The vocabulary that token arrays were decoded with, when they were. */
  readonly decodedWith: string | undefined;
  readonly longInput: LongInput;
  /** The vectors' length means something: a mean of pieces keeps the one it has. Left out: all are of unit length. */
  readonly keepsLength?: boolean;
  /** The inputs are embedded in view of one another: one call, whatever the limits. */
  readonly indivisible: boolean;
  /** Places in the request of the inputs that were cut to the model's limit. */
  readonly truncated: readonly number[];
}

/** What is put before each text of a request. */
export interface Prompt {
  /** As the model's `prompts` name it. */
  readonly name: string;
  readonly text: string;
  /** The request said no task: it is the model's `default_task`. */
  readonly isDefault: boolean;
  /** All prompts of the model: a text that came without a task may begin with any of them. */
  readonly known: readonly string[];
}

/** An input, or a piece of one that is too long for the model. */
export interface Piece {
  readonly input: Input;
  /** Where its input is in the request. */
  readonly place: number;
  /** Its share in its input's vector: its tokens. 1 for a whole input. */
  readonly weight: number;
}

/** What goes upstream in one call. */
export interface Part {
  readonly pieces: readonly Piece[];
}

/** Where a token count came from. */
export type TokensSource = "provider" | "header" | "counted" | "estimated";

/** A part answered and proved: `vectors[i]` belongs to `pieces[i]` of its part. */
export interface Answered {
  readonly part: Part;
  /** The provider's name in the routing file. */
  readonly provider: string;
  readonly vectors: readonly Float32Array[];
  /** The same vectors in the further types that were asked for. */
  readonly typed?: readonly TypedVector[] | undefined;
  readonly tokens: number;
  readonly tokensSource: TokensSource;
  /** Of each piece, where that is known exactly. */
  readonly tokensByInput?: readonly number[] | undefined;
  /** Places in `part.pieces`. */
  readonly truncated: readonly number[];
  readonly averaged: readonly number[];
  /** The length that a vector came with where it should have been 1, or may have to be; where the model says so it has been made so. */
  readonly offLength?: number;
  /** Of a model that is not known to be normalised, and whose vectors leave as they came: the length of each. */
  readonly lengths?: Float64Array;
}

/** The result of one input. */
export interface Embedded {
  readonly values: Float32Array;
  /** The same in further types; of a request that asked for them, which is never cached. */
  readonly typed?: TypedVector | undefined;
  readonly tokens: number;
  readonly tokensSource: TokensSource;
  /** Its tokens are a share of what was counted for a call of several inputs: right in sum only. */
  readonly tokensShared: boolean;
  readonly truncated: boolean;
  readonly averaged: boolean;
}

/** One request in flight. */
export interface Run {
  readonly requestId: string;
  readonly startedAt: number;
  readonly startedMonotonic: number;
  /** On the monotonic clock: its deadline. */
  readonly endsAt: number;
  /** Fires at the request's deadline, or when the client has gone. */
  readonly signal: EndSignal;
  /** Most calls to providers for one part of it, over all its targets together. */
  readonly attemptsMax: number;
  /** The gateway's own, of an embedding space: what it sends is fixed, and leads to no trials. */
  readonly isMeasurement?: boolean;
  /** Left out: it is not traced. */
  readonly trace?: RequestTrace | undefined;
  readonly tally: Tally;
  /** The batch that it is a line of: it goes in the bulk lane, and what it may cost is held already. Left out: of none. */
  readonly batch?: string | undefined;
}

/** What providers have done for a request so far. */
export interface Tally {
  /** Counted over every call that was answered, also those whose answer was of no use; of those that were given up, estimated. */
  tokens: number;
  /** As part of these: of calls that were sent and not waited for. */
  tokensAbandoned: number;
  /** By name in the routing file: those whose vectors were taken. */
  readonly providers: Set<string>;
  /** What each of them counted, whether its answer was of use or not, and what it is owed for that. */
  readonly byProvider: Map<string, { readonly tokens: number; readonly picoUsd: bigint }>;
  /** In the order in which they ended. */
  readonly calls: CallMade[];
}

/** A call to a provider, once it has ended. */
export interface CallMade {
  /** Its name in the routing file. */
  readonly provider: string;
  /** The model's name there. */
  readonly model: string;
  readonly inputs: number;
  /** ok, or the error's kind. */
  readonly outcome: string;
  /** After the request's arrival. */
  readonly beganMs: number;
  readonly latencyMs: number;
  /** What was counted for it. */
  readonly tokens: number | undefined;
  readonly tokensSource: TokensSource | undefined;
}

/** The result: one vector for each input, in the request's order. */
export interface Result {
  readonly vectors: readonly Float32Array[];
  /** The same vectors in the further types that were asked for. */
  readonly typed?: readonly TypedVector[];
  readonly tokens: number;
  /** Of each input; a share where only the count of a call is known. They add up to `tokens`. */
  readonly tokensByInput: readonly number[];
  readonly tokensSource: TokensSource;
  /** Places in the request. */
  readonly truncated: readonly number[];
  readonly averaged: readonly number[];
  /** Inputs that no provider was asked for: cached, equal to another of the request, or just being fetched for another. */
  readonly cacheHits: number;
  /** Tokens of those, as part of `tokens`. */
  readonly tokensOfHits: number;
  /** Tokens that were counted for empty strings, which cost nothing, as part of `tokens` and not of `tokensOfHits`. */
  readonly tokensOfEmpty: number;
  /** In micro-credits, once it is settled: what it took, and what is left (null: no limit). */
  readonly credits?: { readonly used: bigint; readonly remaining: bigint | null };
}
