/**
 * Embeds one chunk: transient errors are retried with exponential backoff, and a text that the provider refuses is removed from its chunk, so
 * that the others are embedded. An error that is not about a single text is thrown.
 */
import { asGatewayError, type ErrorKind, GatewayError } from "../domain/errors";
import type { Outside } from "../domain/outside";
import type { Sender, Sent } from "./sender";

/** Transient: worth another attempt, now or later. */
export const TRANSIENT: ReadonlySet<ErrorKind> = new Set<ErrorKind>([
  "rate_limited",
  "overloaded",
  "unavailable",
  "timeout",
  "deadline",
  "malformed",
  "busy",
  "database_unavailable",
  "ledger_unavailable",
]);

/** About a single text. */
const OF_A_TEXT: ReadonlySet<ErrorKind> = new Set<ErrorKind>([
  "invalid",
  "input_too_long",
  "empty_input_refused",
  "cut_silently",
  "no_vector",
  "too_many_tokens",
  "too_large",
]);

const BACKOFF_FIRST_MS = 1_000;
const BACKOFF_MAX_MS = 60_000;
/** Some eight minutes of an upstream outage. */
const ATTEMPTS_MAX = 13;

export interface Embedded {
  /** One per text: its vector, or the reason why there is none. */
  readonly outcomes: readonly (Float32Array | string)[];
  readonly tokens: number;
  readonly tokensBilled: number;
  readonly truncated: number;
  readonly space: string;
  readonly ignored: string | undefined;
}

export interface Patience {
  readonly outside: Pick<Outside, "sleep" | "random">;
  /** Fires when no further call may start. */
  readonly stop: AbortSignal;
  /** Called at each pause. */
  readonly pausing: (error: GatewayError, ms: number) => void;
}

/** @throws GatewayError that ends the job; the signal's reason */
export async function isolate(
  sender: Pick<Sender, "embed">,
  texts: readonly string[],
  space: string | undefined,
  patience: Patience,
): Promise<Embedded> {
  const outcomes: (Float32Array | string | undefined)[] = texts.map(() => undefined);
  const sum = { tokens: 0, tokensBilled: 0, truncated: 0 };
  let last: Pick<Sent, "space" | "ignored"> = { space: "", ignored: undefined };
  /** Groups of indices that are still to be sent. */
  const waiting: (readonly number[])[] = [texts.map((_, place) => place)];
  for (let places = waiting.pop(); places !== undefined; places = waiting.pop()) {
    if (places.length === 0) continue;
    const asked = places.map((place) => texts[place] ?? "");
    try {
      const sent = await patiently(sender, asked, space ?? (last.space || undefined), patience);
      for (const [at, place] of places.entries()) outcomes[place] = sent.vectors[at];
      sum.tokens += sent.tokens;
      sum.tokensBilled += sent.tokensBilled;
      sum.truncated += sent.truncated;
      last = sent;
    } catch (thrown) {
      const error = asGatewayError(thrown);
      if (!isOfAText(error)) throw thrown;
      const fault = places.length === 1 ? 0 : error.input;
      const place = fault === undefined ? undefined : places[fault];
      if (place === undefined) {
        const middle = Math.ceil(places.length / 2);
        waiting.push(places.slice(middle), places.slice(0, middle));
      } else {
        outcomes[place] = error.message;
        waiting.push(places.filter((one) => one !== place));
      }
    }
  }
  return { outcomes: outcomes.map((one) => one ?? "it was not embedded"), ...sum, ...last };
}

/** A refused request field affects every text alike. */
function isOfAText({ kind, field }: GatewayError): boolean {
  return OF_A_TEXT.has(kind) && (field === undefined || /^input(\[|$)/.test(field));
}

async function patiently(
  sender: Pick<Sender, "embed">,
  texts: readonly string[],
  space: string | undefined,
  { outside, stop, pausing }: Patience,
): Promise<Sent> {
  for (let attempt = 1; ; attempt++) {
    try {
      const sent = await sender.embed(texts, space);
      if (sent.vectors.length === texts.length) return sent;
      throw new GatewayError(
        "internal",
        `${texts.length} texts were sent, and ${sent.vectors.length} vectors came.`,
      );
    } catch (thrown) {
      const error = asGatewayError(thrown);
      if (!TRANSIENT.has(error.kind) || attempt >= ATTEMPTS_MAX || stop.aborted) throw thrown;
      const backoff = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** (attempt - 1));
      const ms = error.retryAfterMs ?? Math.round(backoff * (0.5 + outside.random() / 2));
      pausing(error, ms);
      await outside.sleep(ms, stop);
    }
  }
}
