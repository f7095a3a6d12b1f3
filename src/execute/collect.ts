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

/** The pieces of one input, and their answers in the same order. */
class Gathering {
  readonly pieces: Piece[] = [];
  readonly answers: (Embedded | undefined)[] = [];
  missing = 0;
  isTold = false;

  add(piece: Piece): void {
    this.pieces.push(piece);
    this.answers.push(undefined);
    this.missing += 1;
  }

  /** @throws GatewayError internal for a piece of another input, or one that has its answer */
  answer(piece: Piece, answer: Embedded): void {
    const place = this.pieces.indexOf(piece);
    if (place === -1 || this.answers[place] !== undefined) throw lost();
    this.answers[place] = answer;
    this.missing -= 1;
  }
}

export function collect(plan: Plan): Collection {
  return new OfPlan(plan);
}

class OfPlan implements Collection {
  /** By the input's index in the request. */
  private readonly gatherings = new Map<number, Gathering>();
  /** The inputs that were cut before they were sent. */
  private readonly cut: ReadonlySet<number> | undefined;
  private told = 0;
  private size: number | undefined;

  constructor(private readonly plan: Plan) {
    for (const piece of plan.pieces) {
      let gathering = this.gatherings.get(piece.place);
      if (!gathering) {
        gathering = new Gathering();
        this.gatherings.set(piece.place, gathering);
      }
      gathering.add(piece);
    }
    this.cut = plan.truncated.length > 0 ? new Set(plan.truncated) : undefined;
  }

  add(answered: Answered, take: Take, slicing: Slicing): Promise<void> | undefined {
    const { pieces } = answered.part;
    if (answered.vectors.length !== pieces.length) throw lost();
    const shares = sharesOf(answered, pieces);
    return inSlices(
      pieces.length,
      (from, to) => {
        this.keepAnswers(answered, shares, from, to);
        take(this.completed(pieces, from, to));
      },
      slicing,
    );
  }

  assertComplete(): void {
    if (this.told !== this.gatherings.size) throw lost();
  }

  private keepAnswers(answered: Answered, shares: readonly number[], from: number, to: number): void {
    const { part, vectors, typed, tokensSource, tokensByInput, truncated, averaged } = answered;
    for (let i = from; i < to; i++) {
      const piece = part.pieces[i];
      const values = vectors[i];
      const gathering = piece && this.gatherings.get(piece.place);
      if (piece === undefined || values === undefined || gathering === undefined) throw lost();
      this.size ??= values.length;
      if (values.length !== this.size) throw lost();
      gathering.answer(piece, {
        values,
        typed: typed?.[i],
        tokens: shares[i] ?? 0,
        tokensSource,
        tokensShared: tokensByInput === undefined && part.pieces.length > 1,
        truncated: truncated.includes(i) || (this.cut?.has(piece.place) ?? false),
        averaged: averaged.includes(i),
      });
    }
  }

  private completed(pieces: readonly Piece[], from: number, to: number): ReadonlyMap<number, Embedded> {
    const done = new Map<number, Embedded>();
    for (let i = from; i < to; i++) {
      const place = pieces[i]?.place;
      const gathering = place === undefined ? undefined : this.gatherings.get(place);
      if (place === undefined || gathering === undefined || gathering.isTold) continue;
      const whole = this.embedded(place, gathering);
      if (whole === undefined) continue;
      gathering.isTold = true;
      this.told += 1;
      done.set(place, whole);
    }
    return done;
  }

  /** undefined while a piece is missing. */
  private embedded(place: number, { pieces, answers, missing }: Gathering): Embedded | undefined {
    const [first] = answers;
    if (missing > 0 || first === undefined) return undefined;
    if (answers.length === 1) return first;
    const own = answers.filter((answer) => answer !== undefined);
    return {
      values: averageOf(
        own.map(({ values }, i) => ({ values, weight: pieces[i]?.weight ?? 0 })),
        place,
        this.plan.keepsLength ?? false,
      ),
      // A text in several pieces has float vectors only: the plan refuses other types.
      typed: first.typed,
      tokens: own.reduce((sum, { tokens }) => sum + tokens, 0),
      tokensSource: first.tokensSource,
      tokensShared: own.some(({ tokensShared }) => tokensShared),
      truncated: own.some(({ truncated }) => truncated),
      averaged: true,
    };
  }
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
