/**
 * What an answer of the gateway must be, whatever went wrong: the right vectors, or an error that some event excuses.
 * A new promise about answers is a check in `judgeAnswer`; judge-error.ts has errors.
 */
import type { Ask } from "./asks";
import { Breach, type Call } from "./calls";
import { judgeError } from "./judge-error";
import type { Scenario } from "./scenario";
import { base64Of, rightVector } from "./truth";

/** An answer, as the client gets it. */
export interface Told {
  readonly ask: Ask;
  readonly sentMs: number;
  readonly endedMs: number;
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** An ask in progress. */
export interface Sent {
  readonly ask: Ask;
  readonly sentMs: number;
  /** Both undefined while it is in flight. */
  endedMs: number | undefined;
  status: number | undefined;
}

/** What happened meanwhile. */
export interface Surroundings {
  readonly scenario: Scenario;
  readonly calls: readonly Call[];
  /** All asks of clients so far. */
  readonly sent: readonly Sent[];
  /** Whether the database refused anything while the ask was in flight. */
  readonly diskFailed: boolean;
  /** The workspace's credits now; undefined: no limit. */
  readonly microCreditsLeft: bigint | undefined;
}

/** Values of an answer that the ledger must have too. */
export interface Shown {
  readonly requestId: string;
  readonly tokens: number;
  readonly code: string | null;
}

/** How long the row of a client that has left may wait for a locked database, and slightly more. */
export const LOCK_WAIT_MS = 5_100;
export const SLACK_MS = 5;
const LOCK_PAUSE_MS = 12;

/** @throws Breach */
export function judgeAnswer(told: Told, surroundings: Surroundings): Shown {
  const { ask, headers, text, status, sentMs, endedMs } = told;
  const { scenario, diskFailed } = surroundings;
  // Also while another process locks the database, except for the pause between two looks.
  const timeMax = scenario.deadlineMs + SLACK_MS + (diskFailed ? LOCK_PAUSE_MS : 0);
  if (endedMs - sentMs > timeMax)
    throw new Breach("no request outlives its deadline", `${ask.id} took ${endedMs - sentMs} ms`);
  judgeSecrecy(`${text} ${JSON.stringify([...headers])}`, scenario);
  const requestId = headers.get("x-request-id") ?? "";
  if (!/^req_[0-9a-f]{32}$/.test(requestId)) throw new Breach("every answer has its id", ask.id);
  if (headers.get("content-type") !== "application/json")
    throw new Breach("every answer is JSON", String(headers.get("content-type")));
  const body = parsed(text);
  return status === 200
    ? { requestId, tokens: judgeVectors(told, body), code: null }
    : { requestId, tokens: 0, code: judgeError(told, body, surroundings) };
}

/** No credential of a provider, as it is or in another spelling. @throws Breach */
export function judgeSecrecy(text: string, { servers }: Scenario): void {
  for (const { key } of servers) {
    for (const form of [key, encodeURIComponent(key), btoa(key), key.slice(0, -4)])
      if (text.includes(form)) throw new Breach("no secret is told", text.slice(0, 300));
  }
}

function judgeVectors({ ask, headers }: Told, body: unknown): number {
  const wrong = (what: string) => new Breach("each vector is its input's", `${ask.id}: ${what}`);
  const { model } = ask;
  if (ask.refusal || !model) throw new Breach("a wrong request is refused", ask.body.slice(0, 200));
  const { data, usage, model: name } = answerOf(body, wrong);
  if (name !== ask.modelId) throw wrong(`the answer speaks of ${name}`);
  if (data.length !== ask.inputs.length)
    throw wrong(`${data.length} vectors for ${ask.inputs.length} inputs`);
  for (const [place, input] of ask.inputs.entries()) {
    const entry = data[place];
    const right = rightVector(input, model, ask.dimensions);
    if (entry?.index !== place || entry.object !== "embedding")
      throw wrong(`the entry ${place} is not its own`);
    if (!isSame(entry.embedding, right, ask.encoding)) throw wrong(`the vector ${place} is another`);
  }
  const size = ask.dimensions ?? model.dimensions;
  if (!headers.get("x-embedding-space")?.endsWith(`@${size}`)) throw wrong("the space is not told");
  // The ledger's row is used to judge how many are right.
  if (usage.prompt_tokens !== usage.total_tokens) throw wrong("the two counts of tokens differ");
  return usage.prompt_tokens;
}

interface Answer {
  readonly model: string;
  readonly data: readonly {
    readonly object: unknown;
    readonly index: unknown;
    readonly embedding: unknown;
  }[];
  readonly usage: { readonly prompt_tokens: number; readonly total_tokens: number };
}

function answerOf(body: unknown, wrong: (what: string) => Breach): Answer {
  if (!isAnswer(body)) throw wrong("the answer is not of OpenAI's shape");
  return body;
}

const isAnswer = (body: unknown): body is Answer =>
  typeof body === "object" &&
  body !== null &&
  "object" in body &&
  body.object === "list" &&
  "model" in body &&
  "data" in body &&
  Array.isArray(body.data) &&
  "usage" in body &&
  typeof body.usage === "object";

/** Bit for bit, in the requested encoding. */
function isSame(embedding: unknown, right: Float32Array, encoding: Ask["encoding"]): boolean {
  if (encoding === "base64") return embedding === base64Of(right);
  return (
    Array.isArray(embedding) &&
    embedding.length === right.length &&
    embedding.every((value, i) => typeof value === "number" && Object.is(Math.fround(value), right[i]))
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Breach("every answer is JSON", text.slice(0, 300));
  }
}
