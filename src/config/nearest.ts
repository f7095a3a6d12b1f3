/**
 * The known name that somebody probably meant: for "did you mean".
 * Works on any list of names: keys, providers, plugins, models.
 */

/** @returns the nearest of `candidates`, or undefined where none is near enough to be meant. */
export function nearestName(name: string, candidates: Iterable<string>): string | undefined {
  // A very long name is no slip of the finger, and the distance costs length × length.
  if (name.length > 100) return undefined;
  const wanted = name.toLowerCase();
  let nearest: string | undefined;
  // Beyond a third of the letters another word is meant.
  let least = Math.max(1, Math.floor(name.length / 3)) + 1;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - name.length) >= least) continue;
    const distance = editDistance(wanted, candidate.toLowerCase());
    if (distance < least) {
      least = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

/** Letters put in, left out, replaced, or swapped with a neighbour (Damerau and Levenshtein's, restricted). */
export function editDistance(from: string, to: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let i = 1; i <= from.length; i++) {
    const row = [i];
    for (let j = 1; j <= to.length; j++) {
      const same = from[i - 1] === to[j - 1];
      let distance = Math.min((row[j - 1] ?? 0) + 1, (last[j] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1));
      const swapped = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
      if (swapped) distance = Math.min(distance, (beforeLast[j - 2] ?? 0) + 1);
      row.push(distance);
    }
    beforeLast = last;
    last = row;
  }
  return last[to.length] ?? 0;
}
