/**
 * What the bedrock plugin reads from each family's replies: vectors, their other types, tokens, truncation; some replies are recordings.
 * A reply in another form is a test here.
 */
import { describe, expect, test } from "bun:test";
import type { EmbedCall } from "../../../src/plugin";
import { callFor, failureOf, openSubject } from "../conformance/subject";
import { bedrockVendor } from "../vendors/bedrock";
import { bitsOf, inType } from "../vendors/bedrock-models";
import { COHERE, COHERE4, NOVA, subject, subjectOf, TITAN } from "./subject";

describe("each family's reply", () => {
  const replyOf = async (model: string, inputs: readonly string[], call: Partial<EmbedCall> = {}) => {
    const { upstream } = openSubject(subjectOf(model));
    return upstream.embed(callFor(subject, inputs, { ...call, model }));
  };
  const exact = (text: string, size: number) =>
    bedrockVendor(size === 1536 ? COHERE4 : COHERE).vectorOf(text);

  test("Titan's has its tokens in the body, and one number per bit", async () => {
    const reply = await replyOf(TITAN, ["one two"], { types: ["binary"] });
    const values = exact("one two", 1024);
    expect(reply).toMatchObject({ tokens: 2, tokensSource: "provider", truncated: [] });
    expect(reply.vectors).toEqual([{ index: 0, values, typed: { binary: Uint8Array.from(bitsOf(values)) } }]);
  });

  test("Titan's without its first float vector, as for binary only, has it by type", async () => {
    const { upstream, network } = openSubject(subjectOf(TITAN));
    network.answer(() => Response.json({ embeddingsByType: { float: [0.6, 0.8] }, inputTextTokenCount: 3 }));
    const { vectors } = await upstream.embed(callFor(subject, ["a"], { model: TITAN }));
    expect(vectors).toEqual([{ index: 0, values: Float32Array.of(0.6, 0.8) }]);
    network.answer(() => Response.json({ embeddingsByType: { binary: [0, 1, 0] }, inputTextTokenCount: 3 }));
    const failure = await failureOf(upstream.embed(callFor(subject, ["a"], { model: TITAN })));
    expect(failure.kind).toBe("malformed");
  });

  test.each([COHERE, COHERE4])(
    "%s has its tokens in the header, its types beside one another",
    async (model) => {
      const types = ["int8", "uint8", "binary", "ubinary"] as const;
      const reply = await replyOf(model, ["one", "two words"], { types });
      expect(reply).toMatchObject({ tokens: 3, tokensSource: "header" });
      const values = exact("two words", model === COHERE ? 1024 : 1536);
      expect(reply.vectors[1]).toEqual({
        index: 1,
        values,
        typed: {
          int8: Int8Array.from(inType("int8", values)),
          uint8: Uint8Array.from(inType("uint8", values)),
          binary: Int8Array.from(inType("binary", values)),
          ubinary: Uint8Array.from(inType("ubinary", values)),
        },
      });
    },
  );

  test("Cohere's fourth version, as recorded, is read; without the header there is no count", async () => {
    const { upstream, network } = openSubject(subjectOf(COHERE4));
    // vercel/ai, amazon-bedrock-cohere-v4-application-inference-profile.json, its vectors cut short.
    const recorded =
      '{"id":"53bf59b8-fc3c-4376-96dc-239d47b47a41","texts":["hello","world"],"embeddings":{"float":[[0.037705604,0.032946646],[-0.01435137,-0.037313562]]},"response_type":"embeddings_by_type"}';
    network.answer(() => new Response(recorded));
    const reply = await upstream.embed(callFor(subject, ["hello", "world"], { model: COHERE4 }));
    expect(reply.tokens).toBeUndefined();
    expect(reply.vectors[1]?.values).toEqual(Float32Array.of(-0.01435137, -0.037313562));
  });

  test("a number outside of its type's range is refused", async () => {
    const { upstream, network } = openSubject(subject);
    network.answer(() => Response.json({ embeddings: { float: [[1]], int8: [[128]] } }));
    const call = callFor(subject, ["a"], { types: ["int8"] });
    expect((await failureOf(upstream.embed(call))).kind).toBe("malformed");
    network.answer(() => Response.json({ embeddings: { float: [[1]], int8: [[1], [2]] } }));
    expect((await failureOf(upstream.embed(call))).kind).toBe("malformed");
  });

  test("Nova reports truncation", async () => {
    const reply = await replyOf(NOVA, [" word".repeat(9000)], { fields: { truncate: "END" } });
    expect(reply).toMatchObject({ tokens: 9000, tokensSource: "header", truncated: [0] });
  });

  test.each([
    ["END", "ab".repeat(1024)],
    ["START", "ba".repeat(1024)],
  ])(
    "what Cohere's third cannot be sent, whatever it would cut, is cut before: %s",
    async (truncate, kept) => {
      const { upstream, network } = openSubject(subject);
      const text = truncate === "END" ? `${kept}${"x".repeat(500)}` : `${"x".repeat(500)}${kept}`;
      const reply = await upstream.embed(callFor(subject, ["short", text], { fields: { truncate } }));
      expect(JSON.parse(network.requests[0]?.body ?? "").texts).toEqual(["short", kept]);
      expect(reply.truncated).toEqual([1]);
    },
  );

  test("a character is never split", async () => {
    const { upstream, network } = openSubject(subject);
    await upstream.embed(callFor(subject, [`a${"🦜".repeat(2000)}`], { fields: { truncate: "END" } }));
    expect(JSON.parse(network.requests[0]?.body ?? "").texts).toEqual([`a${"🦜".repeat(1023)}`]);
  });
});
