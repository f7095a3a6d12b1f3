/**
 * The types of a request's steps: caller, request, route, result. Types only.
 * A step of src/request/embed.ts takes some of these and returns the next; a new step usually needs a new type here first.
 */

import type { Input, TaskWords, TypedVector, Upstream, VectorType } from "../plugin";
import type { EndSignal } from "./ending";
import type { LongInput, ModelFacts } from "./facts";
import type { Health } from "./health";
import type { AskedTask } from "./task-words";
import type { RequestTrace } from "./trace";

/** The authenticated caller. */
export interface Caller {
  readonly workspace: string;
  /** Null in open mode, where no key is needed. */
  readonly keyId: string | null;
  /** An admin's key, or open mode. */
  readonly isAdmin?: boolean;
}

/** The request, whatever API it came by. */
export interface EmbedRequest {
  /** The id as the caller wrote it: the answer repeats it. */
  readonly model: string;
  readonly inputs: readonly Input[];
  /** How the caller wants vectors encoded; it never affects the provider's request. */
  readonly encoding: "float" | "base64";
  readonly dimensions: number | undefined;
  /** Types of vectors that are requested in addition to float. Left out: none. */
  readonly types?: readonly VectorType[];
  readonly user: string | undefined;
  readonly metadata: Readonly<Record<string, unknown>> | undefined;
  /** Merged into the body that goes upstream. */
  readonly extraBody: Readonly<Record<string, unknown>>;
  /** The task, if the request names one. */
  readonly task?: AskedTask;
  /** What happens to a text that is too long if neither the request's `truncate` nor the routing file says: the API's default. */
  readonly longInput?: "truncate";
  /** Fields unknown to the dialect; the route's plugin must have declared them. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** Names of fields that the API's clients send by default: a target without a use for one ignores it, and a header says so. */
  readonly unasked?: readonly string[];
}

/** One provider with the model's name there, and the facts of the model at that provider. */
export interface Target {
  readonly provider: ConfiguredUpstream;
  readonly model: string;
  readonly facts: ModelFacts;
  /** Groups serve in order: one only if those before it cannot. Within a group, requests are distributed by weight. */
  readonly group: number;
  readonly weight: number;
  /** The provider's price per million tokens, in USD; left out: unknown. */
  readonly costPrice?: number | undefined;
  /** Lines of batches go to the provider's own batch service, at this price if it is given. Left out: they are ordinary calls. */
  readonly batch?: { readonly price: number | undefined } | undefined;
  /**
   * Whether its vectors are known to be in the route's space, as far as measured. If not, it is never called. For a caller who
   * forces it, it is enough that they are not known to be in another space.
   */
  readonly mayServe: (isForced?: boolean) => boolean;
}

/** A provider of the routing file, opened. */
export interface ConfiguredUpstream {
  readonly name: string;
  /** The catalogue's facts are by plugin. */
  readonly pluginId: string;
  /** The provider's name in OpenTelemetry's conventions. Left out: the plugin's name. */
  readonly telemetryName?: string | undefined;
  readonly upstream: Upstream;
  /** Names and checks of the request fields that its plugin declares. */
  readonly accepts: (field: string) => FieldCheck | undefined;
  readonly fieldNames: readonly string[];
  /** Fields that callers may not send, because they would change its server for everybody. */
  readonly guardedFields: readonly string[];
  /** Its plugin's words for tasks. */
  readonly tasks?: TaskWords | undefined;
  /** Its models are part of the gateway. */
  readonly isBuiltIn: boolean;
  /** Whether a request's inputs are embedded in the context of each other, so that they may be neither divided nor cached. */
  readonly isIndivisible: (request: Pick<EmbedRequest, "fields" | "extraBody">) => boolean;
  /** The plugin counts tokens and applies `long_input` itself. */
  readonly countsTokens: boolean;
  /** Limits the calls in flight at this provider, over all callers. */
  readonly gate: Gate;
  /** How single-input requests share calls to it; undefined: not at all. */
  readonly coalescing: Coalescing | undefined;
  /** The health of a model there, by its name there; kept from request to request. */
  readonly healthOf: (model: string) => Health;
  /** A hash of the routing file's settings for a model there. Left out: unknown. */
  readonly configuration?: (model: string) => string;
  /** Stores a learned limit of a model, as long as the configuration stays the same. Left out: it is lost with the process. */
  readonly keepLimit?: (model: string, space: string) => void;
  readonly timeoutMs: number;
  /** Its models are called once when the gateway starts. */
  readonly warm?: boolean;
  readonly retries: number;
}

