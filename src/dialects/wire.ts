/**
 * What the door and the spine need of a wire: its paths, and what it says there. Types only.
 * A new wire is a file in src/dialects/wires/ that answers `Wire`, and a line of wires.ts: nothing else of src/ knows its name.
 */
import type { Static, TSchema } from "@sinclair/typebox";
import type { GatewayError } from "../domain/errors";
import type { Policies, PolicyOverrides } from "../domain/policies";
import type { EmbedRequest, Result } from "../domain/request";
import type { Script } from "../printing/script";
import type { Model } from "./openai-schema";

export interface Wire {
  /** Its section in the published document. Two wires may share one. */
  readonly tag: { readonly name: string; readonly description: string };
  readonly paths: readonly WirePath[];
  /** What begins so, and is no path, is told so in this wire's envelope. */
  readonly prefixes?: readonly string[];
  /** The path prefixes under which this wire's clients expect OpenAI's /files and /batches. */
  readonly batchesAt?: readonly string[];
  /** Where the vendor's own custom is another than the workspace's dialect: these stand above it, on this wire's paths. */
  readonly policies?: PolicyOverrides;
  /** The body of any error, also of one that came before the body was read. */
  encodeError(error: GatewayError, policies: Policies): string;
  /** What is in the head beside it. */
  errorHeaders?(error: GatewayError, policies: Policies): Readonly<Record<string, string>>;
  /** The name in `schemas`, of this wire or another, that an error's body has. */
  readonly errorSchema: string;
  /** By the names that the document knows them under; none that another wire has. */
  readonly schemas: (policies: Policies) => Readonly<Record<string, TSchema>>;
}

export type WirePath = EmbedPath | KnownPath | PublicPath;

interface Place {
  readonly method: "GET" | "POST";
  /**
   * As the document has it. `{model}` takes what may hold slashes and colons, any other `{name}` one step. What they took is unescaped once.
   */
  readonly path: string;
  /** Further paths that do the same; they are in no document. */
  readonly aliases?: readonly string[];
  /** It is in no document: all it does is to say why it does nothing. */
  readonly isHidden?: true;
  /** Where another wire has the path too: which requests are this one's. Those who say so are asked first. */
  readonly when?: (request: Pick<Request, "headers" | "url">) => boolean;
  /** Media types that are read as JSON beside application/json. */
  readonly mediaTypes?: readonly string[];
}

/** Texts to vectors. */
export interface EmbedPath extends Place {
  readonly does: "embed";
  /**
   * A parsed JSON body as a request.
   * @throws GatewayError invalid, naming the field
   */
  decode(body: unknown, asked: Asked): Decoded;
  readonly words: EmbedWords;
}

/** Anything else that a client asks, whose caller is known. */
export interface KnownPath extends Place {
  readonly does: "tell";
  /** @throws GatewayError */
  tell(asked: Question, gateway: GatewayFacts): Told | Promise<Told>;
  readonly words: Words;
}

/** What needs no key: it may say nothing of models, callers or providers. */
export interface PublicPath extends Place {
  readonly does: "tell anybody";
  tell(asked: Question): Told | Promise<Told>;
  readonly words: Words;
}

/** What the address says, and how the caller's workspace speaks. */
export interface Asked {
  readonly policies: Policies;
  /** The path's pattern, which the request came by: `path`, or one of `aliases`. */
  readonly pattern: string;
  /** What its `{names}` took. `model` is among them where the pattern has it. */
  readonly params: Readonly<Partial<Record<string, string>>>;
  readonly search: URLSearchParams;
  /** The routing file's `server.default_model`, for wires whose requests may name none. */
  readonly defaultModel: string | undefined;
}

export interface Question extends Asked {
  /** Reads and parses the body. @throws GatewayError */
  body(): Promise<unknown>;
}

export type ModelEntry = Static<typeof Model>;

/** What the gateway knows, as far as the caller may. */
export interface GatewayFacts {
  readonly version: string;
  /** In milliseconds since 1970. */
  readonly startedAt: number;
  readonly now: number;
  /** As GET /v1/models lists them. */
  models(): readonly ModelEntry[];
  /** @param others names that mean the same to the wire's clients @throws GatewayError unknown_model | embeddings_unsupported */
  model(id: string, others?: readonly string[]): ModelEntry;
  /**
   * The tokens of each text, in order, the marks that the model puts around it among them; undefined where the model's vocabulary is not known.
   * @throws GatewayError unknown_model | embeddings_unsupported
   */
  tokens(id: string, texts: readonly string[]): Promise<readonly (readonly TextToken[])[] | undefined>;
  /** How many an embedding of each would be billed, with the prompt that the model wants where no task is said. */
  countTokens(id: string, texts: readonly string[]): Promise<readonly number[] | undefined>;
}

/** `start` and `stop` are places in the text, in UTF-16 code units. */
export interface TextToken {
  readonly id: number;
  readonly text: string;
  /** In UTF-16 units; null where it stands nowhere in the text. */
  readonly start: number | null;
  readonly stop: number | null;
  /** A mark that the model puts around every text. */
  readonly special: boolean;
}

/** @property body to be written as JSON, or a text, which is sent as it is */
export interface Told {
  readonly body: string | object;
  readonly status?: number;
  /** A text's content type is said here. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Decoded {
  readonly request: EmbedRequest;
  /** Names of fields that the wire leaves without effect. */
  readonly ignored: readonly string[];
  /** Names of all fields, in the body's order. */
  readonly written?: readonly string[];
  /** What the answer's body says, in the shape that this request asks for. @param tookMs from the request's arrival */
  readonly encode: (result: Result, requestId: string, tookMs: number) => Script;
  /** What the answer's head says beside what all heads say. */
  readonly headers?: (result: Result, requestId: string, tookMs: number) => Readonly<Record<string, string>>;
  /** Names that mean the same model to this wire's clients, for where there is none of the first. */
  readonly otherNames?: readonly string[];
  /** A hint for the error about an unknown model; left out: the error names the nearest id, or the list of models. */
  readonly unknownHint?: string | undefined;
  /** What the caller calls an input, in errors about it. Left out: `input`, or `input[17]` where there are several. */
  readonly inputName?: (place: number) => string;
  /** The caller's names of what a request's fields are called otherwise: `dimensions` → `output_dimensionality`. */
  readonly fieldNames?: Readonly<Record<string, string>>;
}

/** What the published document says of a path. */
export interface Words {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  /** Names in `schemas`; left out where there is no body, or one that is text. */
  readonly request?: string;
  readonly response?: string;
  /** What the path's names and the query's are. `model` has its own words. */
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: "path" | "query";
    readonly description: string;
  }[];
}

export interface EmbedWords extends Words {
  readonly request: string;
  readonly response: string;
}
