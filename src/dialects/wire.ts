/**
 * The interface of a wire, an API that clients speak: its paths, and how each decodes requests and encodes answers. Types only.
 * To add a wire, write a file in src/dialects/wires/ that implements `Wire`, and add a line to wires.ts: nothing else in src/ knows its name.
 */
import type { Static, TSchema } from "@sinclair/typebox";
import type { GatewayError } from "../domain/errors";
import type { Policies, PolicyOverrides } from "../domain/policies";
import type { EmbedRequest, Result } from "../domain/request";
import type { Script } from "../printing/script";
import type { Model } from "./openai-schema";

export interface Wire {
  /** Its section in the OpenAPI document. Two wires may share one. */
  readonly tag: { readonly name: string; readonly description: string };
  readonly paths: readonly WirePath[];
  /** Path prefixes under which unknown paths are answered in this wire's error format. */
  readonly prefixes?: readonly string[];
  /** The path prefixes under which this wire's clients expect OpenAI's /files and /batches. */
  readonly batchesAt?: readonly string[];
  /** Policies that override the workspace's dialect on this wire's paths, where the vendor's API differs. */
  readonly policies?: PolicyOverrides;
  /** The body of any error, including errors before the request's body was read. */
  encodeError(error: GatewayError, policies: Policies): string;
  /** Additional headers of an error. */
  errorHeaders?(error: GatewayError, policies: Policies): Readonly<Record<string, string>>;
  /** The schema of an error's body, by its name in `schemas` of this or another wire. */
  readonly errorSchema: string;
  /** Schemas by their names in the OpenAPI document, which must be unique among all wires. */
  readonly schemas: (policies: Policies) => Readonly<Record<string, TSchema>>;
}

export type WirePath = EmbedPath | KnownPath | PublicPath;

interface Place {
  readonly method: "GET" | "POST";
  /**
   * As in the OpenAPI document. `{model}` matches text with slashes and colons, any other `{name}` one segment. Matches are unescaped once.
   */
  readonly path: string;
  /** Other paths that do the same; they are not in the OpenAPI document. */
  readonly aliases?: readonly string[];
  /** Not in the OpenAPI document, as the path only explains why it is not supported. */
  readonly isHidden?: true;
  /** If another wire has the same path: whether a request is for this wire. Wires with `when` are asked first. */
  readonly when?: (request: Pick<Request, "headers" | "url">) => boolean;
  /** Media types that are read as JSON in addition to application/json. */
  readonly mediaTypes?: readonly string[];
}

/** A path that embeds. */
export interface EmbedPath extends Place {
  readonly does: "embed";
  /**
   * Decodes a parsed JSON body to a request.
   * @throws GatewayError invalid, with the field's name
   */
  decode(body: unknown, asked: Asked): Decoded;
  readonly words: EmbedWords;
}

/** Any other path for authenticated callers. */
export interface KnownPath extends Place {
  readonly does: "tell";
  /** @throws GatewayError */
  tell(asked: Question, gateway: GatewayFacts): Told | Promise<Told>;
  readonly words: Words;
}

/** A path without authentication: it must reveal nothing about models, callers or providers. */
export interface PublicPath extends Place {
  readonly does: "tell anybody";
  tell(asked: Question): Told | Promise<Told>;
  readonly words: Words;
}

/** What the URL says, and the policies of the caller's workspace. */
export interface Asked {
  readonly policies: Policies;
  /** The pattern that the request matched: `path`, or one of `aliases`. */
  readonly pattern: string;
  /** The matches of its `{names}`, including `model` if the pattern has it. */
  readonly params: Readonly<Partial<Record<string, string>>>;
  readonly search: URLSearchParams;
  /** The routing file's `server.default_model`, for wires whose requests need not name a model. */
  readonly defaultModel: string | undefined;
}

export interface Question extends Asked {
  /** Reads and parses the body. @throws GatewayError */
  body(): Promise<unknown>;
}

export type ModelEntry = Static<typeof Model>;

/** What a path can learn from the gateway, limited to what the caller may know. */
export interface GatewayFacts {
  readonly version: string;
  /** In milliseconds since 1970. */
  readonly startedAt: number;
  readonly now: number;
  /** The models that GET /v1/models lists. */
  models(): readonly ModelEntry[];
  /** @param others other names of the model for the wire's clients @throws GatewayError unknown_model | embeddings_unsupported */
  model(id: string, others?: readonly string[]): ModelEntry;
  /**
   * The tokens of each text, in order, including the model's special tokens; undefined if the model's vocabulary is unknown.
   * @throws GatewayError unknown_model | embeddings_unsupported
   */
  tokens(id: string, texts: readonly string[]): Promise<readonly (readonly TextToken[])[] | undefined>;
  /** How many tokens an embedding of each text would be billed, including the model's prompt for requests without a task. */
  countTokens(id: string, texts: readonly string[]): Promise<readonly number[] | undefined>;
}

/** `start` and `stop` are places in the text, in UTF-16 code units. */
export interface TextToken {
  readonly id: number;
  readonly text: string;
  /** In UTF-16 code units; null if the token is not part of the text. */
  readonly start: number | null;
  readonly stop: number | null;
  /** A token that the model adds to every text. */
  readonly special: boolean;
}

/** @property body an object, which is written as JSON, or a text, which is sent unchanged */
export interface Told {
  readonly body: string | object;
  readonly status?: number;
  /** Must include the content type of a text. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Decoded {
  readonly request: EmbedRequest;
  /** Names of fields without effect. */
  readonly ignored: readonly string[];
  /** Names of all fields, in the body's order. */
  readonly written?: readonly string[];
  /** The answer's body, in the format that the request asks for. @param tookMs from the request's arrival */
  readonly encode: (result: Result, requestId: string, tookMs: number) => Script;
  /** Additional headers of the answer. */
  readonly headers?: (result: Result, requestId: string, tookMs: number) => Readonly<Record<string, string>>;
  /** Other names of the model for this wire's clients, if there is no model with the first name. */
  readonly otherNames?: readonly string[];
  /** A hint for the error about an unknown model; left out: the error names the nearest id, or the list of models. */
  readonly unknownHint?: string | undefined;
  /** The caller's name for an input, for errors. Left out: `input`, or `input[17]` if there are several. */
  readonly inputName?: (place: number) => string;
  /** The caller's names of fields that have another name here: `dimensions` → `output_dimensionality`. */
  readonly fieldNames?: Readonly<Record<string, string>>;
}

/** The texts of the OpenAPI document for a path. */
export interface Words {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  /** Names in `schemas`; left out if there is no body, or a text. */
  readonly request?: string;
  readonly response?: string;
  /** Descriptions of the names in the path and the query, except for `model`. */
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
