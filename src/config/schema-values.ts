/**
 * Values that several sections of the routing file use. A value of a single section is defined there.
 */
import { type Static, Type } from "@sinclair/typebox";

export const closed = { additionalProperties: false } as const;

export const milliseconds = (about: string, least: number, most: number, value: number) =>
  Type.Integer({ minimum: least, maximum: most, default: value, description: about });

/** The dialects of OpenAI's shape; src/dialects/records.ts defines each of them. */
export const DialectName = Type.Union(
  [
    Type.Literal("openai"),
    Type.Literal("opentoken"),
    Type.Literal("tokenfactory"),
    Type.Literal("quantized"),
  ],
  { default: "openai", description: "The dialect of OpenAI's API that clients speak." },
);

export type DialectName = Static<typeof DialectName>;
