/** What each of several providers counted for one request, as in the ledger's column `by_provider`: [[name, tokens, pico-USD], ...]. */
export interface Share {
  readonly provider: string;
  readonly tokens: number;
  readonly picoUsd: bigint;
}

/** Pico-USD of one request stay below 2⁵³ only up to 9,000 USD, so JSON.parse would lose digits beyond: parsed by hand. */
const SHARE = /\[("(?:[^"\\]|\\.)*"),(-?\d+),(-?\d+)\]/g;

export function sharesIn(written: string | null | undefined): readonly Share[] {
  return [...(written ?? "").matchAll(SHARE)].map(([, name = '""', tokens = "0", picoUsd = "0"]) => ({
    provider: String(JSON.parse(name)),
    tokens: Number(tokens),
    picoUsd: BigInt(picoUsd),
  }));
}
