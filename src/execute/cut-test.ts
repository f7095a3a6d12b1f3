/**
 * Whether a server cuts texts without a word, where its usage proves nothing (infinity-emb 0.0.78 counts characters, others say nothing): two long
 * texts that differ only at their end get one vector. Tried once for a model at a provider of whose limit nobody knows, with the first long text;
 * a server that cuts is asked some more, for where. Another sign of a cut, the count itself, is in src/tokens/belief.ts.
 */
import { GatewayError } from "../domain/errors";
import type { Health } from "../domain/health";
import type { Part, Piece, Target } from "../domain/request";
import type { EmbedReply } from "../plugin";
import { countOf } from "../tokens/count";
import { lengthOf } from "./assemble";
import type { Work } from "./work";

/** Of one token each in every vocabulary in use; all texts have so many. */
const WORDS = 600;
/** Beyond this a difference would not be one that is seen in the whole. */
const CUT_MAX = 510;
const BEGINNING = ["rain", "wind", "snow", "storm"];
const END = ["gold", "price", "market", "bank"];

const textOf = (differsFrom: number) =>
  Array.from({ length: WORDS }, (_, i) => (i < differsFrom ? BEGINNING : END)[i % 4]).join(" ");

/** Texts of fewer bytes have no more tokens than most servers look at, by two bytes a token. */
const LONG_BYTES = 512;
/** What float32 and another place in a batch leave. */
const SAME_COSINE_MIN = 0.999_999;

/** One test at a time for each model at a provider. */
const underWay = new WeakMap<Health, Promise<void>>();

/** @returns the tokens of a text that the target looks at; undefined where it is not known to cut, or need not be tried */
export async function cutLimit(
  work: Work,
  target: Target,
  { pieces }: Part,
  { tokens }: EmbedReply,
  ask: (texts: Part) => Promise<EmbedReply>,
): Promise<number | undefined> {
  const { facts, provider, model } = target;
  const health = provider.healthOf(model);
  const mayCut = tokens === undefined && facts.max_input_tokens === undefined && facts.uncounted === "refuse";
  if (!mayCut || provider.countsTokens || !pieces.some(({ input }) => sizeOf(input) > LONG_BYTES))
    return undefined;
  if (health.cutsAt === undefined) {
    const test = underWay.get(health) ?? tried(work, target, health, ask);
    underWay.set(health, test);
    await test.catch((thrown: unknown) => noteRefusal(thrown, health)).finally(() => underWay.delete(health));
  }
  return typeof health.cutsAt === "number" ? health.cutsAt : undefined;
}

/** A server that refuses what is too long cuts nothing; one that failed is tried again with the next long text. */
function noteRefusal(thrown: unknown, health: Health): void {
  if (thrown instanceof GatewayError && thrown.kind === "input_too_long") health.cutsAt = "nowhere";
}

async function tried(
  work: Work,
  target: Target,
  health: Health,
  ask: (texts: Part) => Promise<EmbedReply>,
): Promise<void> {
  const { provider, model } = target;
  const vectorOf = async (text: string) => {
    const pieces: Piece[] = [{ input: text, place: 0, weight: 1 }];
    const reply = await ask({ pieces });
    work.count(countOf({ ...reply, tokens: undefined }, [text]), target);
    return reply.vectors[0]?.values ?? new Float32Array();
  };
  const whole = await vectorOf(textOf(WORDS));
  const looksLike = async (differsFrom: number) =>
    cosineOf(whole, await vectorOf(textOf(differsFrom))) >= SAME_COSINE_MIN;
  if (!(await looksLike(CUT_MAX))) {
    health.cutsAt = "nowhere";
    return;
  }
  let [seen, unseen] = [0, CUT_MAX];
  while (unseen - seen > 1) {
    const middle = (seen + unseen) >> 1;
    if (await looksLike(middle)) unseen = middle;
    else seen = middle;
  }
  health.cutsAt = unseen;
  work.outside.log("warn", "provider truncates long texts silently: longer texts are no longer sent whole", {
    provider: provider.name,
    model,
    max_input_tokens: unseen,
    mend: "say max_input_tokens for the model in the routing file",
  });
}

/** Where no vocabulary is known: no model in use needs more tokens than one for every two bytes of a text of many words. */
const BYTES_A_TOKEN = 2;

/** @throws GatewayError cut_silently for texts that may be longer than the target looks at */
export function refuseLonger({ pieces }: Part, tokensMax: Health["cutsAt"], { model }: Target): void {
  if (typeof tokensMax !== "number") return;
  const index = pieces.findIndex(({ input }) => sizeOf(input) > tokensMax * BYTES_A_TOKEN);
  if (index === -1) return;
  throw new GatewayError(
    "cut_silently",
    `The provider looks at the first ${tokensMax} tokens of a text and says nothing of the rest, of which this one may have some. Send it in shorter pieces, or say tokenizer, where it is a known one, and long_input: truncate or average, for the model '${model}' in the routing file.`,
    { tokensMax, input: index },
  );
}

function cosineOf(one: Float32Array, other: Float32Array): number {
  let product = 0;
  for (const [i, value] of one.entries()) product += value * (other[i] ?? 0);
  return product / (lengthOf(one) * lengthOf(other));
}

const sizeOf = (input: Piece["input"]) =>
  typeof input === "string" ? Buffer.byteLength(input) : input.length * BYTES_A_TOKEN;
