/**
 * A process's side of shared measurements: the supervisor decides who measures, and distributes the results.
 * measurements.ts is the supervisor's side.
 */
import { Value } from "@sinclair/typebox/value";
import type { Measured, Outcome, Together } from "../spaces/together";
import type { Channel } from "./channel";
import { MeasuredOnce, WhoMeasures } from "./messages";

export interface Measuring {
  /** @param generation identifies the routing file: with another one, a name may mean something else */
  under(generation: number): Together;
  /** The result of another process, from the supervisor. */
  heard(body: unknown): void;
}

type Listener = (what: Measured, outcome: Outcome) => void;

export function createMeasuring(channel: () => Channel): Measuring {
  const listeners = new Map<Listener, number>();
  return {
    under: (generation) => ({
      async once(what, work) {
        const answer = await channel().ask("measure", { generation, what }, WhoMeasures);
        if (answer.outcome !== null) return answer.outcome;
        let outcome: Outcome | undefined;
        try {
          outcome = await work();
          return outcome;
        } finally {
          channel().tell("measured", { generation, what, outcome: outcome ?? null });
        }
      },
      hear(listener) {
        listeners.set(listener, generation);
        return () => listeners.delete(listener);
      },
    }),
    heard(body) {
      const { generation, what, outcome } = Value.Parse(MeasuredOnce, body);
      if (outcome === null) return;
      for (const [listener, own] of listeners) if (own === generation) listener(what, outcome);
    },
  };
}
