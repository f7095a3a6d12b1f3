/**
 * `embedgate bench`: measures any endpoint of OpenAI's embeddings API and checks its vectors. The work is in src/bench/, which this repository's
 * own benchmarks use too; this file has its command line. A new option is a member of `BenchOptions` and a line of `settingsOf`.
 */
import { PROBE_COST } from "../bench/checks";
import { urlOf } from "../bench/endpoint";
import { measure, REQUESTS_MIN } from "../bench/measure";
import { asJson, forPeople } from "../bench/report";
import type { Encoding } from "../bench/request";
import type { Settings } from "../bench/settings";
import { TOKENS_MIN } from "../bench/texts";
import type { Outside } from "../domain/outside";
import { realOutside } from "../network/real-outside";
import { openProgress } from "../terminal/progress";
import { WrongUsage } from "../terminal/wrong-usage";
import { json } from "./json";

export interface BenchOptions {
  readonly url?: string;
  readonly key?: string;
  readonly model?: string;
  readonly inputs: number;
  readonly tokens: number;
  readonly connections: number;
  readonly seconds?: number;
  readonly requests?: number;
  readonly dimensions?: number;
  readonly encoding: Encoding;
  readonly json?: boolean;
}

/** The default address and model: those of a gateway without a routing file. */
const LOCAL = { url: "http://127.0.0.1:8080/v1", model: "all-MiniLM-L6-v2" } as const;
const SECONDS = 10;
/** Bun queues further fetches unless an environment variable raises this limit. */
const CONNECTIONS_MAX = 256;
const CONNECTIONS_VARIABLE = "BUN_CONFIG_MAX_HTTP_REQUESTS";
const INTERRUPTED = 130;

/** @returns the exit code: 1 if any check failed */
export async function bench(options: BenchOptions): Promise<number> {
  const settings = settingsOf(options, realOutside.environment);
  if (typeof settings === "string") throw new WrongUsage(settings);
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort(new Error("interrupted")));
  const progress = openProgress(options.json ? { write: () => undefined } : process.stderr);
  const result = await measure(
    settings,
    realOutside,
    {
      say: (words) => {
        if (!options.json) console.error(words);
      },
      at: progress.at,
    },
    stop.signal,
  );
  progress.end();
  console.log(options.json ? json(asJson(result)) : `\n${forPeople(result)}`);
  if (stop.signal.aborted) return INTERRUPTED;
  return result.checks.some(({ outcome }) => outcome === "wrong") ? 1 : 0;
}

/** @returns a message if the options do not fit together */
export function settingsOf(options: BenchOptions, environment: Outside["environment"]): Settings | string {
  const { inputs, tokens, connections, dimensions, encoding, seconds, requests } = options;
  const url = urlOf(options.url ?? LOCAL.url);
  if (typeof url === "string") return url;
  const model = options.model ?? (options.url === undefined ? LOCAL.model : undefined);
  if (model === undefined) return "--model: required with --url.";
  if (inputs < 1 || connections < 1) return "--inputs and --connections: expected 1 or more.";
  const most = Number(environment[CONNECTIONS_VARIABLE] ?? CONNECTIONS_MAX);
  if (connections > most)
    return `--connections: expected ${most} or less. Set the environment variable ${CONNECTIONS_VARIABLE} to ${connections} for more.`;
  if (requests !== undefined && requests > 0 && requests < REQUESTS_MIN)
    return `--requests: expected ${REQUESTS_MIN} or more, because ${PROBE_COST.requests} of them check the vectors; 0 sends only those.`;
  if (tokens < TOKENS_MIN) return `--tokens: expected ${TOKENS_MIN} or more, so that no text is sent twice.`;
  return {
    url,
    key: options.key ?? environment.EMBEDGATE_BENCH_KEY ?? sdkKey(options, environment),
    model,
    inputs,
    tokens,
    connections,
    dimensions,
    encoding,
    // With a fixed number of requests there is no time limit.
    seconds: seconds ?? (requests === undefined ? SECONDS : Number.POSITIVE_INFINITY),
    requests: requests ?? Number.POSITIVE_INFINITY,
  };
}

/** The environment variable that OpenAI's SDKs use with every base URL. A gateway on this machine does not need it. */
function sdkKey({ url }: BenchOptions, environment: Outside["environment"]): string | undefined {
  return url === undefined ? undefined : environment.OPENAI_API_KEY;
}
