/**
 * A request of OpenAI's wire as bytes that are sent again and again: only its texts are written again.
 * A new member of the body is one of `Wanted`.
 */
import { textOf } from "./texts";

export type Encoding = "float" | "base64";

export interface Wanted {
  readonly model: string;
  /** Texts a request. */
  readonly inputs: number;
  /** Of each text, about. */
  readonly tokens: number;
  readonly encoding: Encoding;
  readonly dimensions?: number | undefined;
}

export interface Request {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Writes the texts of so many numbers from this one on. Not while the request is being sent. */
  write(first: number): void;
}

export const bodyOf = (
  input: string | readonly string[],
  { model, encoding, dimensions }: Pick<Wanted, "model" | "encoding" | "dimensions">,
): Buffer<ArrayBuffer> =>
  Buffer.from(JSON.stringify({ model, input, encoding_format: encoding, dimensions }));

/** @param headOf what goes before a body of so many bytes, for callers that write straight to a socket */
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
