/**
 * What all calls of one request share, and what they need of the world. Types only.
 * A new thing that every call must know is a member of `Work`, made in execute.ts.
 */

import type { EndSignal } from "../domain/ending";
import type { ErrorKind, GatewayError } from "../domain/errors";
import type { Outside } from "../domain/outside";
import type { Answered, CallMade, EmbedRequest, Lane, Plan, Route, Run, Target } from "../domain/request";
import type { Count } from "../tokens/count";
import type { Tokens } from "../tokens/tokens";
import type { Evidence } from "./evidence";

export type Needs = Pick<Outside, "sleep" | "alarm" | "turn" | "random" | "log" | "monotonic" | "now"> & {
  /** Called at the end of each call that was sent. */
  readonly observe?: (call: CallSeen) => void;
  /** Counts and cuts by a model's own vocabulary. Left out: nothing is known of any. */
  readonly tokens?: Pick<Tokens, "count" | "cut">;
};

export interface CallSeen {
  /** The provider's name in the routing file. */
  readonly provider: string;
  /** The model's name there. */
  readonly model: string;
  /** `cancelled` and `deadline` are calls that were cancelled. */
  readonly outcome: ErrorKind | "ok";
  readonly latencyMs: number;
}

export interface Work {
  readonly request: EmbedRequest;
  readonly route: Route;
  readonly plan: Plan;
  readonly run: Run;
  readonly lane: Lane;
  /** Fires when the request is over, for whatever reason. */
  readonly signal: EndSignal;
  readonly outside: Needs;
  /** Is told what each reply came to, whether it is of use or not: the provider has counted it. */
  readonly count: (count: Count, target: Target) => void;
  /**
   * Is told what a call is estimated to have come to that was sent and is not waited for any more: it is paid for anyway.
   * @param before the estimate that this takes the place of, when its answer came after all
   */
  readonly abandoned: (count: Count, target: Target, before?: Count) => void;
  /** Is told of each call, at its end. */
  readonly called: (call: Omit<CallMade, "beganMs"> & { readonly beganAt: number }) => void;
  /** Takes what was proved. */
  readonly take: (answered: Answered, target: Target) => void;
  /** Ends the request's other calls: this error is its answer. */
  readonly fail: (error: GatewayError) => void;
  /** Which targets have answered something of this request. */
  readonly evidence: Evidence;
  /** The input at fault is looked for: several inputs that were refused are not sent together again. */
  readonly isSearch: boolean;
  /** Searches for an input at fault go one after the other; the end of the last one. */
  readonly searches: { last: Promise<void> };
  /** Until when it waits for other requests' calls to providers that were down; undefined: it had not to, so far. */
  readonly patience: { endsAt: number | undefined };
  /** Of two calls beside each other (hedge.ts): until when a target wants to be left alone, by its answer to one; the other has not been sent. */
  readonly comeBackAt: Map<Target, number>;
  /** Of a request of one input: whether it is past sharing calls, and those that were refused, perhaps over another's input. */
  readonly joint: { isOver: boolean; callsInVain: number };
}
