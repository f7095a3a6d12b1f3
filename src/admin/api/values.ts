/**
 * Values that several resources of the Admin API use: times, amounts, times in a query. Amounts are text, because a program that
 * reads them as floats would lose digits.
 */
import { Type } from "@sinclair/typebox";
import { creditsOf } from "../../books/money";
import { GatewayError } from "../../domain/errors";
import { parseDuration } from "../../terminal/duration";

export const closed = { additionalProperties: false } as const;

export const Time = (description: string) => Type.String({ description: `${description} ISO 8601, UTC.` });
export const Usd = (description: string) =>
  Type.String({ description: `${description} In USD, a decimal number as text.` });
export const Credits = (description: string) =>
  Type.String({ description: `${description} In credits, a decimal number as text.` });
export const Count = (description: string) => Type.Integer({ minimum: 0, description });
export const OrNull = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) =>
  Type.Union([schema, Type.Null()]);

export const iso = (at: number | bigint) => new Date(Number(at)).toISOString();
export const isoOrNull = (at: number | bigint | null) => (at === null ? null : iso(at));
export const creditsOrNull = (microCredits: bigint | null) =>
  microCredits === null ? null : creditsOf(microCredits);

/** A time in a query. */
export const When = (description: string) =>
  Type.Optional(
    Type.String({
      maxLength: 40,
      description: `${description} ISO 8601 (2026-11-28T00:00:00Z), or how long ago: 90s, 15m, 24h, 7d.`,
    }),
  );

/** The year 9999: a later time has no ordinary ISO 8601 form. */
const TIME_MAX = 253_402_300_799_999;

/** @returns milliseconds since 1970 @throws GatewayError invalid */
export function momentOf(field: string, text: string, now: number): number {
  if (/^\d{1,9}[smhd]$/.test(text)) return Math.max(0, now - parseDuration(text));
  const at = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN;
  if (at >= 0 && at <= TIME_MAX) return at;
  throw new GatewayError(
    "invalid",
    `'${field}' must be a time such as 2026-11-28T00:00:00Z, or how long ago, such as 24h.`,
    { field },
  );
}
