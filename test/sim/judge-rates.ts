/**
 * Rate limits: a refused workspace had sent that much, and nobody passes more than two minutes' worth within a minute.
 * A further limit is a further sum here.
 */
import type { Ask } from "./asks";
import { Breach } from "./calls";
import type { Sent, Surroundings, Told } from "./judge-answer";
import type { Scenario } from "./scenario";
import { bytesOf, sum } from "./truth";

const MINUTE_MS = 60_000;

/** As the gateway estimates before anybody has counted: four bytes per token. */
const tokensOf = ({ inputs }: Ask) =>
  sum(inputs.map((input) => (typeof input === "string" ? Math.ceil(bytesOf(input) / 4) : input.length)));
/** Or as a server counts. */
const tokensMostOf = ({ body, inputs }: Ask) => Buffer.byteLength(body) + 8 * inputs.length;

/** Whether a 429 is justified. */
export function isOverLimit({ ask, endedMs }: Told, { scenario, sent }: Surroundings): boolean {
  const { requests, tokens } = scenario.perMinute;
  const before = sent.filter((other) => other.ask.workspace === ask.workspace && other.sentMs <= endedMs);
  const recent = before.filter((other) => other.sentMs > endedMs - 2 * MINUTE_MS);
  if (requests !== undefined && recent.length > requests) return true;
  // One request may use many minutes' worth, for which all the next ones wait.
  return tokens !== undefined && sum(before.map((other) => tokensMostOf(other.ask))) > tokens;
}

/** Until all buckets are full again, whatever was sent. */
export function fullAfterMs(sent: readonly Sent[], { perMinute }: Scenario): number {
  const tokens = sum(sent.map(({ ask }) => tokensMostOf(ask)));
  return MINUTE_MS * (1 + Math.ceil(tokens / (perMinute.tokens ?? Number.POSITIVE_INFINITY)));
}

/** @param lives of the gateway: each starts with full buckets @throws Breach */
export function judgeRates(sent: readonly Sent[], { perMinute }: Scenario, lives: number): void {
  const passed = sent.filter(({ status }) => status !== undefined && status === 200);
  for (const { ask, sentMs } of passed) {
    const within = passed.filter(
      (other) =>
        other.ask.workspace === ask.workspace && other.sentMs >= sentMs && other.sentMs < sentMs + MINUTE_MS,
    );
    const breach = (what: string) =>
      new Breach("rate limits are kept", `${what} of ${ask.workspace} from ${sentMs} ms`);
    const { requests = Number.POSITIVE_INFINITY, tokens = Number.POSITIVE_INFINITY } = perMinute;
    if (within.length > (lives + 1) * requests) throw breach(`${within.length} requests`);
    // Estimates may be given back, down to a token per word; a single request of more than a minute's worth passes alone.
    const largest = Math.max(...within.map((other) => tokensOf(other.ask)));
    const taken = sum(within.map((other) => Math.floor(tokensOf(other.ask) / 8)));
    if (taken > (lives + 1) * tokens + largest) throw breach(`${taken} tokens`);
  }
}
