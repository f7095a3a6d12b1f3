/**
 * The words of the spine: who asks, what for, where it goes, what came of it. Types only.
 * A step of src/embed.ts takes some of these and gives the next; a new step usually needs a new word here first.
 */
import type { LongInput, ModelFacts } from "./facts";
import type { Input, Upstream } from "./plugin";

/** Who asks. */
export interface Caller {
  readonly workspace: string;
  /** Null in open mode, where nobody needs a key. */
  readonly keyId: string | null;
}

/** What is asked, whatever wire it came by. */
export interface EmbedRequest {
  /** The id as the caller wrote it: the answer repeats it. */
  readonly model: string;
  readonly inputs: readonly Input[];
  /** How the caller wants vectors written; it never decides what the provider is asked. */
  readonly encoding: "float" | "base64";
  readonly dimensions: number | undefined;
  readonly user: string | undefined;
  readonly metadata: Readonly<Record<string, unknown>> | undefined;
  /** Merged into the body that goes upstream. */
  readonly extraBody: Readonly<Record<string, unknown>>;
  /** Fields that the dialect does not know; the route's plugin must have declared them. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** One provider with the model's name there. */
export interface Target {
  readonly provider: ConfiguredUpstream;
  readonly model: string;
}

/** A provider of the routing file, opened. */
export interface ConfiguredUpstream {
  readonly name: string;
  /** The catalogue's facts are by plugin. */
  readonly pluginId: string;
  readonly upstream: Upstream;
  /** Names and checks of the request fields that its plugin declares. */
  readonly accepts: (field: string) => FieldCheck | undefined;
  readonly fieldNames: readonly string[];
  /** The plugin counts tokens and applies `long_input` itself. */
  readonly countsTokens: boolean;
  /** Bounds the calls under way at this provider, whoever asked. */
  readonly gate: Gate;
  readonly timeoutMs: number;
  readonly retries: number;
}

/** Null when the value is right, else what was expected. */
export type FieldCheck = (value: unknown) => string | null;

/** A counting semaphore. `enter` waits for a place, or rejects with the signal's reason. */
export interface Gate {
  enter(signal: AbortSignal): Promise<void>;
  leave(): void;
}

/** What a model id leads to. */
export interface Route {
  /** The model's own id, behind any alias. */
  readonly id: string;
  readonly space: string;
  readonly facts: ModelFacts;
  readonly target: Target;
}

/** The calls that answer a request: every input is in exactly one part. */
export interface Plan {
  readonly parts: readonly Part[];
  /** Size that every vector must have once assembled; undefined where nobody knows it. */
  readonly dimensions: number | undefined;
  /** Size to ask the provider for; undefined where its own is right. */
  readonly askedDimensions: number | undefined;
  /** The vocabulary that token arrays were decoded with, when they were. */
  readonly decodedWith: string | undefined;
  readonly longInput: LongInput;
}

/** What goes upstream in one call. `places[i]` is where `inputs[i]` stands in the request. */
export interface Part {
  readonly inputs: readonly Input[];
  readonly places: readonly number[];
}

/** Where a token count came from. */
export type TokensSource = "provider" | "header" | "counted" | "estimated";

/** A part answered and proved: `vectors[i]` belongs to `inputs[i]` of its part. */
export interface Answered {
  readonly part: Part;
  readonly vectors: readonly Float32Array[];
  readonly tokens: number;
  readonly tokensSource: TokensSource;
  /** Places in the request. */
  readonly truncated: readonly number[];
  readonly averaged: readonly number[];
}

/** One request under way. */
export interface Run {
  readonly requestId: string;
  readonly startedAt: number;
  readonly startedMonotonic: number;
  /** Fires at the request's deadline, or when the client has gone. */
  readonly signal: AbortSignal;
  readonly tally: Tally;
}

/** What providers have counted for a request so far: every call that was answered, also those whose answer was of no use. */
export interface Tally {
  tokens: number;
}

/** What came of it: one vector for each input, in the request's order. */
export interface Result {
  readonly vectors: readonly Float32Array[];
  readonly tokens: number;
  readonly tokensSource: TokensSource;
  readonly truncated: readonly number[];
  readonly averaged: readonly number[];
}
