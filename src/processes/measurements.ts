/**
 * Which process measures an embedding space: the first that asks; the others wait for its result. If it dies or gives up,
 * the next one measures. together.ts is the processes' side.
 */
import { type Static, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import type { Outside } from "../domain/outside";
import { Measured, MeasuredOnce, type WhoMeasures } from "./messages";

export interface Measurements {
  /** @returns the outcome, or null: the caller measures */
  ask(copy: string, body: unknown): Promise<Static<typeof WhoMeasures>>;
  /** @returns whether the other processes must be informed */
  measured(copy: string, body: unknown): boolean;
  gone(copy: string): void;
}

interface Measurement {
  leader: string | undefined;
  readonly waiting: { readonly copy: string; readonly answer: (who: Static<typeof WhoMeasures>) => void }[];
  found:
    | { readonly at: number; readonly outcome: NonNullable<Static<typeof WhoMeasures>["outcome"]> }
    | undefined;
}

const Asked = Type.Object({ generation: Type.Integer(), what: Measured });

/** Callers choose the names under a pattern, so the oldest are forgotten and may be measured again. */
const KEPT_MAX = 10_000;
/** All processes find it due at about the same time, each by its own clock: slightly early is accepted. */
const DUE_AT = 0.9;

export function createMeasurements({ monotonic }: Pick<Outside, "monotonic">): Measurements {
  const measurements = new Map<string, Measurement>();

  function of({ generation, what }: Static<typeof Asked>): Measurement {
    const key = JSON.stringify([generation, what.claim, what.provider, what.model]);
    const known = measurements.get(key) ?? { leader: undefined, waiting: [], found: undefined };
    measurements.set(key, known);
    if (measurements.size > KEPT_MAX) {
      for (const [old, { leader }] of measurements) {
        if (leader === undefined && old !== key) {
          measurements.delete(old);
          break;
        }
      }
    }
    return known;
  }

  function leaveToNext(measurement: Measurement): void {
    const next = measurement.waiting.shift();
    measurement.leader = next?.copy;
    next?.answer({ outcome: null });
  }

  return {
    async ask(copy, body) {
      const asked = Value.Parse(Asked, body);
      const measurement = of(asked);
      const { found } = measurement;
      const isStale = asked.what.isSuspected === true && found?.outcome.agrees === true;
      if (found && !isStale && monotonic() - found.at < DUE_AT * found.outcome.forMs)
        return { outcome: found.outcome };
      if (measurement.leader === undefined) {
        measurement.leader = copy;
        return { outcome: null };
      }
      return new Promise((answer) => measurement.waiting.push({ copy, answer }));
    },
    measured(copy, body) {
      const once = Value.Parse(MeasuredOnce, body);
      const measurement = of(once);
      if (measurement.leader !== copy) return false;
      const { outcome } = once;
      if (outcome === null) {
        leaveToNext(measurement);
        return false;
      }
      measurement.leader = undefined;
      measurement.found = { at: monotonic(), outcome };
      for (const { answer } of measurement.waiting.splice(0)) answer({ outcome });
      return true;
    },
    gone(copy) {
      for (const measurement of measurements.values()) {
        const left = measurement.waiting.filter((one) => one.copy !== copy);
        measurement.waiting.splice(0, measurement.waiting.length, ...left);
        if (measurement.leader === copy) leaveToNext(measurement);
      }
    },
  };
}
