/**
 * A provider counts the tokens of a whole call; the cache, and a request that shares the call, need them per input.
 * Divides the count into whole numbers with exactly the same sum, so that no token is lost or made up. A fairer division is another weight.
 */
import { GatewayError } from "../domain/errors";
import type { Input } from "../plugin";
import type { Count } from "../tokens/count";

/** The tokens of each input of a call: if unknown, the call's count is divided by the inputs' bytes. */
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
 * Divides `total` in proportion to the weights: each share is rounded down, and the rest goes to the largest
 * remainders, and among equal remainders to the earlier ones. If all weights are 0, it is divided as evenly as possible.
 * @param weights whole numbers, such as an estimate of each input's tokens
 * @throws GatewayError internal for a number that is not whole, is negative or exceeds 2⁵³, and for a total without any share
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
  const parts = weights.every((weight) => weight === 0) ? weights.map(() => 1) : weights;
  const sum = parts.reduce((before, weight) => before + weight, 0);
  const { shares, remainders } =
    total * sum <= Number.MAX_SAFE_INTEGER ? dividedAsNumbers(total, parts, sum) : divided(total, parts);
  const left = total - shares.reduce((before, share) => before + share, 0);
  if (left === 0) return shares;
  // A stable sort: among equal remainders the earlier one stays first. Fewer tokens are left than there are remainders.
  const byRemainder = [...shares.keys()].sort((a, b) => compare(remainders[b] ?? 0, remainders[a] ?? 0));
  for (const place of byRemainder.slice(0, left)) shares[place] = (shares[place] ?? 0) + 1;
  return shares;
}

/** Used if every product is exact as a number, which is nearly always so: BigInts would be several objects per text. */
function dividedAsNumbers(total: number, weights: readonly number[], sum: number) {
  const remainders = weights.map((weight) => (total * weight) % sum);
  const shares = weights.map((weight, place) => (total * weight - (remainders[place] ?? 0)) / sum);
  return { shares, remainders };
}

/** A total times a weight can exceed what a number represents exactly. */
function divided(total: number, weights: readonly number[]) {
  const exact = weights.map((weight) => BigInt(weight));
  const sum = exact.reduce((before, weight) => before + weight, 0n);
  const products = exact.map((weight) => BigInt(total) * weight);
  return {
    shares: products.map((product) => Number(product / sum)),
    remainders: products.map((product) => product % sum),
  };
}

const compare = (a: bigint | number, b: bigint | number): number => (a < b ? -1 : a > b ? 1 : 0);

const fault = (what: string) => new GatewayError("internal", `Tokens cannot be divided: ${what}.`);
