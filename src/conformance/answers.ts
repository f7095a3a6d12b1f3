/**
 * What a plugin answers while its upstream works: one vector per input, provably the input's own, and the source of the token count.
 * A new member of `EmbedReply` is checked here.
 */

import { completeFacts } from "../domain/facts";
import { prove } from "../execute/assemble";
import type { EmbedReply, Upstream, VectorType } from "../plugin";
import { agreement } from "../spaces/verdict";
import { addsUp } from "../tokens/count";
import type { Bench, Check } from "./bench";
import { Breach, demand } from "./breach";
import { callFor, failureOf, type Subject } from "./subject";

/** Different from each other, so that a vector in another's place is detected with every model. */
const MANY = [
  "the lighthouse keeper counted ships",
  "copper prices fell again on Tuesday",
  "she plays the cello in a garage",
  "boil the rice for eleven minutes",
  "SELECT name FROM users WHERE id = 7",
].flatMap((text, row) => Array.from({ length: 7 }, (_, column) => `${text}, ${row * 7 + column} times`));
const TEXTS: readonly (readonly [string, readonly string[]])[] = [
  ["one input", ["alone"]],
  ["two inputs", ["a lighthouse in the fog", "the price of copper"]],
  ["many inputs", MANY.slice(0, 33)],
  ["the same input twice", ["again", "the price of copper", "again"]],
  ["inputs of any script", ["naïve café", "日本語の文", "🦜🦜", "line\nbreak\ttab", 'quote " and \\']],
];

/** For a vector that can be recomputed: the error of float32. */
const EXACTLY = 0.9999;
/** For a text that is embedded alone and among others: batches round differently, but change nothing more. */
const ALIKE = 0.999;

