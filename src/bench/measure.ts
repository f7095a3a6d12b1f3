/**
 * One measurement of an endpoint: checks its vectors, puts load on it, then requests some of the texts again.
 * Progress goes to the `Watch`; the outcome is a `Result`, for src/bench/report.ts.
 */
import type { Outside } from "../domain/outside";
import { PROBE_COST, probe, recheck } from "./checks";
import { openEndpoint } from "./endpoint";
import { type Check, openJudge, wrong } from "./judge";
import type { Settings, Watch } from "./settings";
import { NUMBER_DIGITS } from "./texts";
import { type Load, SAMPLES_MAX, underLoad } from "./under-load";

/** Requests that check the vectors, one of a load, and one that is repeated. */
export const REQUESTS_MIN = PROBE_COST.requests + 2;

/** How the total number of requests is divided among the parts. */
function sharesOf(requests: number): { readonly load: number; readonly samples: number } {
  if (requests === Number.POSITIVE_INFINITY) return { load: requests, samples: SAMPLES_MAX };
  const left = Math.max(0, requests - PROBE_COST.requests);
  const samples = Math.min(SAMPLES_MAX, Math.floor(left / 2));
  return { load: left - samples, samples };
}

export interface Result {
  readonly settings: Settings;
  /** undefined if the endpoint answered nothing, so that no load was started. */
  readonly load: Load | undefined;
  readonly checks: readonly Check[];
  readonly requests_sent: number;
}

/** @param stop ends it early; what was measured until then is reported */
export async function measure(
  settings: Settings,
  outside: Outside,
  watch: Watch,
  stop: AbortSignal,
): Promise<Result> {
  const { url, key, requests } = settings;
  const opened = openEndpoint(url, key, stop, outside);
  let sent = 0;
  const endpoint: typeof opened = {
    ...opened,
    ask(...asked) {
      sent += 1;
      return opened.ask(...asked);
    },
  };
  const shares = sharesOf(requests);
  const judge = openJudge();
  const run = Math.floor(outside.random() * 10 ** (NUMBER_DIGITS - 1));
  watch.say(announcement(settings));
  const probed = await probe(endpoint, settings, run, judge, outside);
  if (!probed.answers) return { settings, load: undefined, checks: probed.checks, requests_sent: sent };
  const checks = [...probed.checks];
  let load: Load | undefined;
  if (requests > 0 && !stop.aborted) {
    if (requests === Number.POSITIVE_INFINITY) watch.say(estimate(settings, probed.took_ms));
    const loading = { ...settings, requests: shares.load };
    const loaded = await underLoad({ settings: loading, endpoint, judge, run, outside, watch, stop });
    load = loaded.load;
    if (load.right === 0 && load.sent > 0) checks.push(wrong("it answers under load", "not one request"));
    if (!stop.aborted)
      checks.push(await recheck(endpoint, settings, loaded.sampled.slice(0, shares.samples), outside));
  }
  return { settings, load, checks: [...judge.checks(), ...checks], requests_sent: sent };
}

function announcement(settings: Settings): string {
  const { url, model, dimensions, encoding, inputs, tokens, connections, seconds, requests } = settings;
  const isCounted = requests !== Number.POSITIVE_INFINITY;
  const { load, samples } = sharesOf(requests);
  const much = isCounted ? `${count(load)} requests` : `requests for ${seconds} s`;
  const all = isCounted ? `, ${count(load * inputs * tokens)} tokens` : "";
  const size = dimensions === undefined ? "" : `, ${dimensions} dimensions`;
  return [
    `Measures ${url.href}, model ${model}, ${encoding}${size}.`,
    `First ${PROBE_COST.requests} requests to check its vectors, about ${PROBE_COST.tokens} tokens.`,
    ...(requests > 0
      ? [
          `Then ${much} over ${connections} connections, each with ${texts(inputs)} of about ${tokens} tokens${all}.`,
          `Then ${isCounted ? "" : "up to "}${samples} of these texts again, alone.`,
          ...(isCounted ? [`${count(requests)} requests in all, at most.`] : []),
        ]
      : []),
  ].join("\n");
}

function estimate({ connections, seconds, inputs, tokens }: Settings, took_ms: number): string {
  const requests = (seconds * 1000 * connections) / Math.max(took_ms, 0.1);
  return `A request took ${took_ms.toFixed(1)} ms, so expect up to ${count(requests)} requests and ${count(requests * inputs * tokens)} tokens. --requests limits them.`;
}

const count = (value: number) => Math.round(value).toLocaleString("en-US");
const texts = (inputs: number) => (inputs === 1 ? "1 text" : `${count(inputs)} texts`);
