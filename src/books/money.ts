/**
 * Money without floating point: decimal numbers of the routing file as exact fractions, whole pico-USD, whole micro-credits.
 * A rate may be fractional; a charge is a whole number, and rounding up carries over (fitting.ts). A new unit is a function here.
 */

/** numerator / denominator, both whole numbers, the denominator above 0. */
export interface Fraction {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

/** A cache: there are few prices and rates, and every request needs them. */
const fractions = new Map<number, Fraction>();
const FRACTIONS_MAX = 1_000;

/** A number by its decimal digits: 0.07 is 7/100, though its double is not. */
export function fractionOf(value: number): Fraction {
  const known = fractions.get(value);
  if (known) return known;
  const fraction = fractionByDigits(value);
  if (fractions.size < FRACTIONS_MAX) fractions.set(value, fraction);
  return fraction;
}

function fractionByDigits(value: number): Fraction {
  const [digits = "0", exponent = "0"] = String(value).split("e");
  const [whole = "0", fraction = ""] = digits.split(".");
  const shift = Number(exponent) - fraction.length;
  const scaled = BigInt(whole + fraction);
  return shift >= 0
    ? { numerator: scaled * 10n ** BigInt(shift), denominator: 1n }
    : { numerator: scaled, denominator: 10n ** BigInt(-shift) };
}

/** A decimal number as people write it, such as 12.5 or -0.000001; undefined for any other text. Nothing is rounded. */
export function parseDecimal(text: string): Fraction | undefined {
  const [, sign = "", whole = "", fraction = ""] = /^([+-]?)(\d{1,15})(?:\.(\d{1,15}))?$/.exec(text) ?? [];
  if (whole === "") return undefined;
  const digits = BigInt(whole + fraction);
  return { numerator: sign === "-" ? -digits : digits, denominator: 10n ** BigInt(fraction.length) };
}

/** Whether two numbers are equal, however they are written. */
export function isEqual(a: Fraction, b: Fraction): boolean {
  return a.numerator * b.denominator === b.numerator * a.denominator;
}

/** A whole number of small units as a decimal number of large ones, without trailing zeros: 1,250,000 with 6 places is 1.25. */
export function decimal(units: bigint, places: number): string {
  const digits = (units < 0n ? -units : units).toString().padStart(places + 1, "0");
  const fraction = digits.slice(-places).replace(/(?<!0)0+$/, "");
  return `${units < 0n ? "-" : ""}${digits.slice(0, -places)}${fraction === "" ? "" : `.${fraction}`}`;
}

/** Micro-credits as credits. */
export const creditsOf = (microCredits: bigint) => decimal(microCredits, 6);

/** 10⁻¹⁵ credits as credits. */
export const exactCreditsOf = (femtoCredits: bigint) => decimal(femtoCredits, 15);

/** Pico-USD as USD: 20,000 → 0.00000002. */
export const usdOf = (picoUsd: bigint) => decimal(picoUsd, 12);

export function times(a: Fraction, b: Fraction): Fraction {
  return { numerator: a.numerator * b.numerator, denominator: a.denominator * b.denominator };
}

/** count × rate, rounded up to a whole number: 0.1 × 30 is 3, and 0.1 × 31 is 4. */
export function ceilOf(count: bigint, { numerator, denominator }: Fraction): bigint {
  return ceilingOf(count * numerator, denominator);
}

/** The quotient of two numbers that are not negative, rounded up. */
export const ceilingOf = (dividend: bigint, divisor: bigint) => (dividend + divisor - 1n) / divisor;

/**
 * The precision of charges: 10⁻¹⁵ credits. Prices, rates and markups with nine decimals together are exact. The fraction left over from a
 * workspace's charges is carried on in this unit, so that they add up exactly over time.
 */
export const FEMTO_CREDITS_PER_MICRO_CREDIT = 1_000_000_000n;

/** What credits are worth to the operator: `money` in the routing file. */
export interface Exchange {
  readonly creditsPerUsd: number;
  /** A factor on the price. */
  readonly markup: number;
}

/**
 * Micro-credits per token. A USD per million tokens is a micro-USD per token, so the powers of ten cancel out.
 * @param price USD per million tokens
 */
export function microCreditsPerToken(price: number, exchange: Exchange): Fraction {
  let rates = ratesBy.get(exchange);
  if (!rates) {
    rates = new Map();
    ratesBy.set(exchange, rates);
  }
  let rate = rates.get(price);
  if (!rate) {
    const { creditsPerUsd, markup } = exchange;
    rate = times(times(fractionOf(price), fractionOf(creditsPerUsd)), fractionOf(markup));
    rates.set(price, rate);
  }
  return rate;
}

/** By price: as many as the routing file and the catalogue have. */
const ratesBy = new WeakMap<Exchange, Map<number, Fraction>>();

/**
 * A price of the catalogue or the routing file as whole pico-USD per token: 0.02 USD per million tokens is 20,000.
 * Fractions of a pico-USD are rounded up, so that a price above 0 never becomes 0.
 */
export function picoUsdPerToken(price: number): bigint {
  const known = perToken.get(price);
  if (known !== undefined) return known;
  const picoUsd = ceilOf(1_000_000n, fractionOf(price));
  if (perToken.size < FRACTIONS_MAX) perToken.set(price, picoUsd);
  return picoUsd;
}

const perToken = new Map<number, bigint>();

/** USD as whole pico-USD. */
export function picoUsd(usd: number): bigint {
  return ceilOf(1_000_000_000_000n, fractionOf(usd));
}

/** Credits, also fractional ones, as micro-credits. */
export function microCredits(credits: number): bigint {
  return ceilOf(1_000_000n, fractionOf(credits));
}
