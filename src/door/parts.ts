/**
 * What the door is given by gateway.ts, and the words that its files have for one visit. Types only.
 * A new thing that a path's work needs from the gateway is a member of `DoorParts`.
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
   * The policies of the caller's workspace; of the gateway while the caller is unknown.
   * @throws GatewayError database_unavailable for a caller
   */
  readonly policies: (caller?: Caller) => Policies;
  readonly exchange: () => Exchange;
  /** The routing file's JSON Schema. */
  readonly fileSchema: () => object;
  /** Origins of web pages that may call; undefined: none. */
  readonly corsOrigins: () => readonly string[] | undefined;
  /** The model of requests on wires that may name none. */
  readonly defaultModel: () => string | undefined;
  /** What the operator should know now. */
  readonly notices: () => readonly SpaceNotice[];
  /** Ids and patterns that the caller's workspace may use. */
  readonly allowedModels: (caller: Caller) => readonly string[];
  readonly outside: Outside;
  readonly startedAt: number;
  /** @throws GatewayError when requests cannot be answered now */
  readonly checkReady: () => void;
  /** How long a connection is kept on which nothing moves. */
  readonly idleSeconds: number;
  /** Whether it is asked over https. */
  readonly isTls: boolean;
  /** Counts one request against the workspace's limit; with what to wait for, if anything. @throws GatewayError rate_limited | database_unavailable */
  readonly takeRequest: (caller: Caller) => undefined | Promise<undefined>;
  readonly embed: (arrival: Arrival) => Promise<Answer>;
  readonly tokens: Tokens;
  readonly underWay: UnderWay;
  readonly bodyMemory: BodyMemory;
  /** Of one body, as it is now. */
  readonly bodyBytesMax: () => number;
  readonly metrics: Metrics;
  /** Begins a request's trace; undefined: there are none. */
  readonly beginTrace: (request: Request, requestId: string) => RequestTrace | undefined;
  readonly admin: AdminParts;
  readonly sending: Sending;
  /** Undefined: there are none. */
  readonly batches: () => Batches | undefined;
}

/** The part of Bun's server that a handler needs. */
export interface RequestTimer {
  timeout(request: Request, seconds: number): void;
}

export interface Visit {
  readonly request: Request;
  readonly server: RequestTimer | null;
  /** Whose path it is. Others speak OpenAI's. */
  readonly wire?: Wire | undefined;
  /** What the path's `{names}` took. */
  readonly params: Readonly<Record<string, string>>;
}

export interface Served extends Endpoint {
  readonly handle: (visit: Visit) => Promise<Response>;
}

/** What a path does. From `speak` on, errors are the caller's in its own wire's words. */
export type Work = (visit: Visit, requestId: string, speak: Speak, tell: Tell) => Promise<Said> | Said;

/** An answer, and its status where it is not 200. */
export interface Said {
  readonly body: Answer["body"] | ReadableStream<Uint8Array>;
  readonly headers: Answer["headers"];
  readonly status?: number;
}

export type Speak = (caller: Caller) => Policies;
