/** Which measured embedding spaces are close to one, by the cosines between the two spaces' vectors of the same probe texts. */
import { cosineOf } from "../../domain/cosine";
import type { Fingerprint } from "../../domain/fingerprint";

export interface Neighbour {
  readonly space: string;
  readonly cosine: number;
  readonly cosine_min: number;
}

const NEAREST = 5;
/** Callers choose the ids under a pattern, so only this many spaces are compared. */
const COMPARED_MAX = 200;

/** Spaces with the same dimensions, the nearest first. */
export function neighboursOf(own: Fingerprint, all: readonly Fingerprint[]): Neighbour[] {
  return all
    .filter(({ space, dimensions }) => space !== own.space && dimensions === own.dimensions)
    .slice(0, COMPARED_MAX)
    .flatMap((other) => {
      const cosines = own.vectors.flatMap((vector, i) => {
        const theirs = other.vectors[i];
        return vector && theirs ? [cosineOf(vector, theirs) ?? 0] : [];
      });
      if (cosines.length === 0) return [];
      const mean = cosines.reduce((sum, one) => sum + one, 0) / cosines.length;
      return [{ space: other.space, cosine: rounded(mean), cosine_min: rounded(Math.min(...cosines)) }];
    })
    .sort((a, b) => b.cosine - a.cosine)
    .slice(0, NEAREST);
}

const rounded = (value: number) => Math.round(value * 100_000) / 100_000;
