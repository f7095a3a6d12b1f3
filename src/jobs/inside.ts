/**
 * Embeds through a gateway inside this process: the same steps as a request, with its ledger row, but without HTTP and JSON.
 */
import { gatewayPolicies } from "../dialects/records";
import { Ending } from "../domain/ending";
import { GatewayError } from "../domain/errors";
import type { Outside } from "../domain/outside";
import type { Caller, Result } from "../domain/request";
import { newRequestId } from "../domain/request-id";
import type { Answer, Arrival } from "../request/embed";
import type { Routes } from "../routes/route";
import { UNVERIFIED } from "../spaces/pin";
import { estimatedTokens } from "../tokens/count";
import { createTokens } from "../tokens/tokens";
import type { Asked, Sender } from "./sender";

/** The parts of a gateway that are needed. */
export interface Inside {
  readonly embed: (arrival: Arrival) => Promise<Answer>;
  readonly routes: () => Routes;
  readonly policies: Parameters<typeof gatewayPolicies>[0];
  readonly caller: Caller;
  readonly close: () => Promise<void>;
}

const NO_LIMIT = Number.MAX_SAFE_INTEGER;

/** @throws GatewayError if the model cannot be requested */
export function openInside(
  inside: Inside,
  asked: Asked,
  outside: Pick<Outside, "now" | "randomBytes">,
): Sender {
  const { facts } = inside.routes().resolve(asked.model);
  const policies = gatewayPolicies(inside.policies);
  const { tokenizer } = facts;
  return {
    through: "routing file",
    treatment: JSON.stringify({
      prompts: facts.prompts,
      default_task: facts.default_task,
      long_input: facts.long_input,
    }),
    facts: {
      price: facts.price,
      dimensions: asked.dimensions ?? facts.dimensions,
      max_inputs: facts.max_inputs,
      max_call_tokens: facts.max_call_tokens,
      max_call_bytes: facts.max_call_bytes,
      prompt_bytes: Math.max(0, ...Object.values(facts.prompts ?? {}).map((text) => Buffer.byteLength(text))),
    },
    async count(texts) {
      if (tokenizer === undefined) return { tokens: estimatedTokens(texts), isExact: false };
      const tokens = createTokens();
      try {
        const counts = await tokens.count(tokenizer, texts, NO_LIMIT);
        return { tokens: counts.reduce((sum, one) => sum + one, 0), isExact: true };
      } finally {
        tokens.close();
      }
    },
    async embed(texts, space) {
      let result: Result | undefined;
      const { headers } = await inside.embed({
        requestId: newRequestId(outside),
        caller: inside.caller,
        speech: () => ({ policies, forced: undefined }),
        decode: () => ({
          request: {
            model: asked.model,
            inputs: texts,
            encoding: "base64",
            dimensions: asked.dimensions,
            user: undefined,
            metadata: undefined,
            extraBody: {},
            fields: asked.fields,
          },
          ignored: [],
          // The job needs the vectors themselves, not the printed answer.
          encode(found) {
            result = found;
            return { encoding: "base64", passages: [] };
          },
        }),
        body: async () => undefined,
        // Millions of texts that occur once would evict entries that other requests need again.
        cacheUse: { find: true, keep: false },
        pinnedSpace: space || undefined,
        ending: new Ending(),
        // The job's own report has the failure.
        failing: () => undefined,
      });
      if (result === undefined) throw new GatewayError("internal", "The gateway answered without a result.");
      const { vectors, tokens, tokensOfHits, tokensOfEmpty, truncated } = result;
      return {
        vectors,
        tokens,
        tokensBilled: tokens - tokensOfHits - tokensOfEmpty,
        truncated: truncated.length,
        space: spaceIn(headers["x-embedding-space"]),
        ignored: headers["x-embedgate-ignored"],
      };
    },
    close: inside.close,
  };
}

/** The header without the dimensions, and without the "unverified" mark: the mark may disappear while a job runs. */
export function spaceIn(header: string | null | undefined): string {
  const named = header?.startsWith(UNVERIFIED) ? header.slice(UNVERIFIED.length) : (header ?? "");
  return named.slice(0, named.lastIndexOf("@") === -1 ? undefined : named.lastIndexOf("@"));
}
