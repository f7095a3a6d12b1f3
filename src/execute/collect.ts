/**
 * Step 6: puts the answered parts together into inputs. Each input is passed on as soon as all of its pieces have arrived.
 * What an answer says about one input besides its vector is a member of `Embedded`, and is put together here.
 */

import { sharesOf } from "../cache/apportion";
import { GatewayError } from "../domain/errors";
import type { Answered, Embedded, Piece, Plan } from "../domain/request";
import { inSlices, type Slicing } from "../domain/slices";
import { lengthOf } from "./assemble";

export interface Collection {
  /**
   * Adds a part's answer, a large one in slices.
   * @param take is given the inputs that are complete now, by their index in the request
   * @returns undefined if all was done at once
   * @throws GatewayError internal for a piece that is not in the plan or arrives twice: a bug of ours that must not become a wrong vector
   */
  add(answered: Answered, take: Take, slicing: Slicing): Promise<void> | undefined;
  /** @throws GatewayError internal if an input of the plan is incomplete */
  assertComplete(): void;
}

type Take = (complete: ReadonlyMap<number, Embedded>) => void;

export function collect(plan: Plan): Collection {
  const answers = new Map<Piece, Embedded | undefined>(plan.pieces.map((piece) => [piece, undefined]));
  const piecesOf = Map.groupBy(plan.pieces, ({ place }) => place);
  const cut = new Set(plan.truncated);
  const complete = new Set<number>();
  let size: number | undefined;

  function keepAnswers(answered: Answered, shares: readonly number[], from: number, to: number): void {
    const { part, vectors, typed, tokensSource, tokensByInput, truncated, averaged } = answered;
    for (let i = from; i < to; i++) {
      const piece = part.pieces[i];
      const values = vectors[i];
      if (
        piece === undefined ||
        values === undefined ||
        !answers.has(piece) ||
        answers.get(piece) !== undefined
      )
        throw lost();
      size ??= values.length;
      if (values.length !== size) throw lost();
      answers.set(piece, {
        values,
        ...(typed && { typed: typed[i] }),
        tokens: shares[i] ?? 0,
        tokensSource,
        tokensShared: tokensByInput === undefined && part.pieces.length > 1,
        truncated: truncated.includes(i),
        averaged: averaged.includes(i),
      });
    }
  }

  /** undefined while a piece is missing. */
  function embedded(place: number): Embedded | undefined {
    const pieces = piecesOf.get(place) ?? [];
    const own: { readonly piece: Piece; readonly answer: Embedded }[] = [];
    for (const piece of pieces) {
      const answer = answers.get(piece);
      if (answer === undefined) return undefined;
      own.push({ piece, answer });
    }
    const [first] = own;
    if (first === undefined) return undefined;
    const whole = own.length === 1;
    return {
      values: whole
        ? first.answer.values
        : averageOf(
            own.map(({ piece, answer }) => ({ values: answer.values, weight: piece.weight })),
            place,
            plan.keepsLength ?? false,
          ),
      // A text in several pieces has float vectors only: the plan refuses other types.
      ...(first.answer.typed && { typed: first.answer.typed }),
      tokens: own.reduce((sum, { answer }) => sum + answer.tokens, 0),
      tokensSource: first.answer.tokensSource,
      tokensShared: own.some(({ answer }) => answer.tokensShared),
      truncated: cut.has(place) || own.some(({ answer }) => answer.truncated),
      averaged: !whole || first.answer.averaged,
    };
  }

  function completed(pieces: readonly Piece[], from: number, to: number): ReadonlyMap<number, Embedded> {
    const done = new Map<number, Embedded>();
    for (let i = from; i < to; i++) {
      const place = pieces[i]?.place;
      if (place === undefined || complete.has(place)) continue;
      const whole = embedded(place);
      if (whole === undefined) continue;
      complete.add(place);
      done.set(place, whole);
    }
    return done;
  }

  return {
    add(answered, take, slicing) {
      const { pieces } = answered.part;
      if (answered.vectors.length !== pieces.length) throw lost();
      const shares = sharesOf(answered, pieces);
      return inSlices(
        pieces.length,
        (from, to) => {
          keepAnswers(answered, shares, from, to);
          take(completed(pieces, from, to));
        },
        slicing,
      );
    },
    assertComplete() {
      if (complete.size !== piecesOf.size) throw lost();
    },
  };
}

/** The mean of the pieces' vectors, weighted by tokens, at unit length if the pieces' vectors are: the vendors' own advice for long texts. */
function averageOf(
  pieces: readonly { readonly values: Float32Array; readonly weight: number }[],
  place: number,
  keepsLength: boolean,
): Float32Array {
  const sum = new Float64Array(pieces[0]?.values.length ?? 0);
  for (const { values, weight } of pieces) {
    for (const [i, value] of values.entries()) sum[i] = (sum[i] ?? 0) + value * weight;
  }
  // In double precision throughout: a sum of large float32 values overflows float32.
  const norm = lengthOf(sum);
  // The pieces cancel each other out: no vector would be right.
  if (norm === 0) {
    throw new GatewayError("malformed", "The vectors of its pieces have no mean.", { input: place });
  }
  const divisor = keepsLength ? pieces.reduce((total, { weight }) => total + weight, 0) : norm;
  return Float32Array.from(sum, (value) => value / divisor);
}

const lost = () =>
  new GatewayError("internal", "The gateway lost track of which vector belongs to which input.");
