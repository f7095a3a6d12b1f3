/**
 * An endpoint under load: all connections send texts that nobody sent before, every answer is read completely, and a few vectors are
 * kept, to compare them with the vectors of the same texts in single requests.
 */
import type { Outside } from "../domain/outside";
import type { Answer } from "./answer";
import { type Endpoint, isFailure } from "./endpoint";
import type { Judge } from "./judge";
import { keepBusy, type Lane, openTally, type Tally } from "./load";
import { requestOf } from "./request";
import type { Settings, Watch } from "./settings";
import { textOf } from "./texts";

export interface Load extends Tally {
  readonly seconds: number;
  /** The part that was spent in pauses that the endpoint asked for. */
  readonly rested_seconds: number;
}

export interface Sample {
  readonly text: string;
  readonly vector: Float32Array;
}

export interface Loading {
  readonly settings: Settings;
  readonly endpoint: Endpoint;
  readonly judge: Judge;
  /** The number of the first text. */
  readonly run: number;
  readonly outside: Outside;
  readonly watch: Watch;
  readonly stop: AbortSignal;
}

export const SAMPLES_MAX = 8;
const REDRAW_MS = 200;

export async function underLoad(loading: Loading): Promise<{ load: Load; sampled: readonly Sample[] }> {
  const { settings, endpoint, judge, outside, stop } = loading;
  const { inputs, tokens, connections, seconds, requests } = settings;
  const sampled: Sample[] = [];
  const tally = openTally();
  let next = loading.run;

  /** The last text, so that vectors shifted by one place are detected. */
  function sample(first: number, { vectors }: Answer): void {
    const last = inputs - 1;
    const vector = vectors[last];
    if (vector && sampled.length < SAMPLES_MAX) sampled.push({ text: textOf(first + last, tokens), vector });
  }

  function openLane(): Lane {
    const request = requestOf(settings);
    return async () => {
      const first = next;
      next += inputs;
      request.write(first);
      const { took_ms, bytes, result } = await endpoint.ask(request.bytes, inputs);
      if (isFailure(result)) return { took_ms, bytes, failure: result };
      judge.see(result);
      const [fault] = result.faults;
      if (fault) return { took_ms, bytes, failure: { kind: `wrong ${fault[0]}`, message: fault[1] } };
      sample(first, result);
      return { took_ms, bytes, tokens: result.tokens };
    };
  }

  const done = new AbortController();
  const drawn = draw(loading, tally, done.signal);
  const { took_ms, rested_ms } = await keepBusy(
    Array.from({ length: connections }, openLane),
    { ms: seconds * 1000, requests, stop },
    outside,
    tally.record,
  );
  done.abort();
  await drawn;
  return {
    load: { ...tally.total(), seconds: took_ms / 1000, rested_seconds: rested_ms / 1000 },
    sampled,
  };
}

async function draw(
  { settings: { seconds, requests }, outside: { monotonic, sleep }, watch }: Loading,
  tally: ReturnType<typeof openTally>,
  done: AbortSignal,
): Promise<void> {
  const startedAt = monotonic();
  while (!done.aborted) {
    const { sent, right, p50_ms } = tally.glance();
    const taken = (monotonic() - startedAt) / 1000;
    const rate = taken > 0 ? right / taken : 0;
    const failed = sent === right ? "" : `, ${sent - right} failed`;
    const words = `${sent} requests${failed}, ${rate.toFixed(0)}/s, p50 ${p50_ms.toFixed(1)} ms`;
    watch.at(Math.min(1, Math.max(taken / seconds, sent / requests)), words);
    // Rejects once the load is done.
    await sleep(REDRAW_MS, done).catch(() => undefined);
  }
}
