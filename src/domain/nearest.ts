/**
 * The known name that was probably meant: for "did you mean".
 * Works on any list of names: keys, providers, plugins, models.
 */

/** The most letters compared in one search, a millisecond or two: requests with a wrong name must not delay others. */
const STEPS_MAX = 400_000;

/** @returns the nearest of `candidates`, as far as they were compared, or undefined if none is near enough. */
export function nearestName(name: string, candidates: Iterable<string>): string | undefined {
  // A very long name is not a typo, and the distance costs length × length.
  if (name.length > 100) return undefined;
  const wanted = name.toLowerCase();
  let nearest: string | undefined;
  // With more than a third of the letters different, another word is meant.
  let least = Math.max(1, Math.floor(name.length / 3)) + 1;
  let stepsLeft = STEPS_MAX;
  for (const candidate of candidates) {
    stepsLeft -= 1;
    if (stepsLeft <= 0) break;
    if (Math.abs(candidate.length - name.length) >= least) continue;
    const { distance, steps } = compare(wanted, candidate.toLowerCase(), least);
    stepsLeft -= steps;
    if (distance < least) {
      least = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

/** Letters inserted, deleted, replaced, or swapped with a neighbour (restricted Damerau-Levenshtein distance). */
export function editDistance(from: string, to: string): number {
  return compare(from, to, Math.max(from.length, to.length) + 1).distance;
}

/**
 * Computes only what can lead to a distance below `most`: a band around the diagonal.
 * @returns the distance, or `most` if it is at least that
 */
function compare(from: string, to: string, most: number): { distance: number; steps: number } {
  let steps = 0;
  let beforeLast = new Uint16Array(to.length + 1);
  let last = Uint16Array.from({ length: to.length + 1 }, (_, i) => Math.min(i, most));
  let row = new Uint16Array(to.length + 1);
  let leastBefore = 0;
  for (let i = 1; i <= from.length; i++) {
    const start = Math.max(1, i - most);
    const end = Math.min(to.length, i + most);
    const letter = from.charCodeAt(i - 1);
    const letterBefore = i > 1 ? from.charCodeAt(i - 2) : -1;
    row[start - 1] = start === 1 ? Math.min(i, most) : most;
    let least = row[start - 1] ?? most;
    let left = least;
    let before = start > 1 ? to.charCodeAt(start - 2) : -1;
    for (let j = start; j <= end; j++) {
      const other = to.charCodeAt(j - 1);
      let distance = (last[j - 1] ?? most) + (letter === other ? 0 : 1);
      const above = (last[j] ?? most) + 1;
      if (above < distance) distance = above;
      if (left + 1 < distance) distance = left + 1;
      if (letter === before && letterBefore === other) {
        const swapped = (beforeLast[j - 2] ?? most) + 1;
        if (swapped < distance) distance = swapped;
      }
      if (distance > most) distance = most;
      row[j] = distance;
      if (distance < least) least = distance;
      left = distance;
      before = other;
    }
    // The next row reads one cell further, which is not written yet.
    if (end < to.length) row[end + 1] = most;
    steps += end - start + 1;
    // A swap reads two rows back, nothing further.
    if (least >= most && leastBefore >= most) return { distance: most, steps };
    leastBefore = least;
    [beforeLast, last, row] = [last, row, beforeLast];
  }
  return { distance: last[to.length] ?? most, steps };
}
