/**
 * A request of OpenAI's API as bytes that are sent again and again: only its texts are replaced.
 * A new member of the body is a member of `Wanted`.
 */
import { textOf } from "./texts";

export type Encoding = "float" | "base64";

export interface Wanted {
  readonly model: string;
  /** Texts per request. */
  readonly inputs: number;
  /** Approximate tokens of each text. */
  readonly tokens: number;
  readonly encoding: Encoding;
  readonly dimensions?: number | undefined;
}

export interface Request {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Writes the texts for consecutive numbers. Not while the request is being sent. */
  write(first: number): void;
}

export const bodyOf = (
  input: string | readonly string[],
  { model, encoding, dimensions }: Pick<Wanted, "model" | "encoding" | "dimensions">,
): Buffer<ArrayBuffer> =>
  Buffer.from(JSON.stringify({ model, input, encoding_format: encoding, dimensions }));

/** @param headOf the bytes before a body of this size, for callers that write directly to a socket */
export function requestOf(wanted: Wanted, headOf = (_bytes: number) => ""): Request {
  const { inputs, tokens } = wanted;
  const texts = Array.from({ length: inputs }, () => textOf(0, tokens));
  const body = bodyOf(inputs === 1 ? textOf(0, tokens) : texts, wanted);
  const bytes = Buffer.concat([Buffer.from(headOf(body.byteLength)), body]);
  const places: number[] = [];
  const text = Buffer.from(`"${textOf(0, tokens)}"`);
  for (let at = bytes.indexOf(text); at !== -1; at = bytes.indexOf(text, at + text.length))
    places.push(at + 1);
  return {
    bytes,
    write(first) {
      for (const [i, place] of places.entries()) bytes.write(textOf(first + i, tokens), place, "latin1");
    },
  };
}
