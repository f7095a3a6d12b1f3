/**
 * What an error of the gateway must be: in the envelope, with a status that some event excuses.
 * A new reason for an error is a line of `excuseFor`.
 */
import { Breach, type Call, isGood, PROBE, withLarger } from "./calls";
import { SLACK_MS, type Surroundings, type Told } from "./judge-answer";
import { mayCostMore } from "./judge-credits";
import { isOverLimit } from "./judge-rates";
import { nameOf } from "./truth";

const CODES: Readonly<Record<number, readonly (string | null)[]>> = {
  402: ["insufficient_credit"],
  400: [null, "context_length_exceeded", "max_tokens_per_request"],
  404: ["model_not_found"],
  502: ["upstream_malformed"],
  503: ["upstream_unavailable"],
  429: ["rate_limit_exceeded"],
  504: ["upstream_timeout"],
};

/** @returns the error's code @throws Breach */
export function judgeError(told: Told, body: unknown, surroundings: Surroundings): string | null {
  const { ask, status } = told;
  const error = errorOf(body);
  if (!error) throw new Breach("every error is in OpenAI's envelope", told.text.slice(0, 300));
  const wrong = (what: string) =>
    new Breach("every error has its reason", `${ask.id}: ${status} ${JSON.stringify(error)}: ${what}`);
  if (error.code === "database_unavailable") {
    if (!surroundings.diskFailed || status !== 503) throw wrong("the database did not fail");
    return error.code;
  }
  if (status === 429) {
    if (error.code !== "rate_limit_exceeded" || !(Number(told.headers.get("retry-after")) >= 1))
      throw wrong("it does not say when to come back");
    if (!isOverLimit(told, surroundings)) throw wrong("nothing that was sent excuses it");
    return error.code;
  }
  if (ask.refusal) {
    const { status: right, code, param } = ask.refusal;
    if (status !== right || error.code !== code || error.param !== param)
      throw wrong(`it should be ${JSON.stringify(ask.refusal)}`);
    return error.code;
  }
  if (!CODES[status]?.includes(error.code)) throw wrong("the code is not the status's");
  if (!excuseFor(told, surroundings)) throw wrong("nothing that happened excuses it");
  return error.code;
}

interface Words {
  readonly message: string;
  readonly type: string;
  readonly param: string | null;
  readonly code: string | null;
}

function errorOf(body: unknown): Words | undefined {
  if (typeof body !== "object" || body === null || !("error" in body)) return undefined;
  const { error } = body;
  return isWords(error) && error.message !== "" && Object.keys(error).length === 4 ? error : undefined;
}

const isWords = (error: unknown): error is Words =>
  typeof error === "object" &&
  error !== null &&
  "message" in error &&
  typeof error.message === "string" &&
  "type" in error &&
  typeof error.type === "string" &&
  "param" in error &&
  "code" in error;

/** A fault that another attempt would have fixed is no excuse while attempts and time were left. */
function excuseFor(told: Told, surroundings: Surroundings): boolean {
  const { ask, status, sentMs, endedMs } = told;
  const { scenario } = surroundings;
  const leftMs = scenario.deadlineMs - (endedMs - sentMs);
  if (status === 504 && leftMs < SLACK_MS) return true;
  const { microCreditsLeft } = surroundings;
  if (status === 402) return microCreditsLeft !== undefined && mayCostMore(ask, microCreditsLeft);
  if (status === 503 && isCrowdedOut(told, surroundings)) return true;
  for (const attempts of withLarger(callsBehind(told, surroundings))) {
    const last = attempts.at(-1);
    // Of several servers' last errors one is returned.
    const words = Map.groupBy(attempts, ({ server }) => server)
      .values()
      .map((own) => own.reduce((one, other) => ((other.endedMs ?? 0) >= (one.endedMs ?? 0) ? other : one)));
    if (!last || !words.some((word) => word?.excuses.includes(status))) continue;
    if (failsOnly(last, endedMs, surroundings)) return true;
    const retries = scenario.servers.find(({ name }) => name === last.server)?.retries ?? 0;
    const isSpent = attempts.length >= Math.min(retries + 1, ATTEMPTS_MAX);
    // A request that waits for another's fetch may get that one's timeout too.
    const isAnothers = last.ask !== ask.id;
    // The provider's error is returned at once if the deadline comes before it may be called again.
    const isTooLate = leftMs <= PAUSE_MS * 2 ** (attempts.length - 1);
    if (
      last.isLasting ||
      isSpent ||
      isTooLate ||
      isOutOfService(last, told, surroundings) ||
      last.waitMs > (isAnothers ? 0 : Math.min(leftMs, PATIENCE_MS))
    )
      return true;
  }
  return false;
}