export interface Coalescing {
  /** How long a call waits for others to join it. With 0, only calls that come in one turn or wait for a slot are joined. */
  readonly windowMs: number;
  /** The slots compute the vectors themselves: inputs are distributed evenly, so that no slot is idle while another has many. */
  readonly isSpread: boolean;
}

/** Null if the value is valid, otherwise what was expected. */
export type FieldCheck = (value: unknown) => string | null;

/** Whether a client waits for this single answer, or for a large piece of work. */
export type Lane = "interactive" | "bulk";

/** The slots for calls at a provider, shared by the lanes. */
export interface Gate {
  readonly places: number;
  /** Waits for a slot, or rejects with the signal's reason. */
  enter(signal: EndSignal, lane: Lane): Promise<void>;
  leave(lane: Lane): void;
  /** So many wait that a further request should be refused. */
  isFull(lane: Lane): boolean;
  /** Calls that wait for a slot. */
  waiting(lane: Lane): number;
  /** Calls that have a slot. */
  inside(): number;
}

/** The route of a model id. */
export interface Route {
  /** The model's own id, behind any alias. */
  readonly id: string;
  /** The routing file has the id. Otherwise a caller chose it, and a pattern matched. */
  readonly isNamed: boolean;
  readonly space: string;
  /** What the model promises: its first target's facts. */
  readonly facts: ModelFacts;
  /** What happens to the first route when its vectors change (drift). */
  readonly onDrift: "stop" | "warn";
  /** The lowest cosine between a probe text's vector and the space's own with which a target may serve. */
  readonly agreementMin: number;
  /** Whether another route than the first may serve before two were measured to agree. */
  readonly unmeasured: "serve" | "refuse";
  /** Called once when the gateway starts, so that the model is loaded for the first caller. */
  readonly warm?: boolean;
  /** The hedge delay of single-input requests; undefined: never. */
  readonly hedgeAfterMs: number | undefined;
  /** All routes of the model, in the routing file's order: all in one space. */
  readonly targets: readonly [Target, ...Target[]];
}

/** What is to be embedded, and the form of the vectors. How it is split into calls depends on each target. */
export interface Plan {
  readonly pieces: readonly Piece[];
  /** The requested dimensions; undefined if the model's own are right. */
  readonly requestedDimensions: number | undefined;
  /** The dimensions that every vector must have in the end; undefined if unknown. */
  readonly dimensions: number | undefined;
  /** Types that are requested in addition to float. */
  readonly types?: readonly VectorType[] | undefined;
  /** The prompt at the start of the pieces' texts, from the gateway or the caller. Left out: none. */
  readonly prompt?: Prompt;
  /** The vocabulary that token arrays were decoded with, if they were. */
  readonly decodedWith: string | undefined;
  readonly longInput: LongInput;
  /** The vectors' length has a meaning: a mean of pieces keeps its own. Left out: all have unit length. */
  readonly keepsLength?: boolean;
  /** The inputs are embedded in the context of each other: one call, whatever the limits. */
  readonly indivisible: boolean;
  /** Indices in the request of the inputs that were cut to the model's limit. */
  readonly truncated: readonly number[];
}

/** The prompt before each text of a request. */
export interface Prompt {
  /** Its name in the model's `prompts`. */
  readonly name: string;
  readonly text: string;
  /** The request named no task: it is the model's `default_task`. */
  readonly isDefault: boolean;
  /** All prompts of the model: a text without a task may start with any of them. */
  readonly known: readonly string[];
}

/** An input, or a piece of one that is too long for the model. */
export interface Piece {
  readonly input: Input;
  /** The index of its input in the request. */
  readonly place: number;
  /** Its weight in its input's vector: its tokens. 1 for a whole input. */
  readonly weight: number;
}

