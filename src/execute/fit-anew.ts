/**
 * Handles a text that only the provider knew to be too long. Depending on the model's `long_input` it is cut, or split into pieces whose vectors
 * are averaged, by the limit in the provider's error. Texts known in advance to be too long are handled in src/tokens/long-inputs.ts.
 */

import type { GatewayError } from "../domain/errors";
import type { Embedded, Part, Piece, Prompt, Target } from "../domain/request";
import { fitted, slicesOfUnknown, slicesWithin } from "../tokens/long-inputs";
import { collect } from "./collect";
import type { Work } from "./work";

/** Whether the refused pieces can be shortened to fit. */
export function canFit(error: GatewayError, { plan, route, isSearch }: Work): boolean {
  const isTooLong = error.kind === "input_too_long" || error.kind === "cut_silently";
  if (!isTooLong || isSearch || (error.tokensMax ?? route.facts.max_input_tokens) === undefined) return false;
  return plan.longInput !== "reject" && !plan.indivisible && plan.types === undefined;
}

/** A slice may have more tokens per byte than the whole text, and the model's special tokens take room. */
const ROOM = 0.9;
const MARKS_MAX = 8;

/**
 * @param piece a piece that was refused on its own
 * @param embed sends its argument as a part like any other, and passes the results to the work that it is given
 */
export async function fitAnew(
  work: Work,
  piece: Piece,
  target: Target,
  error: GatewayError,
  embed: (work: Work, part: Part) => Promise<void>,
): Promise<void> {
  const { plan } = work;
  const tokensMax = error.tokensMax ?? target.facts.max_input_tokens ?? 0;
  const slices =
    (await slicesByVocabulary(work, piece, target, tokensMax)) ??
    slicesOf(piece, error.tokens, tokensMax, plan.prompt);
  if (slices.length === 0 || slices[0]?.input === piece.input) throw error;
  work.outside.log("info", "text cut or split to fit the provider's learned input limit", {
    provider: target.provider.name,
    model: target.model,
    max_input_tokens: tokensMax,
    long_input: plan.longInput,
  });
  const isCut = plan.longInput === "truncate";
  const pieces = isCut ? slices.slice(0, 1) : slices;
  const collection = collect({ ...plan, pieces, truncated: isCut ? [piece.place] : [] });
  await embed(
    {
      ...work,
      take(answered) {
        const { provider } = answered;
        const takeWhole = ({ values, tokens, tokensSource }: Embedded) =>
          work.take(
            {
              part: { pieces: [piece] },
              provider,
              vectors: [values],
              tokens,
              tokensSource,
              tokensByInput: [tokens],
              truncated: isCut ? [0] : [],
              averaged: isCut ? [] : [0],
            },
            target,
          );
        // One text is never so large that it is taken in slices.
        return collection.add(answered, (complete) => complete.forEach(takeWhole), work.outside);
      },
    },
    { pieces },
  );
  collection.assertComplete();
}

/** As much of the text as fits by the model's own token count; undefined if its vocabulary is unknown or says that the text fits. */
async function slicesByVocabulary(
  { plan, outside, signal, route }: Work,
  piece: Piece,
  { facts }: Target,
  tokensMax: number,
): Promise<readonly Piece[] | undefined> {
  if (facts.tokenizer === undefined || !outside.tokens || typeof piece.input !== "string") return undefined;
  const long_input = plan.longInput;
  const limited = { ...route, facts: { ...facts, long_input, max_input_tokens: tokensMax } };
  const { pieces, truncated } = await fitted([piece], limited, outside.tokens, {
    signal,
    prompt: plan.prompt,
  });
  return pieces.length > 1 || truncated.length > 0 ? pieces : undefined;
}

function slicesOf(
  { input, place }: Piece,
  tokens: number | undefined,
  tokensMax: number,
  prompt: Prompt | undefined,
): Piece[] {
  const most = Math.max(1, tokensMax - MARKS_MAX);
  if (typeof input !== "string") {
    const slices: Piece[] = [];
    for (let from = 0; from < input.length; from += most) {
      const ids = input.subarray(from, from + most);
      slices.push({ input: ids, place, weight: ids.length });
    }
    return slices;
  }
  // If the provider does not report how many tokens the text has, any part of it may have many tokens per byte.
  const slices =
    tokens === undefined
      ? slicesOfUnknown(input, most, prompt)
      : slicesWithin(input, Math.floor(most * (Buffer.byteLength(input) / tokens) * ROOM), prompt);
  return slices.map((slice) => ({ input: slice.input, place, weight: slice.tokens }));
}
