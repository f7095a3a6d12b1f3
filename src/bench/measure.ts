/**
 * One measurement of an endpoint: its vectors are checked, then it is kept busy, then some of what it answered is asked for again.
 * What is said meanwhile goes to the `Watch`; what came of it is a `Result`, for src/bench/report.ts.
 */
import type { Outside } from "../domain/outside";
import { PROBE_COST, probe, recheck } from "./checks";
import { openEndpoint } from "./endpoint";
import { type Check, openJudge, wrong } from "./judge";
import type { Settings, Watch } from "./settings";
import { NUMBER_DIGITS } from "./texts";
import { type Load, SAMPLES_MAX, underLoad } from "./under-load";

export interface Result {
  readonly settings: Settings;
  /** Undefined where the endpoint answered nothing, so that none was begun. */
  readonly load: Load | undefined;
  readonly checks: readonly Check[];
}

/** @param stop ends it early; what was measured until then is told */
export async function measure(
  settings: Settings,
  outside: Outside,
  watch: Watch,
  stop: AbortSignal,
): Promise<Result> {
  const { url, key, requests } = settings;
  const endpoint = openEndpoint(url, key, stop, outside);
  const judge = openJudge();
  const run = Math.floor(outside.random() * 10 ** (NUMBER_DIGITS - 1));
  watch.say(announcement(settings));
  const probed = await probe(endpoint, settings, run, judge, outside);
  if (!probed.answers) return { settings, load: undefined, checks: probed.checks };
  const checks = [...probed.checks];
  let load: Load | undefined;
  if (requests > 0 && !stop.aborted) {
    if (requests === Number.POSITIVE_INFINITY) watch.say(estimate(settings, probed.took_ms));
    const loaded = await underLoad({ settings, endpoint, judge, run, outside, watch, stop });
    load = loaded.load;
    if (load.right === 0 && load.sent > 0) checks.push(wrong("it answers under load", "not one request"));
    if (!stop.aborted) checks.push(await recheck(endpoint, settings, loaded.sampled, outside));
  }
  return { settings, load, checks: [...judge.checks(), ...checks] };
}

function announcement(settings: Settings): string {
  const { url, model, dimensions, encoding, inputs, tokens, connections, seconds, requests } = settings;
  const isCounted = requests !== Number.POSITIVE_INFINITY;
  const much = isCounted ? `${count(requests)} requests at most` : `requests for ${seconds} s`;
  const all = isCounted ? `, ${count(requests * inputs * tokens)} tokens in all` : "";
  const size = dimensions === undefined ? "" : `, ${dimensions} dimensions`;
  return [
    `Asks ${url.href} for ${model}, ${encoding}${size}.`,
    `First ${PROBE_COST.requests} requests that check its vectors, about ${PROBE_COST.tokens} tokens.`,
    ...(requests > 0
      ? [
          `Then ${much} over ${connections} connections, each with ${texts(inputs)} of about ${tokens} tokens${all}.`,
          `Then up to ${SAMPLES_MAX} of these texts again.`,
        ]
      : []),
  ].join("\n");
}

function estimate({ connections, seconds, inputs, tokens }: Settings, took_ms: number): string {
  const requests = (seconds * 1000 * connections) / Math.max(took_ms, 0.1);
  return `A request took ${took_ms.toFixed(1)} ms: that makes up to ${count(requests)} requests and ${count(requests * inputs * tokens)} tokens. --requests sets an end.`;
}

const count = (value: number) => Math.round(value).toLocaleString("en-US");
const texts = (inputs: number) => (inputs === 1 ? "1 text" : `${count(inputs)} texts`);
