/**
 * A provider with coalescing, and single-input requests to it, for tests of such calls.
 * What requests may differ in is a member of `Asking`.
 */
import { exactVector } from "../../plugins/fake";
import type { Coalescing, EmbedRequest, Plan, Result, Run } from "../../src/domain/request";
import type { Input } from "../../src/plugin";
import { answerThrough, planFor, requestFor, runUnder } from "./opened";
import { type Watched, type Watching, watched } from "./watched";

export const WINDOW_MS = 20;
export const texts = (count: number) => Array.from({ length: count }, (_, i) => `text number ${i}`);
export const rightVectors = (inputs: readonly string[]) => inputs.map((text) => exactVector(text, 16));

interface Opening extends Watching {
  readonly model?: string;
  readonly windowMs?: number;
  readonly isSpread?: boolean;
  readonly hedgeAfterMs?: number;
}

export function opened({
  model = "fake",
  windowMs = WINDOW_MS,
  isSpread = false,
  hedgeAfterMs,
  ...watching
}: Opening = {}): Watched {
  const coalescing: Coalescing = { windowMs, isSpread };
  const one = watched(model, { ...watching, provider: { coalescing, ...watching.provider } });
  return { ...one, route: { ...one.route, hedgeAfterMs } };
}

export interface Asking {
  readonly request?: Partial<EmbedRequest>;
  readonly plan?: Partial<Plan>;
  readonly run?: Partial<Run>;
}

export function ask(
  { route, clock }: Watched,
  input: Input,
  { request, plan, run }: Asking = {},
): Promise<Result> {
  // As in the gateway: no two requests have the very same target object.
  const [target] = route.targets;
  const own = { ...route, targets: [{ ...target }] as const };
  return answerThrough(own, [input], clock.outside, {
    request: requestFor([input], request),
    plan: planFor([input], own, plan),
    run: { ...runUnder(), ...run },
  });
}

export const askAll = (open: Watched, inputs: readonly string[], asking: Asking = {}) =>
  inputs.map((text) => ask(open, text, asking));

export const sizes = ({ calls }: Watched) => calls.map(({ inputs }) => inputs.length);
