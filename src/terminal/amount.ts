/**
 * Parses amounts and counts from a command line exactly: 12.5 credits, 0.000001 USD. Nothing is rounded:
 * a value that cannot be stored exactly is refused. A new kind of value is a function here.
 */
import { InvalidArgumentError } from "commander";
import { fractionOf, isEqual, parseDecimal } from "../books/money";

/** @returns micro-credits */
export function parseCredits(text: string): bigint {
  const amount = parseDecimal(text);
  const scaled = (amount?.numerator ?? 0n) * 1_000_000n;
  if (amount === undefined || scaled % amount.denominator !== 0n)
    throw new InvalidArgumentError("Expected credits such as 50 or -0.25, with at most six decimals.");
  return scaled / amount.denominator;
}

/** A valid balance, as in the routing file. @returns micro-credits */
export function parseBalance(text: string): bigint | "unlimited" {
  if (text === "unlimited") return text;
  const balance = parseCredits(text);
  if (balance < 0n) throw new InvalidArgumentError("Expected 0 credits or more, or unlimited.");
  return balance;
}

/** Caps are stored as numbers: a cap is accepted only if the number equals what was written. */
export function parseUsd(text: string): number {
  const amount = parseDecimal(text);
  const number = Number(text);
  if (amount === undefined || amount.numerator < 0n || !isEqual(fractionOf(number), amount))
    throw new InvalidArgumentError("Expected USD such as 25 or 0.5, with at most 15 digits.");
  return number;
}

export function parseCount(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError("Expected a whole number.");
  return Number(text);
}

/** Words separated by commas. */
export function parseList(text: string): string[] {
  const words = text.split(",").map((word) => word.trim());
  if (words.includes("")) throw new InvalidArgumentError("Expected names with commas between them.");
  return [...new Set(words)];
}

/** For an option that may be given several times: KEY=VALUE. */
export function parsePair(text: string, pairs: ReadonlyMap<string, string> = new Map()): Map<string, string> {
  const [, key, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (key === undefined || value === undefined) throw new InvalidArgumentError("Expected KEY=VALUE.");
  return new Map([...pairs, [key, value]]);
}
