/**
 * What gateway.ts passes to the HTTP handlers, and the types for one request. Types only.
 * A new thing that a path needs from the gateway is a member of `DoorParts`.
 */
import type { AdminParts } from "../admin/api/parts";
import type { Metrics } from "../admin/metrics";
import type { Batches } from "../batches/batches";
import type { Exchange } from "../books/money";
import type { Auth } from "../callers/auth";
import type { Wire } from "../dialects/wire";

import type { Outside } from "../domain/outside";
import type { Policies } from "../domain/policies";
import type { Caller } from "../domain/request";
import type { RequestTrace } from "../domain/trace";
import type { Answer, Arrival } from "../request/embed";
import type { Routes } from "../routes/route";
import type { SpaceNotice } from "../spaces/notices";
import type { Tokens } from "../tokens/tokens";
import type { BodyMemory } from "./body-memory";
import type { Endpoint } from "./endpoints";
import type { Tell } from "./failed";
import type { Sending } from "./sending";
import type { UnderWay } from "./under-way";

export interface DoorParts {
  readonly auth: Auth;
  readonly routes: () => Routes;
  /**
   * The policies of the caller's workspace; the gateway's own while the caller is unknown.
   * @throws GatewayError database_unavailable for a caller
   */
  readonly policies: (caller?: Caller) => Policies;
  readonly exchange: () => Exchange;
  /** The routing file's JSON Schema. */
  readonly fileSchema: () => object;
  /** Origins of web pages that may call; undefined: none. */
  readonly corsOrigins: () => readonly string[] | undefined;
  /** The default model for APIs whose requests may omit it. */
  readonly defaultModel: () => string | undefined;
  /** Current notices for the operator. */
  readonly notices: () => readonly SpaceNotice[];
  /** Ids and patterns that the caller's workspace may use. */
  readonly allowedModels: (caller: Caller) => readonly string[];
  readonly outside: Outside;
  readonly startedAt: number;
  /** @throws GatewayError if requests cannot be answered now */
  readonly checkReady: () => void;
  /** The idle timeout of connections. */
  readonly idleSeconds: number;
  /** Whether the request came over https. */
  readonly isTls: boolean;
  /** Counts one request against the workspace's rate limit; returns what to wait for, if anything. @throws GatewayError rate_limited | database_unavailable */
  readonly takeRequest: (caller: Caller) => undefined | Promise<undefined>;
  readonly embed: (arrival: Arrival) => Promise<Answer>;
  readonly tokens: Tokens;
  readonly underWay: UnderWay;
  readonly bodyMemory: BodyMemory;
  /** For one body; the current limits. */
  readonly bodyBytesMax: () => number;
  readonly metrics: Metrics;
  /** Starts a request's trace; undefined: tracing is off. */
  readonly beginTrace: (request: Request, requestId: string) => RequestTrace | undefined;
  readonly admin: AdminParts;
  readonly sending: Sending;
  /** undefined: there are none. */
  readonly batches: () => Batches | undefined;
}

/** The part of Bun's server that a handler needs. */
export interface RequestTimer {
  timeout(request: Request, seconds: number): void;
}

export interface Visit {
  readonly request: Request;
  readonly server: RequestTimer | null;
  /** The API of the path. Other paths use OpenAI's. */
  readonly wire?: Wire | undefined;
  /** The values of the path's `{names}`. */
  readonly params: Readonly<Record<string, string>>;
}

export interface Served extends Endpoint {
  readonly handle: (visit: Visit) => Promise<Response>;
}

/** The work of a path. From `speak` on, errors are in the caller's own API format. */
export type Work = (visit: Visit, requestId: string, speak: Speak, tell: Tell) => Promise<Said> | Said;

/** An answer, and its status if it is not 200. */
export interface Said {
  readonly body: Answer["body"] | ReadableStream<Uint8Array>;
  readonly headers: Answer["headers"];
  readonly status?: number;
}

export type Speak = (caller: Caller) => Policies;
