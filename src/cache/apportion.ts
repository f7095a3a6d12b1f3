/**
 * A provider counts the tokens of a whole call; the cache, and a request that shares the call, need them by input.
 * Whole numbers that add up to exactly what was counted, so that no token is lost or made. A fairer share is another weight.
 */
import { GatewayError } from "../domain/errors";
import type { Input } from "../plugin";
import type { Count } from "../tokens/count";

/** The tokens of each input of a call: where they are not known, the call's count is divided by the inputs' bytes. */
export function sharesOf(
  { tokens, tokensByInput }: Pick<Count, "tokens"> & Partial<Count>,
  pieces: readonly { readonly input: Input }[],
): readonly number[] {
  return (
    tokensByInput ??
    apportion(
      tokens,
      pieces.map(({ input }) => (typeof input === "string" ? Buffer.byteLength(input) : input.length)),
    )
  );
}

/**
 * `total` divided in proportion to the weights: each share is its exact one rounded down, and what is left over goes to the largest
 * remainders, of equal ones the earlier. Where all weights are 0, as even as can be.
 * @param weights whole numbers, such as an estimate of each input's tokens
 * @throws GatewayError internal for a number that is not whole, is below 0 or is past 2⁵³, and for a total that has nowhere to go
 */
export function apportion(total: number, weights: readonly number[]): number[] {
  for (const number of [total, ...weights]) {
    if (!Number.isSafeInteger(number) || number < 0) throw fault(`${number} is no count to divide by`);
  }
  if (weights.length === 1) return [total];
  if (weights.length === 0) {
    if (total > 0) throw fault(`${total} tokens belong to no input`);
    return [];
  }
  const even = weights.every((weight) => weight === 0);
  // A total times a weight can be past what a number holds exactly.
  const exact = weights.map((weight) => (even ? 1n : BigInt(weight)));
  const sum = exact.reduce((before, weight) => before + weight, 0n);
  const products = exact.map((weight) => BigInt(total) * weight);
  const shares = products.map((product) => Number(product / sum));
  const remainders = products.map((product) => product % sum);
  const left = total - shares.reduce((before, share) => before + share, 0);
  // A stable sort: of equal remainders the earlier place stays first. Fewer are left than there are places with a remainder.
  const byRemainder = [...shares.keys()].sort((a, b) => compare(remainders[b] ?? 0n, remainders[a] ?? 0n));
  for (const place of byRemainder.slice(0, left)) shares[place] = (shares[place] ?? 0) + 1;
  return shares;
}

const compare = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);

const fault = (what: string) => new GatewayError("internal", `Tokens cannot be divided: ${what}.`);