/**
 * No further attempt goes to a server whose calls of a model only fail. After a reload earlier requests continue as they began, and for later
 * ones servers' health starts anew: neither learns from the other's good answers.
 */
function failsOnly({ server, model, ask }: Call, atMs: number, surroundings: Surroundings): boolean {
  const { calls, scenario, sent } = surroundings;
  const before = calls
    .filter((call) => call.server === server && call.model === model && (call.endedMs ?? Infinity) <= atMs)
    .sort((a, b) => (a.endedMs ?? 0) - (b.endedMs ?? 0));
  const onlyFails = (own: readonly Call[]) => own.length - 1 - own.findLastIndex(isGood) >= BREAKER_FAILURES;
  if (onlyFails(before)) return true;
  const [reloadMs] = scenario.reloadsMs;
  if (reloadMs === undefined) return false;
  const sentMs = new Map(sent.map((way) => [way.ask.id, way.sentMs]));
  const isEarlier = (id: string) => (sentMs.get(id) ?? 0) < reloadMs;
  // It is unknown which of the two the gateway's own calls belong to.
  const isNear = (call: Call) =>
    call.ask === PROBE ? !isGood(call) : isEarlier(call.ask) === isEarlier(ask);
  return onlyFails(before.filter(isNear));
}

/**
 * Among routes that were not compared yet, the first that could be measured serves: if that changes meanwhile, there is no
 * further attempt at the old one, and a request that already has its vectors cannot continue elsewhere.
 */
function isOutOfService({ server, model }: Call, { sentMs, endedMs }: Told, { calls }: Surroundings) {
  return calls.some(
    (call) =>
      call.ask === PROBE &&
      call.model === model &&
      call.server !== server &&
      call.endedMs !== undefined &&
      call.endedMs >= sentMs &&
      call.endedMs <= endedMs,
  );
}

/** While one request tests such a server, others get that error. */
function isCrowdedOut({ ask, sentMs, endedMs }: Told, surroundings: Surroundings): boolean {
  return surroundings.calls.some(
    (call) =>
      call.model === ask.model &&
      call.ask !== ask.id &&
      call.startedMs <= endedMs &&
      (call.endedMs ?? endedMs) >= sentMs &&
      failsOnly(call, endedMs, surroundings),
  );
}

/**
 * The calls that an answer can come from: its own, and those of asks that fetched something at the time which it needs too. These may have
 * waited for others in turn, so every call of the model at that time counts.
 */
function callsBehind({ ask, sentMs, endedMs }: Told, { calls, sent }: Surroundings): readonly Call[] {
  const needed = new Set(ask.inputs.map(nameOf));
  const hasCompany = sent.some(
    (other) =>
      other.ask.id !== ask.id &&
      other.ask.model === ask.model &&
      (other.endedMs ?? endedMs) >= sentMs &&
      other.ask.inputs.some((input) => needed.has(nameOf(input))),
  );
  if (!hasCompany) return calls.filter((call) => call.ask === ask.id);
  const isNear = (id: string | undefined) =>
    sent.some((other) => other.ask.id === id && (other.endedMs ?? endedMs) >= sentMs);
  return calls.filter((call) => call.model === ask.model && isNear(call.ask));
}

/** After this many failures in a row a server gets one call at a time, and no failed one is repeated. */
const BREAKER_FAILURES = 5;
/** Calls for one part of a request, over all its routes. */
export const ATTEMPTS_MAX = 4;
/** The longest pause before the second attempt; twice that before the third, and so on. */
const PAUSE_MS = 250;
/** A server that asks for a longer pause is not waited for. */
const PATIENCE_MS = 60_000;