/** What goes upstream in one call. */
export interface Part {
  readonly pieces: readonly Piece[];
}

/** The source of a token count. */
export type TokensSource = "provider" | "header" | "counted" | "estimated";

/** A part that was answered and checked: `vectors[i]` belongs to `pieces[i]` of its part. */
export interface Answered {
  readonly part: Part;
  /** The provider's name in the routing file. */
  readonly provider: string;
  readonly vectors: readonly Float32Array[];
  /** The same vectors in the further requested types. */
  readonly typed?: readonly TypedVector[] | undefined;
  readonly tokens: number;
  readonly tokensSource: TokensSource;
  /** The tokens of each piece, if known exactly. */
  readonly tokensByInput?: readonly number[] | undefined;
  /** Indices in `part.pieces`. */
  readonly truncated: readonly number[];
  readonly averaged: readonly number[];
  /** The original length of a vector that should have had length 1, or may have to; it was normalised if the model says so. */
  readonly offLength?: number | undefined;
  /** For a model that is not known to be normalised, whose vectors are passed on unchanged: the length of each. */
  readonly lengths?: Float64Array | undefined;
}

/** The result of one input. */
export interface Embedded {
  readonly values: Float32Array;
  /** The same in further types; for a request that asked for them, which is never cached. */
  readonly typed?: TypedVector | undefined;
  readonly tokens: number;
  readonly tokensSource: TokensSource;
  /** Its tokens are a share of a call's count of several inputs: exact only in total. */
  readonly tokensShared: boolean;
  readonly truncated: boolean;
  readonly averaged: boolean;
}

/** One request in flight. */
export interface Run {
  readonly requestId: string;
  readonly startedAt: number;
  readonly startedMonotonic: number;
  /** The deadline, on the monotonic clock. */
  readonly endsAt: number;
  /** Fires at the request's deadline, or when the client disconnects. */
  readonly signal: EndSignal;
  /** The most calls to providers for one part of it, over all its targets together. */
  readonly attemptsMax: number;
  /** The gateway's own measurement of an embedding space: its texts are fixed, and cause no further tests. */
  readonly isMeasurement?: boolean;
  /** Left out: the request is not traced. */
  readonly trace?: RequestTrace | undefined;
  readonly tally: Tally;
  /** The batch of which it is a line: it uses the bulk lane, and its possible cost is held already. Left out: none. */
  readonly batch?: string | undefined;
}

/** What providers have done for a request so far. */
export interface Tally {
  /** Tokens of every answered call, including unusable answers; for abandoned calls an estimate. */
  tokens: number;
  /** The part for calls that were sent and then abandoned. */
  tokensAbandoned: number;
  /** Names in the routing file of the providers whose vectors were used. */
  readonly providers: Set<string>;
  /** What each of them counted, whether its answer was usable or not, and what it is owed for that. */
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
  /** Milliseconds after the request's arrival. */
  readonly beganMs: number;
  readonly latencyMs: number;
  /** The tokens counted for it. */
  readonly tokens: number | undefined;
  readonly tokensSource: TokensSource | undefined;
}

/** The result: one vector for each input, in the request's order. */
export interface Result {
  readonly vectors: readonly Float32Array[];
  /** The same vectors in the further requested types. */
  readonly typed?: readonly TypedVector[];
  readonly tokens: number;
  /** The tokens of each input; a share if only the count of a call is known. They add up to `tokens`. */
  readonly tokensByInput: readonly number[];
  readonly tokensSource: TokensSource;
  /** Indices in the request. */
  readonly truncated: readonly number[];
  readonly averaged: readonly number[];
  /** Inputs that no provider was asked for: cached, equal to another of the request, or being fetched by another. */
  readonly cacheHits: number;
  /** Their tokens, as part of `tokens`. */
  readonly tokensOfHits: number;
  /** Tokens counted for empty strings, which cost nothing, as part of `tokens` and not of `tokensOfHits`. */
  readonly tokensOfEmpty: number;
  /** In micro-credits, once it is settled: the charge, and what is left (null: no limit). */
  readonly credits?: { readonly used: bigint; readonly remaining: bigint | null };
}
