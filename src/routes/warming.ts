/**
 * `warm: true` of a model or a provider: each of its targets is called once when the gateway starts, so that a server that loads its model
 * at the first call has done so before a caller comes. The call has one short text, and is made like a measurement.
 */
import { Ending } from "../domain/ending";
import { endingWithin } from "../domain/ending-within";
import { asGatewayError, GatewayError } from "../domain/errors";
import type { Outside } from "../domain/outside";
import type { Route, Target } from "../domain/request";
import type { Measure } from "../spaces/measure";

export interface Warming {
  /** Cancels calls in flight. */
  close(): Promise<void>;
}

export interface WarmingParts {
  readonly ask: Measure;
  readonly outside: Pick<Outside, "alarm" | "log" | "monotonic">;
  readonly deadlineMs: number;
  /** Targets that this process has warmed since its start: a reload warms only new ones. */
  readonly warmed: Set<string>;
  /** Whether this process also calls servers: several processes share them, while each has its own built-in model. */
  readonly asksServers: boolean;
}

export function warm(routes: readonly Route[], parts: WarmingParts): Warming {
  const { ask, outside, deadlineMs, warmed, asksServers } = parts;
  const closed = new Ending();

  async function once(route: Route, target: Target): Promise<void> {
    const about = { model: target.model, provider: target.provider.name };
    const { over, done } = endingWithin(outside, deadlineMs, closed, "It");
    const startedAt = outside.monotonic();
    try {
      await ask(route, target, over);
      const latency_ms = Math.round(outside.monotonic() - startedAt);
      outside.log("info", "a model was warmed up", { ...about, latency_ms });
    } catch (thrown) {
      if (closed.aborted) return;
      const { kind, message: reason } = asGatewayError(thrown);
      outside.log("warn", "a model could not be warmed up", { ...about, kind, reason });
    } finally {
      done();
    }
  }

  const asked: Promise<void>[] = [];
  for (const route of routes) {
    for (const target of route.targets) {
      const { provider, model } = target;
      const key = `${provider.name}\n${model}`;
      if (!(route.warm || provider.warm) || warmed.has(key)) continue;
      if (!provider.isBuiltIn && !asksServers) continue;
      warmed.add(key);
      asked.push(once(route, target));
    }
  }
  return {
    async close() {
      closed.abort(new GatewayError("cancelled", "The gateway is shutting down."));
      await Promise.all(asked);
    },
  };
}
