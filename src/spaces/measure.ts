/**
 * The interface for measuring spaces, types only. src/request/measure.ts implements it, and is passed in.
 */
import type { EndSignal } from "../domain/ending";
import type { Measurement, Probe } from "../domain/probes";
import type { Route, Target } from "../domain/request";
import type { Task } from "../domain/task-words";

/**
 * Sends the probe texts through one target, by the same steps as a request.
 * @returns one vector per probe text, at the model's native size
 * @throws GatewayError like a request's calls; the signal's reason
 */
export type Measure = (
  route: Route,
  target: Target,
  signal: EndSignal,
  as?: MeasuredAs,
) => Promise<Measurement>;

/** Some of the texts, sent with a task where one is given. */
export interface MeasuredAs {
  readonly texts: readonly Probe[];
  readonly task?: Task;
}
