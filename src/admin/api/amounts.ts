/** Credits in the Admin API's bodies: decimal numbers as text, exact to the micro-credit. */
import { isEqual, parseDecimal } from "../../books/money";
import { GatewayError } from "../../domain/errors";

/** @returns micro-credits @throws GatewayError invalid */
export function microCreditsIn(field: string, text: string, isSigned = false): bigint {
  const amount = parseDecimal(text);
  if (amount !== undefined && (isSigned || amount.numerator >= 0n)) {
    const whole = (amount.numerator * 1_000_000n) / amount.denominator;
    if (isEqual(amount, { numerator: whole, denominator: 1_000_000n })) return whole;
  }
  const sign = isSigned ? "" : ", not below 0";
  throw new GatewayError(
    "invalid",
    `'${field}' must be a number of credits as text, such as "12.5"${sign}, with at most six decimals.`,
    { field },
  );
}
