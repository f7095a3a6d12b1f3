/**
 * Models near or past their provider's end of life: reported in the log once a day, in a header of each answer and in the list.
 * None is refused because of it: the provider's own answer decides. Warnings start NEAR_MS before the end.
 */

import type { ModelFacts } from "../domain/facts";
import type { Outside } from "../domain/outside";
import type { Route } from "../domain/request";

const DAY_MS = 86_400_000;
/** Enough time to embed everything again. */
const NEAR_MS = 180 * DAY_MS;
/** Callers choose the ids under a pattern, so only this many models are logged per day. */
const TOLD_MAX = 1_000;

/** ending: within half a year. ended: the day has come. */
export type Stage = "active" | "ending" | "ended";

/** Milliseconds since 1970; undefined: unknown. */
export function endOf({ end_of_life }: Pick<ModelFacts, "end_of_life">): number | undefined {
  if (end_of_life === undefined) return undefined;
  const [year = 0, month = 1, day = 1] = end_of_life.split("-").map(Number);
  return Date.UTC(year, month - 1, day);
}

export function stageOf(facts: Pick<ModelFacts, "end_of_life">, now: number): Stage {
  const ends = endOf(facts);
  if (ends === undefined) return "active";
  if (now >= ends) return "ended";
  return now >= ends - NEAR_MS ? "ending" : "active";
}

/** For an answer of the model; undefined while its end is far off. */
export function endOfLifeHeader(facts: Pick<ModelFacts, "end_of_life">, now: number): Record<string, string> {
  const { end_of_life } = facts;
  if (end_of_life === undefined || stageOf(facts, now) === "active") return {};
  return { "x-embedgate-model-end-of-life": end_of_life };
}

export interface Lifecycle {
  /** Called when a model is about to be used; logs at most once a day for each model. */
  used(route: Pick<Route, "id" | "targets">): void;
}

export function createLifecycle(outside: Pick<Outside, "now" | "log">): Lifecycle {
  let today = -1;
  const told = new Set<string>();
  return {
    used({ id, targets }) {
      const now = outside.now();
      const day = Math.floor(now / DAY_MS);
      for (const { model, provider, facts } of targets) {
        const stage = stageOf(facts, now);
        if (stage === "active") continue;
        if (day !== today) told.clear();
        today = day;
        const key = JSON.stringify([id, provider.name, model]);
        if (told.has(key) || told.size >= TOLD_MAX) continue;
        told.add(key);
        const message =
          stage === "ended"
            ? "model is past its end of life: the provider may stop serving it any day, and vectors of another model are not comparable"
            : "model is near its end of life: plan to embed stored texts with another model";
        outside.log("warn", message, {
          model: id,
          provider: provider.name,
          name: model,
          end_of_life: facts.end_of_life,
        });
      }
    },
  };
}
