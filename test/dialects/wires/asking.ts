/**
 * How a test asks a wire, and the fake provider's vectors as an answer has them.
 */
import { exactVector } from "../../../plugins/fake";

export const post = (body: unknown, headers: Readonly<Record<string, string>> = {}): RequestInit => ({
  method: "POST",
  headers: { "content-type": "application/json", ...headers },
  body: JSON.stringify(body),
});

/** As JSON has it: the shortest decimals that are these float32 numbers. */
export function vector(text: string, size = 16): number[] {
  return [...exactVector(text, size)].map(shortest);
}

function shortest(value: number): number {
  for (let digits = 1; ; digits += 1) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
}
