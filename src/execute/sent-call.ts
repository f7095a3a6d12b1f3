/**
 * A call that was sent: its time, and where its outcome is noted: in the target's health, the metrics, the trace and the request's row.
 * A new thing that notes each call's outcome is told in `ended`.
 */
import type { GatewayError } from "../domain/errors";
import type { BegunCall, Outcome } from "../domain/health";
import type { Part, Target } from "../domain/request";
import type { CallTrace } from "../domain/trace";
import type { Count } from "../tokens/count";
import { noteCall } from "../upstream/recent-calls";
import { healthOf } from "./choose";
import type { Work } from "./work";

export class SentCall {
  /** On the monotonic clock. */
  readonly startedAt: number;
  counted: Count | undefined;

  constructor(
    private readonly work: Work,
    private readonly target: Target,
    private readonly part: Part,
    private readonly call: BegunCall,
    readonly trace: CallTrace | undefined,
  ) {
    this.startedAt = work.outside.monotonic();
  }

  ended(outcome: Outcome, seenAs: GatewayError["kind"] | "ok"): void {
    const { work, target, part, startedAt, counted } = this;
    const { outside } = work;
    const { model } = target;
    const provider = target.provider.name;
    const change = this.call.ended(outcome);
    if (change !== "unchanged") {
      outside.log(
        change === "opened" ? "error" : "info",
        change === "opened"
          ? "circuit breaker open: the provider failed several times in a row, one call at a time tests it"
          : "circuit breaker closed: the provider answers again",
        { provider, model },
      );
    }
    const now = outside.monotonic();
    const latencyMs = now - startedAt;
    outside.observe?.({ provider, model, outcome: seenAs, latencyMs });
    noteCall(healthOf(target), now, outcome, seenAs);
    this.trace?.ended(seenAs === "ok" ? undefined : seenAs);
    work.called({
      provider,
      model,
      outcome: seenAs,
      latencyMs,
      inputs: part.pieces.length,
      beganAt: startedAt,
      tokens: counted?.tokens,
      tokensSource: counted?.tokensSource,
    });
  }
}