export function answersRight(bench: Bench): Check[] {
  const { subject, open, fitting } = bench;
  const alone = new Map<string, Float32Array>();

  /** The right vector of a text, or its vector from a request of its own. */
  async function rightVector(text: string): Promise<Float32Array> {
    const vectorOf = subject.vectorOf ?? subject.vendor?.vectorOf;
    const known = vectorOf?.(text) ?? alone.get(text);
    if (known) return known;
    const { upstream } = open();
    const [vector = new Float32Array()] = inOrder(await upstream.embed(callFor(subject, [text])), 1);
    await upstream.close?.();
    alone.set(text, vector);
    return vector;
  }

  async function demandItsOwn(vector: Float32Array, text: string, place: string): Promise<void> {
    const right = await rightVector(text);
    demand(
      vector.length === right.length,
      `The vector at ${place} has ${vector.length} dimensions, expected ${right.length}.`,
    );
    const least = (subject.vectorOf ?? subject.vendor?.vectorOf) ? EXACTLY : ALIKE;
    const cosine = agreement([vector], [right]);
    demand(
      cosine >= least,
      `The vector at ${place} belongs to another text (cosine ${cosine.toFixed(4)}): ` +
        "return each vector with the index of its input, and check that batching does not change vectors.",
    );
  }

  return [
    ...TEXTS.map(
      ([of, texts]): Check => ({
        name: "one vector for each input, at the right index",
        of,
        asks: true,
        async run() {
          const sent = fitting(texts);
          const { upstream } = open();
          const vectors = inOrder(await upstream.embed(callFor(subject, sent)), sent.length);
          for (const [place, text] of sent.entries())
            await demandItsOwn(vectors[place] ?? new Float32Array(), text, `index ${place}`);
          await upstream.close?.();
        },
      }),
    ),
    {
      name: "concurrent calls do not mix up vectors",
      asks: true,
      async run() {
        const { upstream } = open();
        const [a, b, c] = [MANY[0] ?? "", MANY[7] ?? "", MANY[14] ?? ""];
        const batches = [[a, b], [b, a], [c]].map(fitting);
        const replies = await Promise.all(batches.map((batch) => upstream.embed(callFor(subject, batch))));
        for (const [i, batch] of batches.entries()) {
          const reply = replies[i];
          if (!reply) throw new Breach("One of several concurrent calls got no reply.");
          const vectors = inOrder(reply, batch.length);
          for (const [place, text] of batch.entries())
            await demandItsOwn(
              vectors[place] ?? new Float32Array(),
              text,
              `index ${place} of one call of three`,
            );
        }
        await upstream.close?.();
      },
    },
    {
      name: "the reply passes the gateway's checks",
      asks: true,
      async run() {
        const { upstream } = open();
        const texts = fitting(MANY);
        proveReply(subject, await upstream.embed(callFor(subject, texts)), texts, upstream);
        await upstream.close?.();
      },
    },
    {
      name: "each vector type that describe() names is returned in addition to float",
      asks: true,
      async run() {
        const { upstream } = open();
        const types = upstream.describe?.(subject.model)?.embedding_types ?? [];
        const texts = fitting(MANY);
        if (types.length > 0) {
          const reply = await upstream.embed(callFor(subject, texts, { types }));
          proveReply(subject, reply, texts, upstream, types);
        }
        await upstream.close?.();
        return types.length === 0 ? "describe() names no vector type other than float" : undefined;
      },
    },
    {
      name: "tokens is an integer with a tokensSource, or undefined if unknown",
      asks: true,
      async run() {
        const { upstream } = open();
        const texts = fitting(["three small words", "two more"]);
        const { tokens, tokensSource, tokensByInput } = await upstream.embed(callFor(subject, texts));
        demand(
          ["provider", "header", "counted"].includes(tokensSource),
          `tokensSource is ${JSON.stringify(tokensSource)}: it must be "provider", "header" or "counted".`,
        );
        demand(
          tokens === undefined || (Number.isSafeInteger(tokens) && tokens > 0),
          `tokens is ${JSON.stringify(tokens)}: expected an integer above zero, or undefined if unknown.`,
        );
        demand(
          tokensByInput === undefined || addsUp(tokensByInput, tokens, texts),
          `tokensByInput is ${JSON.stringify(tokensByInput)}: expected an integer for each input, which add up to tokens (${tokens}).`,
        );
        const right = subject.vendor?.tokensOf?.(texts);
        demand(
          !subject.vendor?.tokensOf || tokens === right,
          `tokens is ${tokens}, but the upstream said ${right}.`,
        );
        await upstream.close?.();
      },
    },
    {
      name: "a call with an aborted signal is rejected",
      async run() {
        const { upstream, network } = open();
        const gone = new Error("the client has gone");
        const call = callFor(subject, ["never sent"], { signal: AbortSignal.abort(gone) });
        const thrown = await upstream.embed(call).then(
          () => new Breach("It answered a call whose signal was aborted: pass call.signal to host.post."),
          (reason: unknown) => reason,
        );
        if (thrown !== gone) await failureOf(Promise.reject(thrown));
        demand(network.requests.length <= 1, "It sent more requests after the signal was aborted.");
        await upstream.close?.();
      },
    },
  ];
}

/** The check that every reply passes in the gateway. @throws GatewayError malformed */
export function proveReply(
  { model }: Pick<Subject, "model">,
  reply: EmbedReply,
  texts: readonly string[],
  upstream: Pick<Upstream, "describe">,
  types: readonly VectorType[] = [],
): readonly Float32Array[] {
  const facts = completeFacts(upstream.describe?.(model));
  const pieces = texts.map((input, place) => ({ input, place, weight: 1 }));
  const plan = { requestedDimensions: undefined, dimensions: facts.dimensions, types };
  return prove(reply, { pieces }, plan, { model, facts, provider: { name: "the plugin" } }).vectors;
}

/** The reply's vectors by index; every index exactly once, each a Float32Array of finite numbers. */
function inOrder({ vectors }: EmbedReply, count: number): readonly Float32Array[] {
  demand(Array.isArray(vectors), "The reply has no list `vectors`.");
  demand(
    vectors.length === count,
    `It returned ${vectors.length} vectors for ${count} inputs: there must be one for each.`,
  );
  const places = vectors.map(({ index }) => index).sort((a, b) => a - b);
  demand(
    places.every((index, place) => index === place),
    `The indices of its vectors are ${places.join(", ").slice(0, 100)}: expected each of 0 to ${count - 1} once.`,
  );
  for (const { values } of vectors) {
    demand(values instanceof Float32Array, "A vector is not a Float32Array: make it with host.vector(…).");
    demand(values.length > 0, "A vector is empty.");
    demand(values.every(Number.isFinite), "A vector holds a number that is not finite.");
  }
  return [...vectors].sort((a, b) => a.index - b.index).map(({ values }) => values);
}
